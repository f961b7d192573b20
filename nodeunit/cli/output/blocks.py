"""Numbers over time, drawn in characters: one line for a table, or a chart of several lines."""

from collections.abc import Sequence

EIGHTHS = " ▁▂▃▄▅▆▇█"

Values = Sequence[float | None]
"""Values at equal intervals; None if the value is unknown."""


def sparkline(values: Values, top: float, width: int = 40) -> str:
    """One line, from 0 to `top`. A known 0 is the lowest block; an unknown value is blank."""
    return "".join(
        " " if value is None else EIGHTHS[1 + min(7, round(7 * value / top))] if top > 0 else EIGHTHS[1]
        for value in squeezed(values, width)
    )


def chart(values: Values, *, height: int = 8, width: int = 72, unit: str = "") -> list[str]:
    """Bars from 0 to the largest value, `height` lines high, with the scale at the left."""
    columns = squeezed(values, width)
    top = max((value for value in columns if value is not None), default=0.0) or 1.0
    scale = [f"{top:.3g}{unit}", f"0{unit}"]
    margin = max(map(len, scale))
    lines = []
    for line in range(height, 0, -1):
        label = scale[0] if line == height else scale[1] if line == 1 else ""
        bars = "".join(_piece(value, top, line, height) for value in columns)
        lines.append(f"{label.rjust(margin)} │{bars}".rstrip())
    return lines


def squeezed(values: Values, width: int) -> list[float | None]:
    """At most `width` values; if there are more, neighbours are averaged."""
    if len(values) <= width:
        return list(values)
    parts = [values[at * len(values) // width : (at + 1) * len(values) // width] for at in range(width)]
    known = [[value for value in part if value is not None] for part in parts]
    return [sum(part) / len(part) if part else None for part in known]


def _piece(value: float | None, top: float, line: int, height: int) -> str:
    """The part of a bar in one line, counted from 1 at the bottom."""
    if value is None:
        return " "
    eighths = max(1, round(value / top * height * 8)) - (line - 1) * 8
    return EIGHTHS[max(0, min(8, eighths))]
