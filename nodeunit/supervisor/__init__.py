"""The parent process of a unit's programs: small, without a database, and alive as long as the unit is.

    nodeunit run ── exec ──> supervisor ──┬── daemon      decides; may crash, freeze, be upgraded: the programs go on
                                          ├── guard       ends the programs if the supervisor dies, and those with a
                                          │               deadline if it is frozen when the deadline comes
                                          ├── log writer  writes the output into files; may hang with their disk
                                          ├── program     own session, own log, dies with the supervisor
                                          └── program …

Three rules hold at every moment and after every fault:

- A key (a deployment) has at most one living tree: `exited` is reported, and the key free again, only when nothing of
  the tree is alive any more, orphans included.
- A program with `on_disconnect = stop` is dead before the lease runs out, by CLOCK_BOOTTIME, whatever the daemon does.
- A signal reaches a process only if pid and start time are those of the program.

One thread, one selector, nothing that waits: a daemon, a log file or a program that is stuck delays nothing else.

    supervisor       owns the parts below and executes the daemon's requests
    loop             the event loop; linux: the system calls that Python lacks; stderr_log: the supervisor's own log
    programs         all programs by key; program: one of them
    log_writer       their output on its way to the process that writes it; logs: that process
    lease            until when programs may run that must stop with it; guard: the second process that enforces it
    child_processes  fork, exec and reap
    daemon_process   the daemon as a child; daemon_link: its socket; protocol: what is sent on that
    bootstrap        settings and start of a supervisor; shutdown: how it ends

What must not be here: a database, a decision about rows, asyncio, anything outside the standard library or heavy in it.
The supervisor stays resident for months on every machine and should hardly ever need an upgrade.
"""
