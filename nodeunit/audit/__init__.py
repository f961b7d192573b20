"""Looking back: what the log tells about decisions, and whether what it tells obeys the rules.

    report       the facts of a log, put together: environment, input, split, rounds, timings, invariants
    invariants   the rules that no log may break, each one SQL statement
    markdown     a report as text for people, its rounds table for `domain.rounds_table`
    source       where events are read from: the live log, archive files, or both in turn
    replay       the fleet at a moment
    why          why a deployment is where it is; `plan`: who would claim it now
    backtest     recorded rounds decided again, as they were or under another policy; `rounds_file`: those of a report
    wording      events in words
    schema       what stands in each event

Everything is read in one snapshot and nothing is written, so that looking never disturbs the fleet.
"""
