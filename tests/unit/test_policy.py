"""The metrics of the policies, to the last digit, and what has none; which packages a unit may run."""

import math

import pytest

from nodeunit.domain.can_run import Ability, Needs, can_run, obstacle
from nodeunit.domain.policy import NOTHING, POLICIES, Policy, UnitView, Usage, Weights, metric, score

HALF = Weights(0.5, 0.5)


def _unit(policy: str = "resource_usage", **fields: object) -> UnitView:
    return UnitView(address="a", policy=policy, trusted="", **fields)  # type: ignore[arg-type]


def _metric(unit: UnitView) -> float | None:
    return metric(Policy.of(unit), unit)


def test_the_worked_example_of_the_report_is_exact() -> None:
    usage = Usage(0.15, 140.92)
    assert score(usage, HALF) == 0.14380859375
    assert _metric(_unit(measured=usage)) == 0.14380859375


@pytest.mark.parametrize(
    ("weights", "normalised"),
    [
        (Weights(0.5, 0.5), Weights(0.5, 0.5)),
        (Weights(3, 1), Weights(0.75, 0.25)),
        (Weights(0, 2), Weights(0, 1)),
        (Weights(0, 0), HALF),
        (Weights(math.nan, 1), HALF),
        (Weights(1, math.nan), HALF),
        (Weights(math.inf, 1), HALF),
        (Weights(1e308, 1e308), HALF),
        (Weights(-1, 2), HALF),
        (Weights(2, -1), HALF),
    ],
)
def test_weights_are_normalised(weights: Weights, normalised: Weights) -> None:
    assert weights.normalised() == normalised


def test_what_is_reserved_counts_as_used() -> None:
    unit = _unit(measured=Usage(1, 512), reserved=Usage(2, 1536))
    assert _metric(unit) == score(Usage(3, 2048), HALF) == 2.5


def test_unknown_usage_is_not_zero_usage() -> None:
    assert _metric(_unit(measured=None, reserved=Usage(1, 1))) is None
    assert _metric(_unit(measured=NOTHING)) == 0


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_usage_that_is_no_number_is_unknown(broken: float) -> None:
    assert _metric(_unit(measured=Usage(broken, 1))) is None
    assert _metric(_unit(measured=Usage(1, broken))) is None
    assert _metric(_unit(measured=NOTHING, reserved=Usage(broken, 0))) is None


def test_deployment_count_needs_no_sample() -> None:
    assert _metric(_unit("deployment_count", deployment_count=3, measured=None)) == 3


def test_the_names_of_the_policies() -> None:
    assert POLICIES == ("deployment_count", "resource_usage", "none")


@pytest.mark.parametrize("policy", ["none", "policy_of_tomorrow"])
def test_other_policies_have_no_metric(policy: str) -> None:
    assert _metric(_unit(policy, deployment_count=3, measured=NOTHING)) is None


def test_units_of_one_policy_are_those_that_weigh_alike() -> None:
    assert Policy.of(_unit(cpu_weight=1, memory_weight=1)) == Policy.of(_unit())
    assert Policy.of(_unit(cpu_weight=2, memory_weight=1)) != Policy.of(_unit())
    assert Policy.of(_unit("deployment_count", cpu_weight=2)) == Policy.of(_unit("deployment_count"))


@pytest.mark.parametrize(
    ("trusted", "package", "may"),
    [
        ("^@yuants/", "@yuants/app-portal@0.2.26", True),
        ("^@yuants/", "evil/@yuants/app@1", False),
        ("@1\\.", "anything@1.2", True),
        ("", "@", True),
        ("(", "(", False),
        ("a{99999999999}", "a", False),
    ],
)
def test_trust(trusted: str, package: str, may: bool) -> None:
    assert can_run(Ability(trusted), Needs(package)) is may
    assert obstacle(Ability(trusted), Needs(package)) == (None if may else "untrusted")


@pytest.mark.parametrize(
    ("custom_command", "has_command", "found"),
    [(False, False, None), (True, False, None), (True, True, None), (False, True, "commands_off")],
)
def test_commands(custom_command: bool, has_command: bool, found: str | None) -> None:
    assert obstacle(Ability("^@a/", custom_command), Needs("@a/b@1", has_command)) == found
    assert obstacle(Ability("^@b/", custom_command), Needs("@a/b@1", has_command)) == "untrusted"
