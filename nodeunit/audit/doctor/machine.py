"""Checks of this machine as that of a unit: its settings, tools, registries, directories and processes.

What may hang, a disk or a registry, is asked in a thread that nobody waits for at the end.
"""

import asyncio
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from typing import TypeVar

from nodeunit import patterns
from nodeunit.domain.finding import Finding, Limits
from nodeunit.errors import SettingInvalid
from nodeunit.identity import address_of
from nodeunit.install.of_unit import unit_store
from nodeunit.process.control_groups import why_not_permitted
from nodeunit.process.leftovers import supervisors
from nodeunit.process.process_table import is_readable_by_its_user
from nodeunit.settings import Settings

REGISTRY_WITHIN_S = 3.0

Answer = TypeVar("Answer")


async def aside(look: Callable[[], Answer]) -> Answer:
    """What `look` returns in a thread of its own. If the task is cancelled the thread is left to itself."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def finish(value: Answer | None, error: Exception | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error else answer.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value, failure = None, None
        try:
            value = look()
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            failure = error
        try:
            loop.call_soon_threadsafe(finish, value, failure)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    threading.Thread(target=run, daemon=True, name="doctor").start()
    return await answer


def settings(environ: dict[str, str]) -> tuple[Settings | None, list[Finding]]:
    """The settings of this machine's unit, or what is wrong with them."""
    try:
        found = Settings.from_environment(dict(environ))
    except SettingInvalid as error:
        return None, [
            Finding(
                name="setting_invalid", severity="error", subject="machine", cause=str(error),
                mend="correct the variable; nodeunit run --help lists what each may be",
            )
        ]  # fmt: skip
    if environ.get("NODE_UNIT_PASSWORD"):
        return found, []
    return found, [
        Finding(
            name="unit_without_password",
            severity="warning",
            subject=f"unit {found.name}",
            cause="NODE_UNIT_PASSWORD is not set: each start makes a new unit, which no login is enrolled for",
            mend="give NODE_UNIT_PASSWORD a secret of this unit alone, such as openssl rand -base64 24 prints",
        )
    ]


def installers(unit: Settings, wanted: Collection[tuple[str, str]]) -> list[Finding]:
    """What is missing for the packages that this unit trusts; `wanted` has runtimes and packages of rows."""
    store = unit_store(unit)
    return [
        Finding(
            name=f"{runtime}_missing",
            severity="error",
            subject="machine",
            cause=f"rows want {runtime} packages that this unit trusts. {missing}",
            mend="apt-get install nodejs npm" if runtime == "npm" else "apt-get install python3-venv, or install uv",
        )
        for runtime in _needed(unit, wanted)
        if (missing := store.missing(runtime))
    ]


async def registries(unit: Settings, wanted: Collection[tuple[str, str]]) -> list[Finding]:
    """The registries that are set and needed. Any answer will do, a refusal too."""
    urls = {
        "npm": ("NODE_UNIT_NPM_REGISTRY", unit.npm_registry),
        "python": ("NODE_UNIT_PYTHON_INDEX", unit.python_index),
    }
    found = []
    for runtime in _needed(unit, wanted):
        variable, url = urls[runtime]
        why = await aside(lambda url=url: _silence_of(url)) if url else ""  # type: ignore[misc]
        if why:
            found.append(
                Finding(
                    name="registry_silent",
                    severity="error",
                    subject=url,
                    cause=f"rows want {runtime} packages that this unit trusts, and this does not answer: {why}",
                    mend=f"start it, or correct {variable}; try: curl -I {url}",
                )
            )
    return found


def _needed(unit: Settings, wanted: Collection[tuple[str, str]]) -> list[str]:
    trusted = patterns.compiled(unit.trusted_package_regexp)  # settings with a refused one are not read
    return sorted({runtime for runtime, package in wanted if trusted.search(package) is not None})


def _silence_of(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=REGISTRY_WITHIN_S):
            return ""
    except urllib.error.HTTPError:
        return ""
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


def directories(unit: Settings, limits: Limits) -> list[Finding]:
    """Whether the unit can write where it keeps programs and logs, and whether there is room."""
    found = []
    for variable, directory in (("NODE_UNIT_WORKSPACE", unit.workspace), ("NODE_UNIT_LOG_DIR", unit.log_directory)):
        there = directory
        while not os.path.lexists(there):
            there = os.path.dirname(there)
        if not os.path.isdir(there) or not os.access(there, os.W_OK | os.X_OK):
            found.append(
                Finding(
                    name="directory_not_writable", severity="error", subject=directory,
                    cause=f"user {os.geteuid()} cannot write in {there}, and {variable} is {directory}",
                    mend=f"install -d -o USER {directory}, with the user of the unit, or change {variable}",
                )
            )  # fmt: skip
            continue
        disk = os.statvfs(there)
        if disk.f_blocks and disk.f_bavail < disk.f_blocks * limits.free_share:
            found.append(
                Finding(
                    name="disk_nearly_full", severity="warning", subject=directory,
                    cause=f"{disk.f_bavail / disk.f_blocks:.1%} of its disk is free; without any, rows are given back",
                    mend=f"make room, or set {variable} to another disk; see: du -xh {there} | sort -h | tail",
                )
            )  # fmt: skip
    return _once(found)


def _once(found: list[Finding]) -> list[Finding]:
    """Workspace and logs are one directory unless somebody parts them."""
    return list({(one.name, one.subject): one for one in found}.values())


def processes(unit: Settings) -> list[Finding]:
    """Control groups for programs, and whether programs could read the memory of their parent."""
    found = []
    if reason := why_not_permitted():
        found.append(
            Finding(
                name="no_control_groups", severity="warning", subject="machine",
                cause=f"programs run without control groups, so some may escape when they are ended: {reason}",
                mend="run the unit under systemd with Delegate=yes, as nodeunit service prints it",
            )
        )  # fmt: skip
    own = address_of(unit.name, unit.password)
    running = [pid for (pid, _), address in supervisors().items() if address == own]
    found += [parent_readable(pid) for pid in running if is_readable_by_its_user(pid)]
    return found


def parent_readable(pid: int) -> Finding:
    return Finding(
        name="parent_readable", severity="warning", subject=f"pid {pid}",
        cause="programs run as the user of their unit and may read the memory of its supervisor, and with it the "
        "connection string of the database",
        mend="restart the unit, because a reload keeps its supervisor; if it is found again, this version does not "
        "hide its memory: see to it that the login is of this unit alone, by nodeunit enroll",
    )  # fmt: skip
