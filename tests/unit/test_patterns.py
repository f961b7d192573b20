"""Patterns of other units cannot stall this one, and what the engine cannot take is refused with the part meant."""

import re

import pytest

from nodeunit.domain.can_run import Ability, Needs, can_run
from nodeunit.errors import PatternInvalid
from nodeunit.patterns import LONGEST, PatternRefused, compiled, usable
from nodeunit.setting_values import pattern

EXPONENTIAL = ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*a){25}$", "^(([a-z])+.)+[A-Z]([a-z])+$"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", EXPONENTIAL)
def test_a_pattern_of_another_unit_takes_no_time(text: str) -> None:
    unit = Ability(trusted=text)
    for length in (24, 200, 100_000):
        assert not can_run(unit, Needs("a" * length + "!"))


@pytest.mark.parametrize(
    ("text", "part"),
    [("(?=a)b", r"\(\?= is a look-ahead"), ("(?!a)b", "look-ahead"), ("(?<=a)b", "look-behind"),
     ("(?<!a)b", "look-behind"), (r"(a)\1", r"\\1 is a back-reference"), ("[", r"missing \]"), ("a{1,5000}", "5000"),
     ("a" * (LONGEST + 1), "4097 characters"), ("(", "missing"), ("*a", r"\*")],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_the_part_that_is_meant(text: str, part: str) -> None:
    with pytest.raises(PatternRefused, match=part):
        compiled(text)
    with pytest.raises(PatternInvalid, match=r"TRUSTED_PACKAGE_REGEXP is .* not a usable"):
        pattern("TRUSTED_PACKAGE_REGEXP", text)
    assert usable(text) is None
    assert not can_run(Ability(trusted=text), Needs("a@1"))


def test_named_groups_of_javascript_are_understood() -> None:
    assert can_run(Ability(trusted=r"^@(?<scope>yuants|ours)/(?<name>[a-z-]+)@\d+"), Needs("@ours/app-portal@1.0.0"))


@pytest.mark.parametrize("text", ["^@yuants/", ".*", r"^@yuants/app-\w+@0\.2\.", "(?i)^@YUANTS/", "a|b", "", "\\."])
def test_usual_patterns_mean_what_they_meant(text: str) -> None:
    for package in ("@yuants/app-portal@0.2.26", "left-pad@1.3.0", "@other/a@1", "b@1"):
        assert can_run(Ability(trusted=text), Needs(package)) is (re.search(text, package) is not None)
