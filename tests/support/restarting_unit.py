"""A unit whose programs are restarted, and looked at, after so short a time that a test can wait for it.

Everything is real but the numbers of the restart rule and of the checks; and at its end the daemon says how often it
compared what should run with what runs. Run as a module in place of `nodeunit`, and as the module of the daemon by that
unit.
"""

import sys
from unittest.mock import patch

from nodeunit.cli import main
from nodeunit.daemon import __main__ as daemon_module
from nodeunit.daemon.health import HealthTimes
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.domain.restart import RestartRule
from nodeunit.supervisor.bootstrap import interpreter_argv

RULE = RestartRule(first_delay_s=0.05, max_delay_s=0.4)
HEALTH = HealthTimes(startup_every_s=0.05, liveness_every_s=0.2)


def be_the_daemon() -> int:
    """As `nodeunit.daemon`."""
    reconciles = 0
    reconcile = Reconciler._reconcile

    def counted(reconciler: Reconciler) -> None:
        nonlocal reconciles
        reconciles += 1
        reconcile(reconciler)

    with (
        patch("nodeunit.daemon.daemon.RestartRule", lambda: RULE),
        patch("nodeunit.daemon.daemon.HealthTimes", lambda: HEALTH),
        patch.object(Reconciler, "_reconcile", counted),
    ):
        exit_code = daemon_module.main()
    print(f"reconciles: {reconciles}", file=sys.stderr, flush=True)
    return exit_code


def be_the_unit() -> None:
    """As `nodeunit`, with this module for its daemon."""
    with patch("nodeunit.cli.run.interpreter_argv", lambda _: interpreter_argv("tests.support.restarting_unit")):
        main()


if __name__ == "__main__":
    if "--link-fd" in sys.argv:
        sys.exit(be_the_daemon())
    be_the_unit()
