"""Subjects are measured in turn, round by round, so that whatever else the machine does meets all of them alike."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from tools.bench.figure import Figure

Measured = Mapping[str, float | Sequence[float]]
"""Values by the name of their figure."""

Subject = Callable[[], Awaitable[Measured]]


async def in_turn(
    rounds: int, subjects: Mapping[str, Subject], told: Sequence[Figure], say: Callable[[str], None]
) -> list[Figure]:
    """Measures each subject in each round, and fills the values into the figures of `told`, in their order. A figure
    that no subject measured here is left out."""
    values: dict[str, list[float]] = {}
    for number in range(1, rounds + 1):
        for name, measure in subjects.items():
            say(f"round {number} of {rounds}: {name}")
            for figure, found in (await measure()).items():
                values.setdefault(figure, []).extend([found] if isinstance(found, float | int) else found)
    unknown = values.keys() - {figure.name for figure in told}
    assert not unknown, f"measured but not told: {unknown}"
    return [
        Figure(one.name, one.unit, values[one.name], one.floor, one.is_peer) for one in told if values.get(one.name)
    ]
