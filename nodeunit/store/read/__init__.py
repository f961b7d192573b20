"""What commands read. A unit needs none of it.

    event_log    the only reader of the log: history, then new events, without gap or repetition
    held_back    the open transaction that keeps a reader from committed events
    lookup       which deployment or unit is meant, the names of units, the database's time
    fleet        the fleet at a moment, by the SQL fold
    why          the events that explain one deployment, and the inputs of a round now
    report       the facts of a report; `invariants.sql`: the rules that no log may break
    usage        what units and programs used over time
    archive      the log's side of an archive: where it can be cut, and the switch to a file
    projections  the live tables compared with the log, or folded from it again

Nothing here takes a lock that a unit waits for, and only `archive` and `projections.rebuild` write. The statements of a
module are in the `.sql` file of its name. What changes the fleet, and what a unit reads, belongs in `store.write`; text
and tables for people belong in `audit` and `cli`.
"""
