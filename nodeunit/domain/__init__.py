"""The rules of the fleet as pure functions and immutable values.

In it: the events and their JSON (`event`, `events`, `snapshot_events`, `event_json`, `upcasting`), how a unit decides
(`policy`, `can_run`, `ranking`, `claim_round`, `recorded_round`), the folds of the log (`deployment`, `fleet`), what
can be concluded from it later (`verdict`, `what_if`, `rounds_table`), when a program is restarted (`restart`), and
what a row may ask of its unit (`health_check`, `ports`).

A function here gets all that it needs as arguments and returns what follows from them. Not in it: a clock, a random
number, a file, a setting, the environment, a database, a process, a log line, a coroutine, and any import of nodeunit
but `nodeunit.errors`. `make mutants` shows that the unit and property tests notice every change.
"""
