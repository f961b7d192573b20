"""The protocol between supervisor and daemon: one JSON object per line, over a socket pair.

Times are seconds of CLOCK_BOOTTIME, a `start_time` is in clock ticks since boot (field 22 of `/proc/PID/stat`), a key
is the deployment's id. `meta` belongs to the daemon: the supervisor returns it unchanged.

The supervisor begins with `hello`, in parts if it is long (`hello.py`). A new daemon gets everything from it, and
nothing that was sent to its predecessor matters any more. It repeats the reports that are not acknowledged: `started`,
`exited`, `spawn_failed` and `not_ended` have a number, `id`, which counts from 1 in each supervisor. Both sides ignore
unknown names, so that a daemon may be newer than its supervisor. `requests` checks them before they are executed.
Standard library only.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NotRequired, TypedDict

from nodeunit.process.group_limits import Limit

LONGEST_LINE = 4 * 1024 * 1024
"""The reader drops longer lines. One program may need a long one, so readers must not assume 64 KiB."""

OnDisconnect = Literal["keep", "stop"]
Cause = Literal["exited", "stop", "lease", "shutdown"]
"""Why a program ended: by itself; the daemon asked; the lease expired; the supervisor is ending."""


class RunningProgram(TypedDict):
    """A program as `hello` lists it. `stopping`: it has been asked to end, and `exited` will follow. `kept`: the limits
    that the kernel keeps; the daemon has to keep the others."""

    key: str
    pid: int
    start_time: int
    on_disconnect: OnDisconnect
    started_at: float
    stopping: bool
    kept: NotRequired[list[Limit]]
    meta: dict[str, Any]


class Exited(TypedDict):
    """A program and its whole tree are gone; its key is free.

    Either `exit_code` or `signal` is a number, the other is None. `stopped` is `cause != "exited"`. `because` and
    `detail` repeat what the `stop` said. `oom`: the kernel has killed processes of its control group, because memory
    was short.
    """

    event: Literal["exited"]
    id: NotRequired[int]
    key: str
    pid: int
    start_time: int
    exit_code: int | None
    signal: int | None
    ran_s: float
    stopped: bool
    cause: Cause
    because: NotRequired[str]
    detail: NotRequired[str]
    oom: NotRequired[bool]
    meta: dict[str, Any]


class Hello(TypedDict):
    """The first line to each daemon: which supervisor this is (`supervisor` is new with each of its starts), what runs,
    which reports are not acknowledged (in the order of their numbers), which states are remembered (by key), when the
    lease expires (0.0: none yet), whether a drain is in progress, and how a program's processes are identified. With
    `more`, parts of it follow (`hello.py`)."""

    event: Literal["hello"]
    supervisor: str
    pid: int
    programs: list[RunningProgram]
    reports: list["Report"]
    states: dict[str, Any]
    lease_expires: float
    draining: bool
    containment: Literal["control_groups", "process_trees"]
    more: NotRequired[bool]


class HelloMore(TypedDict):
    """Another part of a `hello` that is too long for one line."""

    event: Literal["hello_more"]
    programs: list[RunningProgram]
    reports: list["Report"]
    states: dict[str, Any]
    more: NotRequired[bool]


class Started(TypedDict):
    """The program runs: execve has succeeded. `kept` as in RunningProgram."""

    event: Literal["started"]
    id: NotRequired[int]
    key: str
    pid: int
    start_time: int
    kept: NotRequired[list[Limit]]
    meta: dict[str, Any]


class SpawnFailed(TypedDict):
    """The program does not run. `detail` says why, for people: no such program, already running, lease expired …

    `because` is `no_such_command` if no directory of PATH has the program. `lacks` is not empty if it is not the
    program's fault: what the unit lacks (descriptors, memory, processes, disk), or `lease`: retry under the next lease.

    It has no `id` and is not repeated if the start was refused because too many reports are unacknowledged."""

    event: Literal["spawn_failed"]
    id: NotRequired[int]
    key: str
    detail: str
    because: NotRequired[str]
    lacks: NotRequired[str]
    meta: dict[str, Any]


def spawn_failed(key: str, detail: str, lacks: str, meta: dict[str, Any], because: str = "") -> SpawnFailed:
    """The report of a start that has failed; `lacks` is empty if that is the program's fault."""
    report: SpawnFailed = {"event": "spawn_failed", "key": key, "detail": detail, "meta": meta}
    if because:
        report["because"] = because
    if lacks:
        report["lacks"] = lacks
    return report


class Probed(TypedDict):
    """The answer to `probe`: which resource a few more programs would lack; empty if none."""

    event: Literal["probed"]
    lacks: str


class NotEnded(TypedDict):
    """Processes of a program survive SIGKILL; `detail` says why. Sent once, and the key stays taken."""

    event: Literal["not_ended"]
    id: NotRequired[int]
    key: str
    pid: int
    detail: str
    meta: dict[str, Any]


class Drain(TypedDict):
    """The supervisor was asked to end (SIGTERM, SIGINT): stop the programs, release the rows, send `leave`, exit 0.
    After `drain_timeout_s` the supervisor ends the programs itself."""

    event: Literal["drain"]


class Replace(TypedDict):
    """A new daemon is wanted (SIGHUP): exit 0 soon, without stopping or releasing anything, without `leave`."""

    event: Literal["replace"]


class Ending(TypedDict):
    """The supervisor has ended the programs and no longer waits for the daemon: it closes the link next. If the link
    ends without this event, the supervisor died."""

    event: Literal["ending"]


class StillAlive(TypedDict):
    """The answer to each `alive`: the supervisor is not stuck."""

    event: Literal["alive"]


Report = Started | Exited | SpawnFailed | NotEnded
Event = Hello | HelloMore | Started | SpawnFailed | Exited | NotEnded | Drain | Replace | Ending | StillAlive | Probed


class Ready(TypedDict):
    """The daemon has joined. From now on, if it dies, the supervisor keeps the programs and starts a new daemon."""

    op: Literal["ready"]


class Alive(TypedDict):
    """The daemon is not stuck. After the first one, a daemon that is silent (no op of any kind) for `daemon_silence_s`
    is killed and replaced, because a frozen daemon would keep its unit from working."""

    op: Literal["alive"]


class Probe(TypedDict):
    """Asks whether more programs could be started. Answered by `probed`."""

    op: Literal["probe"]


class Spawn(TypedDict):
    """Starts `argv` (found in the `PATH` of `env`) with exactly `env`, which must have the unit's address and the key
    (`nodeunit.process.environment`), in the directory `cwd`, or `/`; `make_cwd`: it may have to be made. Answered by
    `started` or `spawn_failed`. `grace_s` counts if the lease expires or the supervisor ends; a `stop` has its own.

    The limits are for the whole tree: MiB of memory, a share of the CPU from 1 to 10000 beside the usual 100, and a
    number of processes and threads. Only a control group can keep them (see `kept`); without one, the CPU share becomes
    a nice value."""

    op: Literal["spawn"]
    key: str
    argv: list[str]
    env: dict[str, str]
    cwd: NotRequired[str | None]
    make_cwd: NotRequired[bool]
    on_disconnect: OnDisconnect
    grace_s: float
    stop_signal: NotRequired[str]
    memory_limit_mb: NotRequired[int | None]
    cpu_weight: NotRequired[int | None]
    process_limit: NotRequired[int | None]
    meta: dict[str, Any]


class Stop(TypedDict):
    """Sends the program's stop signal (SIGTERM, unless `spawn` named another) once to every process of its tree, and
    after `grace_s` SIGKILL to what is left. Answered by `exited`; not at all if the key does not run. A second `stop`
    can only shorten the grace period. `because`, a word, and `detail`, for people, are returned with `exited`; those of
    the first `stop` count."""

    op: Literal["stop"]
    key: str
    grace_s: float
    because: NotRequired[str]
    detail: NotRequired[str]


class Ack(TypedDict):
    """The report with this number is in the log."""

    op: Literal["ack"]
    id: int


class Remember(TypedDict):
    """Keeps `state` for the key, for the `hello` to the next daemon. The latest message wins, and None forgets the
    state. Like `meta` it belongs to the daemon."""

    op: Literal["remember"]
    key: str
    state: Any


class RenewLease(TypedDict):
    """The heartbeat was confirmed: programs with `on_disconnect = stop` may run until shortly before this time, counted
    from when the heartbeat was *sent*. The latest message wins; a time in the past ends them now."""

    op: Literal["lease"]
    expires_boottime: float


class Leave(TypedDict):
    """The rows are released and the unit has left: the supervisor ends when the daemon exits with 0."""

    op: Literal["leave"]


Op = Ready | Alive | Probe | Spawn | Stop | Ack | Remember | RenewLease | Leave


def encode(message: Event | Op) -> bytes:
    """One line in ASCII, so that no byte can be mistaken for a line end and no character can be cut."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


class Decoder:
    """Cuts a stream of bytes into objects. A line that is not an object is reported to `complain` and skipped."""

    def __init__(self, complain: Callable[[str], None], longest_line: int = LONGEST_LINE) -> None:
        self._complain = complain
        self._longest_line = longest_line
        self._rest = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Mapping[str, Any]]:
        """The objects that are complete with `data`."""
        lines = data.split(b"\n")
        last = lines.pop()
        for line in lines:
            whole = bytes(self._rest) + line
            self._rest.clear()
            if self._skipping:
                self._skipping = False
            elif whole.strip():
                message = self._decode(whole)
                if message is not None:
                    yield message
        if self._skipping:
            return
        self._rest += last
        if len(self._rest) > self._longest_line:
            self._rest.clear()
            self._skipping = True
            self._complain(f"a line longer than {self._longest_line} bytes")

    def _decode(self, line: bytes) -> Mapping[str, Any] | None:
        try:
            message = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            self._complain(f"{str(error)[:100]}: {line[:60]!r}")
            return None
        if not isinstance(message, dict):
            self._complain(f"not an object: {line[:60]!r}")
            return None
        return message
