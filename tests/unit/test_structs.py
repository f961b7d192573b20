"""Values of the domain do not change, take their fields as declared, and have the defaults that the log counts on."""

import importlib
import inspect
import pkgutil
from typing import Any
from uuid import UUID

import msgspec
import pytest

from nodeunit import domain
from nodeunit.domain.claim_round import Decision, RoundInputs
from nodeunit.domain.deployment import Assignment, Deployment
from nodeunit.domain.event import Event
from nodeunit.domain.events import DeploymentClaimRound, UnitJoined
from nodeunit.domain.finding import Examination, Finding
from nodeunit.domain.fleet import DeploymentState, UnitState
from nodeunit.domain.policy import NOTHING, Candidate, Policy, UnitView, Usage, Weights
from nodeunit.domain.program_log import LogQuery, LogRequest
from nodeunit.domain.program_options import ProgramOptions
from nodeunit.domain.restart import RestartRule, RestartState
from nodeunit.domain.rounds_table import TableRow
from nodeunit.domain.row_state import DeploymentRow, Program
from nodeunit.domain.specification import Specification
from nodeunit.domain.verdict import Verdict
from nodeunit.domain.what_if import PolicyOverride

MODULES = [importlib.import_module(f"nodeunit.domain.{found.name}") for found in pkgutil.iter_modules(domain.__path__)]
STRUCTS = [
    kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
]
MUTABLE = {DeploymentState, Examination, UnitState}
"""The fold of the whole log changes them in place, and an examination grows."""
BY_NAME_ONLY = {
    Examination,
    Finding,
    Candidate,
    Decision,
    Deployment,
    DeploymentRow,
    DeploymentState,
    LogQuery,
    LogRequest,
    Program,
    ProgramOptions,
    Specification,
    UnitState,
    UnitView,
    Verdict,
}
ID = UUID(int=1)


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_structs_are_frozen_and_take_their_fields_as_declared(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen == (kind not in MUTABLE)
    parameters = inspect.signature(kind).parameters.values()
    if kind in BY_NAME_ONLY:
        assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    else:
        assert inspect.Parameter.KEYWORD_ONLY not in {parameter.kind for parameter in parameters}


def test_every_struct_of_the_domain_is_looked_at() -> None:
    assert {Event, RoundInputs, Usage, TableRow, PolicyOverride, *MUTABLE, *BY_NAME_ONLY} <= set(STRUCTS)
    assert len(STRUCTS) > 40


def test_frozen_is_what_it_says() -> None:
    with pytest.raises(AttributeError):
        Usage(1, 2).cpu_percent = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (
            UnitView(address="a", policy="none", trusted="^"),
            {
                "address": "a", "policy": "none", "cpu_weight": 0.5, "memory_weight": 0.5, "trusted": "^",
                "custom_command": False, "runtimes": (), "secrets": (),
                "deployment_count": 0, "measured": None, "reserved": NOTHING,
            },
        ),
        (
            Candidate(id=ID, version=3),
            {"id": ID, "version": 3, "holder": "", "package_name": "", "package_version": "", "has_command": False,
             "runtime": "", "secrets": ()},
        ),
        (
            DeploymentState(deployment_id=ID),
            {
                "deployment_id": ID, "package_name": "", "package_version": "", "type": "deployment", "enabled": True,
                "address": "", "address_version": 0, "address_since": None,
            },
        ),
        (
            UnitState(address="a"),
            {
                "address": "a", "name": "", "host": "", "membership": "present", "epoch": 0, "version": 0,
                "since": None, "policy": "deployment_count", "cpu_weight": 0.5, "memory_weight": 0.5, "trusted": "",
                "custom_command": False, "runtimes": (), "secrets": (), "software": "", "cordoned": False,
            },
        ),
        (
            DeploymentClaimRound("test", "none", 0.5, 0.5, [], []),
            {
                "wake_up": "test", "policy": "none", "cpu_weight": 0.5, "memory_weight": 0.5, "units": [],
                "candidates": [], "units_left_out": 0, "candidates_left_out": 0, "outcome": "",
                "deployment_id": msgspec.UNSET,
            },
        ),
        (
            RoundInputs((), ()),
            {"units": (), "candidates": (), "units_left_out": 0, "candidates_left_out": 0},
        ),
        (
            Verdict(address="a", name="n", verdict="tie", policy="none", because="so"),
            {
                "address": "a", "name": "n", "verdict": "tie", "policy": "none", "value": None, "to_beat": None,
                "because": "so",
            },
        ),
        (PolicyOverride(), {"policy": None, "cpu_weight": None, "memory_weight": None}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_defaults(value: msgspec.Struct, fields: dict[str, Any]) -> None:
    assert msgspec.structs.asdict(value) == fields


def test_defaults_of_the_rest() -> None:
    decision = Decision(outcome="claim", recorded=RoundInputs((), ()))
    assert (decision.reason, decision.candidate, decision.eligibility) == ("", None, None)
    assert (decision.attempt, decision.skipped) == (None, None)
    joined = UnitJoined("n", "h", 1, None, ID, "none", 0.5, 0.5, "^", False, "0.1.0")
    assert (joined.reserved_cpu_percent, joined.reserved_memory_mb) == (0, 0)
    assert TableRow(1, "", "a", "d", {}).reserved == {}
    assert (Assignment(), RestartState(), Weights()) == (("", 0), (0,), (0.5, 0.5))
    assert RestartRule() == (0.5, 2, 300, 0.2, 60, 5)
    assert Policy("none") == ("none", (0.5, 0.5))
    assert Usage(0, 0) == NOTHING


def test_usage_adds_up() -> None:
    assert Usage(1, 2) + Usage(3, 5) == Usage(4, 7)
