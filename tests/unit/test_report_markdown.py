"""The Markdown of a report: nothing that a name holds breaks it, and every rule has its statement."""

from datetime import UTC, datetime
from uuid import UUID

from nodeunit.audit.invariants import SENTENCES, Invariant
from nodeunit.audit.markdown import markdown
from nodeunit.audit.report import Report, Round
from nodeunit.domain import rounds_table
from nodeunit.domain.policy import Usage
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.read.report import InsertRow, SampleRow, Server, UnitRow, invariant_text

AT = datetime(2026, 1, 16, 15, 52, 50, 542000, UTC)
ID = UUID("044142ec-6580-404f-96f9-f4695721acde")


def unit(address: str, name: str) -> UnitRow:
    return UnitRow(
        address, name, "host", "resource_usage", 0.5, 0.5, "^@yuants/", custom_command=True, software="0.1.0"
    )


def report(*units: UnitRow, rounds: list[Round] | None = None) -> Report:
    insert = InsertRow(AT, 1, "@yuants/a|b", "1", "sh", '["-c", "a | b\\nc"]', "deployment", True, "keep", "me", 1)
    return Report(
        server=Server("17.1", None, knows_commits=True, read_at=AT),
        since=None,
        until=None,
        units=list(units),
        inserts=[insert],
        split_after_first_claim=None,
        split_at_end={},
        rounds=rounds or [],
        timings=[],
        invariants=[Invariant(name, sentence, 0, []) for name, sentence in SENTENCES.items()],
        samples=[SampleRow("UnitLeft", None, AT, "unit-x", 1, "{}", 1)],
        nobody_can_run=[],
    )


def claim(usage: dict[str, Usage], reserved: dict[str, Usage] | None = None) -> Round:
    return Round(1, AT, next(iter(usage)), ID, usage, reserved or {})


def test_every_rule_has_a_sentence_and_a_statement() -> None:
    assert {f"invariant_{name}" for name in SENTENCES} == {name for name in QUERIES if name.startswith("invariant_")}
    assert all(invariant_text(name) in markdown(report(), queries=True) for name in SENTENCES)


def test_the_cells_are_those_of_the_original_report() -> None:
    text = markdown(report(unit("5DAR", "node-unit-1"), rounds=[claim({"5DAR": Usage(0.1512, 140.918)})]))
    assert "| node-unit-1 CPU/memory |" in text
    assert "| 0.15% / 140.92MB " in text
    assert "| 044142ec " in text


def test_reservations_have_columns_of_their_own_and_do_not_confuse_the_reader() -> None:
    both = {"5DAR": Usage(1, 2), "GJ93": Usage(3, 4)}
    text = markdown(
        report(unit("5DAR", "one"), unit("GJ93", "two"), rounds=[claim(both, {"GJ93": Usage(1, 64)})]),
    )
    assert "| +1.00% / +64.00MB |" in text
    (row,) = rounds_table.read(text)
    assert row.usage == {"one": Usage(1, 2), "two": Usage(3, 4)}


def test_a_unit_without_a_sample_is_missing() -> None:
    rounds = [claim({"5DAR": Usage(1, 2), "GJ93": Usage(3, 4)}), claim({"5DAR": Usage(1, 2)})]
    table = rounds_table.read(markdown(report(unit("5DAR", "one"), unit("GJ93", "two"), rounds=rounds)))
    assert [row.usage["two"] for row in table] == [Usage(3, 4), None]


def test_units_are_told_apart_whatever_they_are_called() -> None:
    units = [unit("5DARxxxxxx", "same"), unit("GJ93xxxxxx", "same"), unit("9abcxxxxxx", "a | CPU of b")]
    assert list(report(*units).labels().values()) == ["5DARxxxx", "GJ93xxxx", "9abcxxxx"]
    usage = {each.address: Usage(1, 2) for each in units}
    (row,) = rounds_table.read(markdown(report(*units, rounds=[claim(usage)])))
    assert row.claimant == "5DARxxxx"
    assert row.usage.keys() == {"5DARxxxx", "GJ93xxxx", "9abcxxxx"}


def test_what_people_wrote_cannot_break_a_table() -> None:
    lines = markdown(report()).splitlines()
    (line,) = [line for line in lines if "@yuants/a" in line]
    header = lines[lines.index(line) - 2]
    assert line.count("|") == header.count("|")
