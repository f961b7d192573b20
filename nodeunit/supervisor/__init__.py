"""The parent process of a unit's programs: small, without a database, and alive as long as the unit is.

    nodeunit run ── exec ──> supervisor ──┬── daemon      decides; may crash, freeze, be upgraded: the programs continue
                                          ├── guard       ends the programs if the supervisor dies, and those with a
                                          │               deadline if it is frozen when the deadline comes
                                          ├── log writer  writes the output into files; may hang with their disk
                                          ├── program     own session, own log, dies with the supervisor
                                          └── program …

Three rules always hold, also after every fault:

- A key (a deployment) has at most one living tree: `exited` is reported, and the key is free again, only when no
  process of the tree is alive, orphans included.
- A program with `on_disconnect = stop` is dead before the lease expires by CLOCK_BOOTTIME, whatever the daemon does.
- A signal reaches a process only if pid and start time are those of the program.

One thread uses one selector and never waits, so a stuck daemon, log file or program delays nothing else.

    supervisor       owns the parts below and executes the daemon's requests
    loop             the event loop; stderr_log: the supervisor's own log
    programs         all programs by key; program: one of them
    log_writer       their output on its way to the process that writes it; logs: that process
    lease            how long programs may run that must stop with it; guard: the second process that enforces it
    child_processes  fork, exec and reap
    daemon_process   the daemon as a child; daemon_link: its socket; protocol: the messages on it; requests: the check
                     of the daemon's
    bootstrap        settings and start of a supervisor; shutdown: how it ends

What must not be here: a database, a decision about rows, asyncio, anything outside the standard library or heavy in it.
The supervisor runs for months on every machine and should rarely need an upgrade.
"""
