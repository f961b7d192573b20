"""Every signal that the supervisor may get, and its effect. docs/guarantees.md has the table for operators.

The other signals keep their default effect: KILL and STOP, which cannot be handled; TSTP, TTIN and TTOU, by which a
terminal suspends a process (the guard keeps the deadlines); and those by which the kernel reports an error of the
process itself (ABRT, BUS, FPE, ILL, SEGV, SYS, TRAP). CONT, URG, WINCH, PIPE and XFSZ do nothing by themselves.
"""

import signal

DRAIN = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPWR)
"""Stop the programs, release the rows, leave. A container or a failing power supply uses PWR for it."""

RELOAD = (signal.SIGHUP,)
"""Start another daemon, with the code that is installed now; the programs continue."""

REAP = (signal.SIGCHLD,)

IGNORE = (
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGIO,
    signal.SIGXCPU,
    signal.SIGSTKFLT,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
)
"""Ignored, because by default each would end the supervisor immediately, and its programs with it."""

HANDLED: tuple[int, ...] = (*DRAIN, *RELOAD, *REAP, *IGNORE)
"""A child must never inherit these handlers."""

NOT_FOR_HELPERS = tuple(signum for signum in HANDLED if signum not in REAP)
"""Guard and log writer ignore these, because they end only after the supervisor has ended."""


def name(signum: int) -> str:
    """The name of a signal as operators write it."""
    return signal.Signals(signum).name if signum in set(signal.Signals) else f"signal {signum}"
