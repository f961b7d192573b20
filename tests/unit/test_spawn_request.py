"""How a row becomes a request, at the limits of what a row may hold and beyond."""

from uuid import uuid4

import pytest

from nodeunit.daemon.spawn_request import NotRunnable, SpawnRequestBuilder
from nodeunit.domain.can_run import Ability
from nodeunit.domain.deployment import Deployment
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
