"""Every signal that the supervisor may get, and what it does. The table for operators stands in docs/guarantees.md.

What is not here does what the kernel has it do: KILL and STOP, which nobody can handle; TSTP, TTIN and TTOU, by which a
terminal suspends a process (the guard keeps the deadlines); and those by which the kernel reports an error of the
process itself (ABRT, BUS, FPE, ILL, SEGV, SYS, TRAP). CONT, URG, WINCH, PIPE and XFSZ do nothing by themselves.
"""

import signal

DRAIN = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPWR)
"""Stop the programs, give the rows back, leave. PWR is how a container or a failing power supply asks for it."""

RELOAD = (signal.SIGHUP,)
"""Another daemon, with the code that is installed now; the programs go on."""

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
"""Somebody else's, or a mistake: by default each would end the supervisor on the spot, and its programs with it."""

HANDLED: tuple[int, ...] = (*DRAIN, *RELOAD, *REAP, *IGNORE)
"""A child must not inherit these handlers even for a moment."""

NOT_FOR_HELPERS = tuple(signum for signum in HANDLED if signum not in REAP)
"""What guard and log writer ignore: they end when the supervisor has ended, and not before."""


def name(signum: int) -> str:
    """As operators write it."""
    return signal.Signals(signum).name if signum in set(signal.Signals) else f"signal {signum}"
