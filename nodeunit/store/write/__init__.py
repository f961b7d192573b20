"""What changes the fleet, and what a unit reads in order to do so.

    membership   joins; one unit in one epoch, with its lease and all that it reads and writes
    decisions    the stream of a unit's decisions: rounds, claims, process events
    unit_reads   the rows as units read them: the inputs of a round, and what should run where
    operators    cordon, uncordon, drain
    demo_rows    the rows of `nodeunit demo`

Every write of a unit carries its address and epoch; a stale epoch writes nothing. The statements of a module are in the
`.sql` file of its name. What commands read belongs in `store.read`, what concerns the server itself in
`store.postgres`, and a rule in `domain`.
"""
