"""How a row becomes a request, at the limits of what a row may hold and beyond."""

import signal
from uuid import uuid4

import msgspec
import pytest

from nodeunit.daemon.live_program import LiveProgram, MeasuredLimits
from nodeunit.daemon.spawn_request import NotRunnable, SpawnRequestBuilder
from nodeunit.domain.can_run import Ability
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.program_options import ProgramOptions
from nodeunit.process.group_limits import NO_LIMITS, GroupLimits
from nodeunit.supervisor import requests
from nodeunit.supervisor.protocol import LONGEST_LINE, Decoder, encode

BUILDER = SpawnRequestBuilder("unit", Ability(".*", custom_command=True), grace_s=1.0)


def a_row(args: list[str], env: dict[str, str]) -> Deployment:
    return Deployment(
        id=uuid4(), package_name="a", package_version="1", command="x", args=args, env=env, type="deployment",
        address="unit", address_version=1, enabled=True, on_disconnect="keep", revision=1,
    )  # fmt: skip


def test_a_row_from_before_the_limits_is_answered() -> None:
    with pytest.raises(NotRunnable, match="command, args and env are 5000") as refused:
        BUILDER.build(a_row(["a" * 5_000_000], {}))
    assert refused.value.reason == "too_large"


def test_the_largest_row_that_the_table_takes_can_be_handed_on() -> None:
    widest = "\N{GREEK SMALL LETTER ALPHA}" * (256 * 1024 // 2)  # the most bytes of JSON for a byte of the table
    spawn = BUILDER.build(a_row([widest], {"A": widest}))
    complaints: list[str] = []
    (read,) = Decoder(complaints.append, LONGEST_LINE).feed(encode(spawn))
    assert read["argv"] == ["x", widest]
    assert complaints == []


def test_what_a_row_says_about_its_program_reaches_the_supervisor() -> None:
    row = a_row([], {})
    plain = BUILDER.build(row)
    assert (plain["grace_s"], plain["stop_signal"], plain["cwd"]) == (1.0, "TERM", "/")
    assert requests.spawn_of(plain, "unit").limits == NO_LIMITS

    options = ProgramOptions(
        cwd="/srv", stop_grace_s=3.5, stop_signal="INT", memory_limit_mb=100, cpu_weight=50, process_limit=7
    )
    spawn = BUILDER.build(msgspec.structs.replace(row, options=options))
    request = requests.spawn_of(spawn, "unit")
    assert (request.cwd, request.grace_s, request.stop_signal) == ("/srv", 3.5, signal.SIGINT)
    assert request.limits == GroupLimits(memory_mb=100, processes=7, cpu_weight=50)

    running = LiveProgram.of({"pid": 5, "start_time": 6, "meta": spawn["meta"]})
    assert running == LiveProgram((1, 1), 5, 6, 3.5, MeasuredLimits(100, 7))
