"""Programs that do something again and again at a pace: by a timer of the kernel, whose signal they wait for."""


def paced(step_s: float) -> str:
    """The beginning of a Python program that may call `step()`, which returns once so often. A fork has no timer: it
    starts its own with `pace()`."""
    return (
        "import signal\n"
        "def pace():\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n"
        f"    signal.setitimer(signal.ITIMER_REAL, {step_s}, {step_s})\n"
        "def step(): signal.sigwait([signal.SIGALRM])\n"
        "pace()\n"
    )
