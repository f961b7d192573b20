"""What units report about programs, appended as a unit does, in any form that a version of nodeunit ever wrote."""

from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from tests.support.rows import rows, value


def report(conninfo: str, unit: str, *events: tuple[str, dict[str, Any]]) -> None:
    """Appends events, each a type and its data, to the unit's stream in one transaction."""
    appended = [
        {"event_id": str(uuid4()), "type": kind, "data": data,
         "deployment_id": data.get("deployment_id")}
        for kind, data in events
    ]  # fmt: skip
    rows(
        conninfo,
        "select append_decisions(l.address, l.epoch, l.stream_version, %s) from lease l where l.address = %s",
        (Jsonb(appended), unit),
    )


def started(
    row: UUID, claim: int = 1, *, pid: int = 4711, revision: int = 1, **more: Any
) -> tuple[str, dict[str, Any]]:
    """ProcessStarted."""
    fields = {"deployment_id": str(row), "pid": pid, "start_time": "1", "revision": revision, "claim_version": claim}
    return "ProcessStarted", fields | more


def exited(row: UUID, claim: int = 1, *, reason: str = "exited", ran_s: float = 0.1, code: int | None = 3,
           signal: int | None = None) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """ProcessExited."""
    return "ProcessExited", {
        "deployment_id": str(row), "pid": 4711, "exit_code": code, "signal": signal, "ran_s": ran_s, "reason": reason,
        "detail": "", "claim_version": claim,
    }  # fmt: skip


def told(kind: str, row: UUID, claim: int = 1, **data: Any) -> tuple[str, dict[str, Any]]:
    """Any other event of a program."""
    return kind, {"deployment_id": str(row), "claim_version": claim} | data


def program(conninfo: str, row: UUID, unit: str) -> dict[str, Any]:
    """The row of table program."""
    (found,) = rows(conninfo, "select * from program where deployment_id = %s and unit_address = %s", (row, unit))
    return found


def programs(conninfo: str, row: UUID) -> int:
    """How many units have a program of the row."""
    return int(value(conninfo, "select count(*) from program where deployment_id = %s", (row,)))
