"""The charts: what page.js draws, as JSON beside an empty box, and how to read each."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from math import log10
from typing import Any, Literal, TypeAlias, TypedDict

from ..results.comparison import Baseline, ComparedModel
from .document import CHART
from .parts import NUM_COLOURS, section


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
AXES: tuple[tuple[Literal["seconds", "tokens"], Scale], ...] = (
    ("seconds", "linear"),
    ("tokens", "log"),
)

CURVES = """Each line is what a model costs on the validation text while it trains; the faint line
is its cost on the training text. Dashed lines are baselines and models that do not learn in steps.
A line that still falls at its end would gain from a longer budget."""

COSTS = """Lower is better in both. In the first picture right is faster, in the second left is
smaller. Where another model lies below and also on the better side, there is no reason to take
the one above it."""

POSITIONS = """What a token costs after so much text was read. A line that keeps falling belongs to
a model that still gains from distant text; where it turns flat, its memory ends."""


def learning_curves(models: Sequence[ComparedModel], baselines: Sequence[Baseline]) -> str:
    """Cost over time and over tokens; what does not learn in steps is a level."""
    curves = [(rank, model) for rank, model in enumerate(models) if len(_valid(model)) > 1]
    flat = [(rank, model) for rank, model in enumerate(models) if len(_valid(model)) <= 1]
    levels = _levels(baselines, flat)
    settled = [bits for _, model in curves for bits in _settled(model)]
    settled += [level["y"] for level in levels if level["colour"] is not None]
    charts = ""
    for axis, scale in AXES if curves else ():
        faint = [
            _series(model.name, rank, "faint", ((getattr(p, axis), p.train) for p in model.curve))
            for rank, model in curves
        ]
        lines = [
            _series(model.name, rank, "line", ((getattr(p, axis), p.valid) for p in model.curve))
            for rank, model in curves
        ]
        heading = f"Bits per byte over {axis}"
        charts += chart(heading, axis, scale, faint + lines, settled, levels)
    return section("Learning curves", CURVES, side_by_side(charts))


def costs(models: Sequence[ComparedModel]) -> str:
    """Quality against scoring speed and against file size."""
    charts = ""
    for key, heading, unit in (
        ("score_tokens_per_second", "Bits per byte against scoring speed", "tokens per second"),
        ("file_bytes", "Bits per byte against file size", "bytes"),
    ):
        points = [
            _series(model.name, rank, "points", [(getattr(model, key), model.bits_per_byte)])
            for rank, model in enumerate(models)
        ]
        charts += chart(heading, unit, "log", points, [y for line in points for y in line["y"]])
    return section("Quality against cost", COSTS, side_by_side(charts))


def positions(models: Sequence[ComparedModel]) -> str:
    """What the text before a token is worth to each model."""
    lines = [
        _series(
            model.name,
            rank,
            "line",
            ((p.position, p.bits_per_byte) for p in model.loss_by_position),
        )
        for rank, model in enumerate(models)
    ]
    late = [y for row in lines for x, y in zip(row["x"], row["y"], strict=True) if x >= 4]
    heading = "Bits per byte by position in the context"
    picture = chart(heading, "position in the context, tokens", "log", lines, late)
    return section("Loss by position in the context", POSITIONS, picture)


def _valid(model: ComparedModel) -> list[tuple[float, float]]:
    """Validation cost by seconds."""
    return [(p.seconds, p.valid) for p in model.curve if p.valid is not None]


def _settled(model: ComparedModel) -> list[float]:
    """Validation cost after the first tenth of the time: the steep start may leave the picture."""
    points = _valid(model)
    return [bits for seconds, bits in points if seconds >= 0.1 * points[-1][0]]


def _levels(
    baselines: Sequence[Baseline], flat: Sequence[tuple[int, ComparedModel]]
) -> list[Level]:
    """Everything that has a figure but no curve."""
    rows: list[tuple[str, int | None, float | None]] = [
        (row.name, None, row.bits_per_byte) for row in baselines
    ]
    for rank, model in flat:
        bits = next((bits for _, bits in _valid(model)), model.bits_per_byte)
        rows.append((model.name, rank % NUM_COLOURS, bits))
    return [{"name": name, "colour": c, "y": bits} for name, c, bits in rows if bits is not None]


def _series(
    name: str,
    rank: int,
    kind: Literal["line", "faint", "points"],
    points: Iterable[tuple[float | None, float | None]],
) -> Series:
    """Leaves out missing points, and those that a logarithmic axis has no place for."""
    shown = [(x, y) for x, y in points if x is not None and y is not None and x > 0]
    x, y = [x for x, _ in shown], [y for _, y in shown]
    return {"name": name, "colour": rank % NUM_COLOURS, "kind": kind, "x": x, "y": y}


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
