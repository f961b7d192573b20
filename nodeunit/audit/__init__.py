"""Looking back: what the log tells about decisions, and whether what it tells obeys the rules.

    report       the facts of a log, put together: environment, input, split, rounds, timings, invariants
    invariants   the rules that no log may break, each one SQL statement
    markdown     a report as text for people, its rounds table for `domain.rounds_table`

Everything is read in one snapshot and nothing is written, so that looking never disturbs the fleet.
"""
