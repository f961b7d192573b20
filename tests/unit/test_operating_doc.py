"""docs/operating.md says what the code does: every exit code, every format, every verb it names."""

import re
from pathlib import Path

from nodeunit import errors
from nodeunit.cli.app import VERBS
from nodeunit.cli.output.render import Format

TEXT = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    of_errors = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.NodeunitError)
    }
    listed = [int(code) for code in re.findall(r"^\| (\d+) \| ", TEXT, re.MULTILINE)]
    assert listed == sorted(set(listed))
    assert set(listed) - {0, 2, 4} == of_errors


def test_every_format_is_described() -> None:
    assert all(f"`{one.value}`" in TEXT for one in Format)


def test_every_verb_it_names_is_one() -> None:
    known = {verb.name for verb in VERBS} | {"WORD", "VERB"}
    assert set(re.findall(r"nodeunit ([A-Za-z]+)", TEXT)) <= known
