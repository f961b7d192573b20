"""Usage drawn in characters, and gathered by buckets."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from nodeunit.cli.output.blocks import chart, sparkline, squeezed
from nodeunit.cli.usage import gathered
from nodeunit.store.read.usage import UsagePoint

AT = datetime(2026, 1, 16, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def point(
    minute: int, cpu: float, *, unit: str = "a", deployment_id: UUID | None = None, samples: int = 1
) -> UsagePoint:
    return UsagePoint(AT + minute * MINUTE, unit, unit, deployment_id, "", samples, cpu, cpu, cpu * 100, cpu * 100)


def test_a_sparkline_begins_at_zero_and_leaves_gaps() -> None:
    assert sparkline([0, 4, None, 8], 8) == "▁▅ █"
    assert sparkline([0, 0], 0) == "▁▁"
    assert sparkline([], 1) == ""


@pytest.mark.parametrize("count", [1, 7, 40, 41, 100, 999])
def test_many_values_are_averaged_into_few(count: int) -> None:
    values = [float(n) for n in range(count)]
    few = squeezed(values, 40)
    assert len(few) == min(count, 40)
    assert all(value is not None for value in few)
    assert few == sorted(few, key=lambda value: value or 0)
    assert squeezed([None] * count, 40) == [None] * min(count, 40)


def test_a_chart_has_its_scale() -> None:
    assert chart([1, 2, None, 4], height=2, unit="%") == ["4% │   █", "0% │▄█ █"]
    assert chart([0.0], height=2) == ["1 │", "0 │▁"]


def test_series_share_their_buckets() -> None:
    program = UUID(int=1)
    a, b, p = gathered(
        [point(0, 1), point(2, 3, samples=3), point(1, 5, unit="b"), point(2, 0.5, deployment_id=program)], MINUTE
    )
    assert (a.name, list(a.cpu)) == ("a", [1, None, 3])
    assert (b.name, list(b.cpu)) == ("b", [None, 5, None])
    assert (p.name, list(p.memory)) == (str(program), [None, None, 50])
    assert a.cpu_avg() == pytest.approx(2.5)
    assert a.memory_avg() == pytest.approx(250)
    assert gathered([], MINUTE) == []
