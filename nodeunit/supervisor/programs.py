"""All programs by key: starts them, asks and kills each when due, and cleans up after ended ones."""

import errno
import os
import signal
from collections.abc import Callable
from functools import partial

from nodeunit.clock import boottime
from nodeunit.process.control_groups import ControlGroups, Place
from nodeunit.process.group_limits import nice_of
from nodeunit.process.linux import be_nice, die_with_parent
from nodeunit.process.process_table import ProcessEntry, ProcessTable, kill_all, read_mark, read_outputs
from nodeunit.process.program_user import ProgramUser
from nodeunit.supervisor.child_processes import Reaper, fork_and_exec, fork_only, read_failure
from nodeunit.supervisor.guard import GuardedProgram
from nodeunit.supervisor.lease import LeaseDeadline
from nodeunit.supervisor.log_writer import LogWriter, Output
from nodeunit.supervisor.loop import Loop
from nodeunit.supervisor.program import Program
from nodeunit.supervisor.protocol import Cause, Report, RunningProgram, spawn_failed
from nodeunit.supervisor.requests import NO_REASON, SpawnRequest, StopReason
from nodeunit.supervisor.shortage import lack_of

_CHECK_AGAIN_AFTER_S = 0.02
_CHECK_AGAIN_AT_MOST_S = 0.5
_MOST_LOOKS = 3
_SPARE_DESCRIPTORS = 64
_ROOM_FOR_MORE = 16
_NEVER = float("inf")

_SAID_NOT_TO_END_AFTER_S = 2.0

LEASE_EXPIRED = "lease expired"


class Programs:
    """`report` tells the daemon what happened to a program. `publish_guard_state` is called when the lease or
    `guarded()` changes; for a program that must stop with the lease, already before it is forked."""

    def __init__(
        self,
        address: str,
        loop: Loop,
        reaper: Reaper,
        logs: LogWriter,
        groups: ControlGroups | None,
        limits: tuple[int, int],
        report: Callable[[Report], None],
        publish_guard_state: Callable[[], None],
        user: ProgramUser | None = None,
    ) -> None:
        """`user`: whose processes programs become; None: they stay this one's."""
        self._address = address
        self._loop = loop
        self._logs = logs
        self._groups = groups
        self._limits = limits
        self._report = report
        self._publish_guard_state = publish_guard_state
        self._user = user
        self._programs: dict[str, Program] = {}
        self._outputs: dict[str, Output] = {}
        self._forking: str | None = None
        self._to_ask: list[Program] = []
        self._ask_not_before = 0.0
        self._ending: dict[str, Program] = {}
        self._next_deadline = _NEVER
        self._check_at = 0.0
        self._check_not_before = 0.0
        self._check_after_s = _CHECK_AGAIN_AFTER_S
        self._reaper = reaper
        self.lease = LeaseDeadline()

    def __len__(self) -> int:
        return len(self._programs)

    def describe(self) -> list[RunningProgram]:
        """The programs whose exec has succeeded; for the others `started` or `spawn_failed` follows."""
        return [program.describe() for program in self._programs.values() if program.outcome is None]

    def guarded(self) -> tuple[GuardedProgram, ...]:
        """The programs that must stop with the lease."""
        programs = [program for program in self._programs.values() if program.on_disconnect == "stop"]
        found = [GuardedProgram(program.pid, program.start_time, program.key) for program in programs]
        if self._forking is not None:
            found.append(GuardedProgram(0, 0, self._forking))
        return tuple(found)

    def renew(self, lease: LeaseDeadline) -> None:
        self.lease = lease
        self._next_deadline = 0.0
        self._publish_guard_state()

    def refusal(self, request: SpawnRequest, now: float) -> str:
        """Why this program may not be started now; empty if it may."""
        if request.key in self._programs:
            return "already running"
        if request.on_disconnect == "stop" and not self.lease.allows(now, request.grace_s):
            return LEASE_EXPIRED
        return ""

    def spawn(self, request: SpawnRequest, now: float) -> None:
        """Starts a program. Raises OSError. Whether exec succeeds is reported later."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        place = self._groups.enter(request.key, request.limits) if self._groups else None
        try:
            if write_end > self._limits[1] - _SPARE_DESCRIPTORS:
                raise OSError(errno.EMFILE, "too many open files")
            if request.on_disconnect == "stop":
                self._forking = request.key
                self._publish_guard_state()
            spawned = fork_and_exec(
                request.argv,
                request.env,
                cwd=request.cwd,
                make_cwd=request.make_cwd,
                output=write_end,
                limits=self._limits,
                before_exec=partial(_prepare_child, os.getpid(), place, request.limits.cpu_weight),
                user=self._user,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            self._forking = None
            os.close(write_end)
            if place is not None:
                os.close(place.entrance)
        self._follow(Program(request, spawned, place.kept if place else [], now), read_end, now)

    def _follow(self, program: Program, read_end: int, now: float) -> None:
        """Keeps a forked program. Raises nothing: a program that cannot be watched is ended and reported as failed."""
        self._programs[program.key] = program
        self._reaper.expect(program.pid, lambda code, status: self._main_ended(program, code, status))
        output = self._outputs[program.key] = Output(
            read_end, program.key, program.pid, program.claim_version, self._logs
        )
        try:
            self._loop.watch(read_end, "output", lambda _: self._copy(output))
            if program.outcome is not None:
                self._loop.watch(program.outcome, "exec", lambda _: self._read_exec_outcome(program))
        except OSError as error:
            program.failure, program.lacks = f"cannot be watched: {error.strerror}", lack_of(error.errno)
            self._request_stop(program, "shutdown", now)
        self._expect_deadline(program)
        if program.on_disconnect == "stop":
            self._publish_guard_state()

    def lack(self) -> str:
        """Which resource would be short if a few more programs were started; empty if none is known to be."""
        try:
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            os.close(read_end)
            os.close(write_end)
            if write_end > self._limits[1] - _SPARE_DESCRIPTORS - _ROOM_FOR_MORE:
                return lack_of(errno.EMFILE)
            fork_only(lambda: None)
        except OSError as error:
            return lack_of(error.errno)
        return ""

    def stop(self, key: str, kill_at: float, reason: StopReason = NO_REASON) -> None:
        program = self._programs.get(key)
        if program is not None:
            self._request_stop(program, "stop", kill_at, reason)
            self._expect_deadline(program)

    def stop_all(self, cause: Cause, now: float, longest_grace_s: float) -> None:
        for program in self._programs.values():
            self._request_stop(program, cause, now + min(program.grace_s, longest_grace_s))
            self._expect_deadline(program)

    def _request_stop(self, program: Program, cause: Cause, kill_at: float, reason: StopReason = NO_REASON) -> None:
        if program.request_stop(cause, kill_at, reason):
            self._to_ask.append(program)

    def _ask(self, now: float) -> None:
        """Look at the trees before the first signal, because what has left its session and cleared its environment is
        known by its parent alone, and the signal may end that. Once for all that wait for it."""
        programs, self._to_ask = self._to_ask, []
        trees: dict[str, list[ProcessEntry]] = {}
        try:
            for _ in range(_MOST_LOOKS):
                table = ProcessTable.read()
                orphans = self._orphans(table)
                if self._groups:
                    self._add_members(orphans, table, programs)
                looked = {program.key: program.look(table, orphans) for program in programs}
                trees = {key: tree for key, (tree, _) in looked.items()}
                if not any(grown for _, grown in looked.values()):
                    break
        finally:
            for program in programs:
                if program.ended_at is None:
                    program.ask(trees.get(program.key, []))
                    self._ending[program.key] = program  # looked at again: at a signal some programs start others
            self.check_soon()
            self._ask_not_before = 2 * boottime() - now  # as in `_clean_up`

    def tick(self, now: float) -> float | None:
        """Enforces the lease and the grace periods, and cleans up after ended programs."""
        if now >= self._next_deadline:
            self._enforce_deadlines(now)
        if self._to_ask and now >= self._ask_not_before:
            self._ask(now)
        if self._ending and now >= self._check_at:
            self._clean_up(now)
        return min(
            self._next_deadline,
            self._ask_not_before if self._to_ask else _NEVER,
            self._check_at if self._ending else _NEVER,
        )

    def _enforce_deadlines(self, now: float) -> None:
        self._next_deadline = _NEVER
        for program in self._programs.values():
            if now >= program.term_at(self.lease):
                self._request_stop(program, "lease", self.lease.kill_at)
            if now >= program.kill_at(self.lease):
                self._ending[program.key] = program
                self.check_soon()
            else:
                self._expect_deadline(program)

    def _expect_deadline(self, program: Program) -> None:
        self._next_deadline = min(self._next_deadline, program.term_at(self.lease), program.kill_at(self.lease))

    def _clean_up(self, now: float) -> None:
        """Kills what is due, and finishes the programs with no living process left."""
        for program in self._ending.values():
            if now >= program.kill_at(self.lease):
                program.kill_group()
                if self._groups:
                    self._groups.kill(program.key)
        table = ProcessTable.read()
        orphans = self._orphans(table)
        for program in list(self._ending.values()):
            living = program.living(table, orphans)
            if now >= program.kill_at(self.lease):
                kill_all(living)
                if living and now >= program.kill_at(self.lease) + _SAID_NOT_TO_END_AFTER_S:
                    self._say_not_ended(program, living)
            elif program.ended_at is None and not program.stopping:
                del self._ending[program.key]  # the lease was renewed at the last moment
            elsewhere = self._groups is not None and self._groups.is_populated(program.key)
            if program.ended_at is not None and not living and not elsewhere:
                self._finish(program, now)
        # Reading all processes takes longer the more there are, so at most half of the time is spent on it.
        self._check_not_before = 2 * boottime() - now
        self._check_at = max(now + self._check_after_s, self._check_not_before)
        self._check_after_s = min(self._check_after_s * 1.5, _CHECK_AGAIN_AT_MOST_S)

    def _say_not_ended(self, program: Program, living: list[ProcessEntry]) -> None:
        """Reports once that a program outlived SIGKILL. Its key stays taken while parts of it may live."""
        if not program.said_not_to_end:
            program.said_not_to_end = True
            self._report(program.cannot_end(living))

    def not_ended(self) -> list[str]:
        """The programs that survive SIGKILL."""
        return [program.key for program in self._programs.values() if program.said_not_to_end]

    def check_soon(self) -> None:
        """A child has ended, perhaps the last of a tree."""
        self._check_at = self._check_not_before
        self._check_after_s = _CHECK_AGAIN_AFTER_S

    def _orphans(self, table: ProcessTable) -> dict[str, list[ProcessEntry]]:
        """The adopted children of the supervisor, by the key in their mark, or by the output that they still write
        to if they have cleared their environment."""
        mains = {program.pid for program in self._programs.values()}
        pipes: dict[str, str] = {}
        found: dict[str, list[ProcessEntry]] = {}
        for child in table.children(os.getpid()):
            if child.pid not in mains and child.alive:
                mark = read_mark(child.pid)
                if mark is None:
                    pipes = pipes or {output.pipe: key for key, output in self._outputs.items()}
                    keys = [pipes[name] for name in read_outputs(child.pid) if name in pipes]
                else:
                    keys = [mark.key] if mark.address == self._address else []
                for key in keys[:1]:
                    found.setdefault(key, []).append(child)
        return found

    def _add_members(
        self, orphans: dict[str, list[ProcessEntry]], table: ProcessTable, programs: list[Program]
    ) -> None:
        """Adds what is in the control groups of these programs, whatever it has hidden."""
        for program in programs:
            members = self._groups.members(program.key) if self._groups else []
            found = [entry for pid in members if (entry := table.entries.get(pid)) is not None]
            orphans.setdefault(program.key, []).extend(found)

    def _main_ended(self, program: Program, code: int, status: int) -> bool:
        self._read_exec_outcome(program)
        program.main_ended(code, status, boottime())
        self._ending[program.key] = program
        self.check_soon()
        return False

    def _read_exec_outcome(self, program: Program) -> None:
        """Handles the outcome of exec: success, or the reason of the failure."""
        if program.outcome is None:
            return
        try:
            failure = read_failure(program.outcome)
            if not program.failure and failure is not None:
                program.failure, program.lacks = failure.reason, lack_of(failure.number)
                program.failed_because = failure.because
        except BlockingIOError:
            pass  # killed before exec
        self._loop.unwatch(program.outcome)
        os.close(program.outcome)
        program.outcome = None
        if not program.failure:
            self._report(program.started())

    def _copy(self, output: Output) -> None:
        fd = output.fileno()
        if not output.copy() and not output.open:
            self._loop.unwatch(fd)

    def _finish(self, program: Program, now: float) -> None:
        """Called when the tree is dead: closes its log, reaps it, frees its key, and only then reports it."""
        output = self._outputs.pop(program.key, None)
        if output is not None:
            if output.open:
                self._loop.unwatch(output.fileno())
            output.finish(program.how_it_ended())
        del self._programs[program.key], self._ending[program.key]
        self._reaper.release(program.pid)
        if self._groups:
            program.out_of_memory = program.signal == signal.SIGKILL and self._groups.was_out_of_memory(program.key)
            self._groups.remove(program.key)
        if program.on_disconnect == "stop":
            self._publish_guard_state()
        if program.failure:
            self._report(
                spawn_failed(program.key, program.failure, program.lacks, program.meta, program.failed_because)
            )
        else:
            self._report(program.exited(now))


def _prepare_child(supervisor: int, place: Place | None, cpu_weight: int | None) -> None:
    """Runs in the child: makes it die with the supervisor, and puts it into the group before it can fork."""
    if not die_with_parent(signal.SIGKILL, supervisor):
        os._exit(127)
    if place is not None:
        try:
            os.write(place.entrance, b"0")
        except OSError:
            if place.kept:
                raise  # it would run without its limits
            # Without the group, the tree is found by parents, sessions and marks.
    if cpu_weight is not None and (place is None or "cpu" not in place.kept):
        be_nice(nice_of(cpu_weight))
