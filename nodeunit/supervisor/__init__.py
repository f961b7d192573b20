"""The parent process of a unit's programs: small, without a database, and alive as long as the unit is.

    nodeunit run ── exec ──> supervisor ──┬── daemon      decides; may crash, freeze, be upgraded: the programs go on
                                          ├── guard       ends the programs if the supervisor dies, and those with a
                                          │               deadline if it is frozen when the deadline comes
                                          ├── program     own session, own log, dies with the supervisor
                                          └── program …

Three rules hold at every moment and after every fault:

- A key (a deployment) has at most one living tree: `exited` is reported, and the key free again, only when nothing of
  the tree is alive any more, orphans included.
- A program with `on_disconnect = stop` is dead before the lease runs out, by CLOCK_BOOTTIME, whatever the daemon does.
- A signal reaches a process only if pid and start time are those of the program.

One thread, one selector, nothing that waits: the daemon, a log file or a program that is stuck delays nobody else.
Standard library only, and of that only what is light: the whole stays resident for months, on every machine.
"""
