"""Explains the past: what the log says about decisions, and whether it obeys the rules.

    report       the facts of a log: environment, input, split, rounds, timings, invariants
    invariants   the rules that no log may break, each one SQL statement
    markdown     a report as text for people, its rounds table for `domain.rounds_table`
    source       reads events from the live log, archive files, or the files and then the log
    lookup       which deployment or unit of archive files is meant
    replay       the fleet at one time
    why          why a unit or no unit holds a deployment; `plan`: which unit would claim it now
    backtest     recorded rounds decided again, as they were or under another policy; `rounds_file`: those of a report
    archive      moves old events to a file; `archive_file`: the format of the file
    wording      events in words
    schema       the JSON Schema of each event

Only `archive` writes. Everything else reads, each answer from one snapshot, so that it never disturbs the fleet. SQL
belongs in `store.read`, tables and colours in `cli.output`, and a rule of placement or of folding in `domain`.
"""
