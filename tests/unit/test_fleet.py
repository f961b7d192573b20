"""The fold of the whole log, event by event, in the order of versions and in others."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from nodeunit.domain.event import Event
from nodeunit.domain.events import (
    DeploymentAssigned,
    DeploymentChanged,
    DeploymentClaimed,
    DeploymentCreated,
    DeploymentDeleted,
    DeploymentDisabled,
    DeploymentEnabled,
    DeploymentReleased,
    UnitCordoned,
    UnitDrained,
    UnitDraining,
    UnitDrainRequested,
    UnitJoined,
    UnitLeft,
    UnitListenerDeaf,
    UnitLost,
    UnitSupervisorDied,
    UnitUncordoned,
    Unknown,
)
from nodeunit.domain.fleet import FOLDED, DeploymentState, Fleet, UnitState
from nodeunit.domain.program_events import ProcessStarted
from nodeunit.domain.snapshot_events import AssignmentSnapshot, DeploymentSnapshot, UnitSnapshot

ONE, TWO = UUID(int=1), UUID(int=2)
T0 = datetime(2026, 1, 16, 7, 52, 50, tzinfo=UTC)
ARCHIVED = "2026-01-15T15:52:50.542+00:00"


def at(version: int) -> datetime:
    return T0 + timedelta(seconds=version)


def folded(
    *history: tuple[Any, int], deployment: UUID | None = ONE, unit: str = "", fleet: Fleet | None = None
) -> Fleet:
    """Each event with its version, which also gives its time."""
    fleet = fleet or Fleet()
    for event, version in history:
        fleet.apply(event, deployment_id=deployment, unit_address=unit, stream_version=version, recorded_at=at(version))
    return fleet


def created(name: str = "@yuants/app", enabled: bool = True, type_: str = "deployment") -> DeploymentCreated:
    return DeploymentCreated(name, "1", "", [], [], type_, enabled, "keep", "postgres")


def changed(name: str, enabled: bool = True, type_: str = "deployment") -> DeploymentChanged:
    return DeploymentChanged(["package_name"], name, "2", "", [], [], type_, enabled, "keep", "postgres")


def joined(name: str = "unit-1", policy: str = "resource_usage") -> UnitJoined:
    return UnitJoined(name, "vm", 9, None, ONE, policy, 0.25, 0.75, "^@yuants/", True, "0.1.0")


def snapshot(membership: str = "draining", cordoned: bool = True) -> UnitSnapshot:
    return UnitSnapshot(
        "a", "unit-0", "vm0", membership, 2, 3, ARCHIVED, "none", 0.1, 0.9, 1.0, 64.0, "^@s/", False, "0.0.9",
        cordoned, None, [], [],
    )  # fmt: skip


def deployment(*history: tuple[Any, int]) -> DeploymentState:
    (state,) = folded((created(), 1)).deployments() if not history else folded(*history).deployments()
    return state


def unit(*history: tuple[Any, int]) -> UnitState:
    (state,) = folded(*history, deployment=None, unit="a").units()
    return state


def test_what_was_created() -> None:
    state = deployment()
    assert state == DeploymentState(deployment_id=ONE, package_name="@yuants/app", package_version="1")
    assert state.package == "@yuants/app@1"
    state = deployment((created(enabled=False, type_="daemon"), 1))
    assert (state.enabled, state.type) == (False, "daemon")


def test_what_was_changed_whatever_the_order_of_arrival() -> None:
    history: list[tuple[Event, int]] = [
        (created(), 1),
        (changed("@yuants/b"), 2),
        (changed("@yuants/c", type_="daemon"), 3),
    ]
    for order in permutations(history):
        state = deployment(*order)
        assert (state.package, state.type) == ("@yuants/c@2", "daemon")


def test_whether_it_is_enabled_whatever_the_order_of_arrival() -> None:
    for order in permutations([(created(), 1), (DeploymentDisabled("p"), 2)]):
        assert not deployment(*order).enabled
    for order in permutations([(created(enabled=False), 1), (DeploymentDisabled("p"), 2), (DeploymentEnabled("p"), 3)]):
        assert deployment(*order).enabled
    for order in permutations([(created(), 1), (changed("b", enabled=False), 2)]):
        assert not deployment(*order).enabled


def test_the_same_version_again_changes_nothing() -> None:
    state = deployment((created(), 1), (changed("later"), 1), (DeploymentDisabled("p"), 1))
    assert (state.package_name, state.enabled) == ("@yuants/app", True)
    state = deployment((created(), 1), (DeploymentClaimed(ONE, "a"), 1), (DeploymentClaimed(ONE, "b"), 1))
    assert state.address == "a"


def test_who_holds_it_whatever_the_order_of_arrival() -> None:
    history: list[tuple[Event, int]] = [
        (DeploymentClaimed(ONE, "a"), 1),
        (DeploymentReleased(ONE, "a", "unit_lost"), 2),
        (DeploymentAssigned(ONE, "b", "postgres"), 3),
    ]
    for order in permutations(history):
        state = deployment((created(), 1), *order)
        assert (state.address, state.address_version, state.address_since) == ("b", 3, at(3))
    for order in permutations(history[:2]):
        state = deployment((created(), 1), *order)
        assert (state.address, state.address_version, state.address_since) == ("", 2, at(2))


def test_a_snapshot_says_since_when() -> None:
    archived = DeploymentSnapshot("@yuants/app", "3", "", [], [], "deployment", False, "keep", "postgres", ARCHIVED)
    state = deployment((archived, 4), (AssignmentSnapshot(ONE, "a", ARCHIVED), 7))
    assert state == DeploymentState(
        deployment_id=ONE, package_name="@yuants/app", package_version="3", enabled=False, address="a",
        address_version=7, address_since=datetime.fromisoformat(ARCHIVED),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "waits"),
    [({}, True), ({"enabled": False}, False), ({"type": "daemon"}, False), ({"address": "a"}, False)],
)
def test_what_any_unit_may_claim(fields: dict[str, Any], waits: bool) -> None:
    assert DeploymentState(deployment_id=ONE, **fields).waits is waits


def test_what_was_deleted_stays_so() -> None:
    fleet = folded((created(), 1), (DeploymentDeleted("p"), 2))
    assert fleet.deployments() == []
    folded((changed("late"), 1), (DeploymentClaimed(ONE, "a"), 1), (DeploymentEnabled("p"), 3), fleet=fleet)
    assert fleet.deployments() == []
    folded((DeploymentDeleted("p"), 2), fleet=fleet)
    assert fleet.deployments() == []
    assert folded((DeploymentDeleted("p"), 2), (created(), 1)).deployments() == []


def test_an_id_that_was_deleted_comes_back() -> None:
    fleet = folded((created(), 1), (DeploymentClaimed(ONE, "a"), 1), (DeploymentDeleted("p"), 2))
    folded((created(), 3), fleet=fleet)
    (state,) = fleet.deployments()
    assert (state.address, state.address_version) == ("a", 1)
    folded((DeploymentDeleted("p"), 4), fleet=fleet)
    assert fleet.deployments() == []


def test_a_deployment_is_there_once_its_specification_is() -> None:
    fleet = folded((DeploymentClaimed(ONE, "a"), 1), (DeploymentDisabled("p"), 2))
    assert fleet.deployments() == []
    folded((created(), 1), fleet=fleet)
    (state,) = fleet.deployments()
    assert (state.address, state.enabled, state.package) == ("a", False, "@yuants/app@1")


def test_deployments_come_by_id_and_units_by_address() -> None:
    fleet = folded((created(), 1), deployment=TWO)
    folded((created(), 1), deployment=ONE, fleet=fleet)
    assert [state.deployment_id for state in fleet.deployments()] == [ONE, TWO]
    folded((joined(), 1), deployment=None, unit="b", fleet=fleet)
    folded((joined(), 1), deployment=None, unit="a", fleet=fleet)
    assert [state.address for state in fleet.units()] == ["a", "b"]


def test_who_joined() -> None:
    assert unit((joined(), 4)) == UnitState(
        address="a", name="unit-1", host="vm", membership="present", epoch=4, version=4, since=at(4),
        policy="resource_usage", cpu_weight=0.25, memory_weight=0.75, trusted="^@yuants/", custom_command=True,
        software="0.1.0",
    )  # fmt: skip


def test_a_snapshot_of_a_unit() -> None:
    assert unit((snapshot(), 3)) == UnitState(
        address="a", name="unit-0", host="vm0", membership="draining", epoch=2, version=3,
        since=datetime.fromisoformat(ARCHIVED), policy="none", cpu_weight=0.1, memory_weight=0.9, trusted="^@s/",
        custom_command=False, software="0.0.9", cordoned=True,
    )  # fmt: skip
    assert not unit((snapshot(cordoned=False), 3)).cordoned


def test_a_later_join_counts_whatever_the_order_of_arrival() -> None:
    for order in permutations([(snapshot(), 3), (joined("new"), 4)]):
        state = unit(*order)
        assert (state.name, state.epoch, state.membership, state.software) == ("new", 4, "present", "0.1.0")
        assert (state.version, state.since) == (4, at(4))
        assert state.cordoned


@pytest.mark.parametrize(
    ("event", "membership"),
    [
        (UnitDraining(), "draining"),
        (UnitSupervisorDied(), "draining"),
        (UnitLeft(), "left"),
        (UnitLost("b", ""), "lost"),
        (UnitDrained(), "present"),
    ],
)
def test_membership(event: Event, membership: str) -> None:
    for order in permutations([(joined(), 1), (event, 2)]):
        state = unit(*order)
        assert (state.membership, state.version, state.since) == (membership, 2, at(2))
        assert state.is_there == (membership in ("present", "draining"))


@pytest.mark.parametrize(
    ("event", "cordoned"),
    [(UnitCordoned("p"), True), (UnitDrainRequested("", "p"), True), (UnitUncordoned("p"), False)],
)
def test_cordons_outlive_a_new_join(event: Event, cordoned: bool) -> None:
    before = UnitUncordoned("p") if cordoned else UnitCordoned("p")
    for order in permutations([(joined(), 1), (before, 2), (event, 3), (joined(), 4)]):
        assert unit(*order).cordoned is cordoned
    assert unit((joined(), 1), (before, 2), (event, 2)).cordoned is not cordoned


@pytest.mark.parametrize("event", [UnitListenerDeaf(3), ProcessStarted(ONE, 1, "", 1, 1), Unknown("UnitPromoted", {})])
def test_other_events_change_nothing(event: Event | Unknown) -> None:
    assert folded((event, 1), deployment=None, unit="a").units() == []
    assert folded((event, 1), unit="a").deployments() == []
    assert type(event) not in FOLDED


def test_what_has_no_unit_is_about_none() -> None:
    assert folded((joined(), 1), deployment=None, unit="").units() == []
    assert folded((created(), 1), deployment=None, unit="a").units() == []
    assert folded((joined(), 1), unit="a").units() == []


def test_what_is_folded() -> None:
    assert {DeploymentCreated, UnitSnapshot, AssignmentSnapshot, UnitDrained} <= FOLDED
    assert len(FOLDED) == 20


def test_of_two_events_with_one_version_the_first_counts() -> None:
    fleet = folded((joined("first"), 1), deployment=None, unit="a")
    fleet.apply(joined("second"), deployment_id=None, unit_address="a", stream_version=1, recorded_at=at(9))
    (state,) = fleet.units()
    assert (state.name, state.since) == ("first", at(1))
