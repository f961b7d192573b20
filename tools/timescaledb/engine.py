"""A Docker engine that answers: the running one, else Debian's, installed and started as root."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from nodeunit.demo.container import docker_refusal
from tools.timescaledb import debian
from tools.timescaledb.say import CannotGoOn, run, say

READY_S = 60.0


def make_available() -> None:
    """Return when an engine answers. Raises CannotGoOn, which says what is missing, when none can be started."""
    reason = docker_refusal()
    if reason is None:
        say("a Docker engine answers")
        return
    if os.environ.get("DOCKER_HOST"):
        raise CannotGoOn(f"The engine that DOCKER_HOST names does not answer: {reason}")
    if "permission denied" in reason.lower():
        raise CannotGoOn("A Docker engine runs, but this user may not use it: join the group `docker`, or be root.")
    if os.geteuid() != 0:
        raise CannotGoOn(
            f"There is no Docker engine ({reason}) and only root can start one: start or"
            " install Docker, or run this as root on Debian."
        )
    _install()
    _start()


def _install() -> None:
    if shutil.which("dockerd") is None:
        if not debian.can_install():
            raise CannotGoOn("There is no Docker engine and no apt-get to install it with: install Docker.")
        # Only recommended, but without iptables no port is published, and a kernel that enforces AppArmor
        # starts no container without its parser.
        packages = ["docker.io", "iptables"]
        if Path("/sys/module/apparmor").exists():
            packages.append("apparmor")
        debian.install(*packages)
    if shutil.which("docker") is None and debian.exists("docker-cli"):
        debian.install("docker-cli")  # a package of its own since Debian 13


def _start() -> None:
    """Start the engine: by systemd where that runs the machine, else in the background."""
    if Path("/run/systemd/system").exists():
        run("starting the service docker", ["systemctl", "start", "docker"])
        _wait(None, None)
        return
    _mount_control_groups()
    log = state_directory() / "dockerd.log"
    say(f"starting dockerd in the background, its log is {log}")
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    _wait(process, log)


def _wait(process: subprocess.Popen[bytes] | None, log: Path | None) -> None:
    started = time.monotonic()
    while (reason := docker_refusal()) is not None:
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() - started > READY_S:
            raise CannotGoOn(f"dockerd {'ended' if ended else 'does not answer'} ({reason}){_tail(log)}")
        time.sleep(0.2)
    say(f"the engine answers after {time.monotonic() - started:.1f} s")


def _tail(log: Path | None) -> str:
    if log is None:
        return "; see `journalctl -u docker`"
    return "; the end of its log:\n  " + "\n  ".join(log.read_text(errors="replace").splitlines()[-10:])


def _mount_control_groups() -> None:
    """Containers need control groups, which not every init mounts."""
    if any(" cgroup" in line for line in Path("/proc/mounts").read_text().splitlines()):
        return
    run("mounting control groups", ["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"])


def state_directory() -> Path:
    """The folder for the logs of what runs in the background."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    directory = Path(home) / "nodeunit"
    directory.mkdir(parents=True, exist_ok=True)
    return directory
