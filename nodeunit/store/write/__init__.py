"""What changes the fleet: membership and leases, decisions and claims, what operators do, the rows of the demo.

Every write of a unit carries its address and epoch; a stale epoch writes nothing. A module's statements stand beside
it, in the `.sql` file of its name.
"""
