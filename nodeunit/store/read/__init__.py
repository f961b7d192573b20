"""What looks: the event log, the fleet at a moment, usage, reports, archives and the projections held against the log.

Nothing here takes a lock that a unit waits for, and no unit needs it to work. A module's statements stand beside it, in
the `.sql` file of its name.
"""
