"""The charts: what page.js draws, as JSON beside an empty box, and how to read each."""

import json
from collections.abc import Sequence
from html import escape
from math import log10
from typing import Any, Literal, TypeAlias, TypedDict

from .document import CHART


class Series(TypedDict):
    """One line, or the points of one model."""

    name: str
    colour: int
    kind: Literal["line", "faint", "points"]
    x: list[float]
    y: list[float]


class Level(TypedDict):
    """One dashed horizontal line; colour None is a baseline's."""

    name: str
    colour: int | None
    y: float


class Mark(TypedDict):
    """A ring on a line, with a bar from `low` to `high` along the x axis."""

    colour: int
    x: float
    y: float
    low: float
    high: float


Scale: TypeAlias = Literal["linear", "log"]


def chart(
    heading: str,
    x: str,
    scale: Scale,
    series: Sequence[Series],
    settled: Sequence[float],
    levels: Sequence[Level] = (),
    *,
    y_scale: Scale = "linear",
    marks: Sequence[Mark] = (),
) -> str:
    """A figure whose data page.js draws; nothing where there is nothing to draw.

    Args:
        x: Label of the x axis.
        settled: Values that must be in the picture; it may cut off the rest of a line.
        levels: Those far from the picture are named below it instead.
        y_scale: On a logarithmic y axis every value, level and mark is above 0.
    """
    if not settled:
        return ""
    ends = [row["y"][-1] for row in series if row["y"]]
    frame = _frame if y_scale == "linear" else _log_frame
    low, high = frame(settled, [*ends, *(level["y"] for level in levels)])
    inside = [level for level in levels if low <= level["y"] <= high]
    shown = [row for row in series if row["x"]]
    data: dict[str, Any] = {"x": x, "scale": scale, "y": [low, high]}
    data |= {"series": shown, "levels": inside}
    if y_scale == "log":
        data["yScale"] = y_scale
    if marks:
        data["marks"] = marks
    note = _outside("Above", [level for level in levels if level["y"] > high])
    note += _outside("Below", [level for level in levels if level["y"] < low])
    return (
        f"<figure><figcaption>{heading}</figcaption>"
        f'{CHART}role=img aria-label="{heading}"></div>'
        f"<script type=application/json>{_json(data)}</script>{note}</figure>"
    )


def _outside(where: str, levels: Sequence[Level]) -> str:
    names = ", ".join(f"{row['name']} {row['y']:.3f}" for row in levels)
    return f"<small>{where} the picture: {escape(names)}.</small>" if levels else ""


def _frame(settled: Sequence[float], guests: Sequence[float]) -> tuple[float, float]:
    """The y range: all settled values, and guests no further away than half their span."""
    low, high = min(settled), max(settled)
    reach = max(0.5 * (high - low), 0.05)
    near = [y for y in guests if low - reach <= y <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    pad = max(0.08 * (high - low), 0.01)
    return round(low - pad, 6), round(high + pad, 6)


def _log_frame(settled: Sequence[float], guests: Sequence[float]) -> tuple[float, float]:
    """The same where equal distances are equal ratios."""
    low, high = _frame([log10(y) for y in settled], [log10(y) for y in guests if y > 0])
    return float(f"{10**low:.4g}"), float(f"{10**high:.4g}")


def _json(data: Any) -> str:
    """JSON that can neither end its script element nor open a comment in it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def side_by_side(charts: str) -> str:
    """Charts side by side; nothing where there are none."""
    return f"<div class=charts>{charts}</div>" if charts else ""
