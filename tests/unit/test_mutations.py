"""The mutations that `make mutants` tries."""

import ast
from pathlib import Path

import pytest

from tools.mutants.mutations import mutants

DOMAIN = sorted((Path(__file__).parents[2] / "nodeunit" / "domain").glob("*.py"))

SOURCE = '''
"""A docstring stays."""

LIMIT = 3


class Point(Struct, frozen=True):
    """So does this."""

    x: int | None = None

    @property
    def is_far(self) -> bool:
        return self.x is not None and self.x > LIMIT


def total(values):
    count = 0
    for value in sorted(values):
        if value:
            count += value
    return count
'''


def test_each_mutant_changes_one_thing_and_says_which() -> None:
    found = mutants("example", SOURCE)
    assert [(mutant.line, mutant.name) for mutant in found] == [
        (4, "module: 3 -> 4"),
        (7, "Point: True -> False"),
        (13, "Point: @property def is_far -> def is_far"),
        (14, "Point.is_far: return self.x is not None and self.x > LIMIT -> return None"),
        (14, "Point.is_far: self.x is not None and self.x > LIMIT -> self.x is not None or self.x > LIMIT"),
        (14, "Point.is_far: self.x is not None and self.x > LIMIT -> self.x > LIMIT"),
        (14, "Point.is_far: self.x is not None and self.x > LIMIT -> self.x is not None"),
        (14, "Point.is_far: self.x is not None -> self.x is None"),
        (14, "Point.is_far: self.x > LIMIT -> self.x >= LIMIT"),
        (14, "Point.is_far: self.x > LIMIT -> self.x <= LIMIT"),
        (18, "total: 0 -> 1"),
        (19, "total: sorted(values) -> list(values)"),
        (20, "total: if value: -> if not value:"),
        (21, "total: count += value -> count -= value"),
        (21, "total: count += value -> pass"),
        (22, "total: return count -> return None"),
    ]
    unchanged = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in found:
        changed = ast.unparse(mutant.tree).splitlines()
        if len(changed) == len(unchanged):
            assert sum(one != other for one, other in zip(changed, unchanged, strict=True)) == 1
        else:
            assert len(changed) == len(unchanged) - 1  # a decorator
    assert ast.unparse(ast.parse(SOURCE)).splitlines() == unchanged


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.stem)
def test_every_mutant_of_the_domain_is_a_program(path: Path) -> None:
    source = path.read_text(encoding="utf8")
    found = mutants(path.stem, source)
    assert len({mutant.name for mutant in found}) == len(found)
    for mutant in found:
        compile(mutant.tree, path.name, "exec")
        assert ast.dump(mutant.tree) != ast.dump(ast.parse(source))
