"""The charts of all pages, as Vega-Lite specifications.

A chart is declared as data: axes, lines, points. theme.json says what it looks like, and Vega draws
it: templates/page.js in a page, benchmarks/figures.py for docs/figures.

To add a chart, describe it with `line_chart`, `point_chart` or another function of this module or
of distributions.py, put the `Chart` into the context of a page, and `{{ figure(chart) }}` into its
template. A new sort of chart is one more function: it lays marks on top of each other with
`layered`. Their data stand in named data sets; colours come from the rank of what is shown
(`rank_colour`), other looks from a style of theme.json; and every mark has a tooltip (`tooltips`).

The specifications are built here and not with altair, whose import and validation take 0.7 s and
0.1 s for each chart, while a page must be written within a second. The tests validate every chart
with altair.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log10
from typing import Any, TypeAlias

from .format import is_known
from .labels import Layer, apart

NUM_COLOURS = 8
"""Of models and other things that have a rank."""
GREY = NUM_COLOURS
"""The colour of baselines, the last one of theme.json."""
HEIGHT = 300
POWER = (
    "datum.label && (datum.value < 0.00999 || datum.value > 10001) && datum.value != 0 "
    "? '10' + (datum.value < 1 ? '⁻' : '') + ({power} > 9 ? '{digits}'[floor({power} / 10)] : '') "
    "+ '{digits}'[{power} % 10] : datum.label"
).format(power="abs(round(log(datum.value) / LN10))", digits="⁰¹²³⁴⁵⁶⁷⁸⁹")
"""How an axis of many powers of ten writes them: 1, 0.01, 10⁻⁴."""
Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """A picture with its heading."""

    title: str
    spec: Layer
    """For Vega-Lite, with theme.json as its configuration."""
    note: str = ""
    """What is not in the picture."""
    has_own_size: bool = False
    """Not as wide as the page; it scrolls where it is wider."""


@dataclass(frozen=True)
class Axis:
    """What an axis shows; a logarithmic one leaves out all that is not above 0."""

    title: str
    is_log: bool = False


@dataclass(frozen=True)
class Line:
    """A line by its points `(x, y)`, or the points of one model."""

    name: str
    rank: int
    """Picks the colour."""
    points: Sequence[Point]
    is_faint: bool = False
    is_dotted: bool = False
    """Neither a faint nor a dotted line is named at its end."""

    @property
    def look(self) -> int:
        """0: full, 1: faint, 2: dotted."""
        return 2 if self.is_dotted else int(self.is_faint)


@dataclass(frozen=True)
class Level:
    """A dashed horizontal line."""

    name: str
    y: float
    rank: int | None = None
    """None: grey, a baseline."""


@dataclass(frozen=True)
class Interval:
    """A ring on a line, with a bar from `low` to `high` along the x axis."""

    name: str
    rank: int
    x: float
    y: float
    low: float
    high: float


def line(
    name: str,
    rank: int,
    points: Iterable[tuple[float | None, float | None]],
    *,
    is_faint: bool = False,
    is_dotted: bool = False,
    scale: float = 1.0,
) -> Line:
    """A line through the points that have figures; a scale of 100 makes shares percentages."""
    known = [(x, scale * y) for x, y in points if is_known(x) and is_known(y)]
    return Line(name, rank, known, is_faint, is_dotted)


def line_chart(
    title: str,
    axes: tuple[Axis, Axis],
    lines: Sequence[Line],
    settled: Sequence[float] | None = None,
    *,
    levels: Sequence[Level] = (),
    intervals: Sequence[Interval] = (),
    outside: Callable[[str], str] = str,
) -> Chart | None:
    """Lines with their names at their ends; None where there is nothing to draw.

    Args:
        title: The heading.
        axes: x and y.
        settled: Values of y that must be in the picture, which may cut off the rest of a line;
            default: all of them.
        levels: Those far from the picture are named below it instead.
        outside: Makes a note of their names and values.
    """
    lines = _drawable(lines, axes)
    if settled is None:
        settled = [y for row in lines for _, y in row.points]
    if not lines or not settled:
        return None
    ends = [row.points[-1][1] for row in lines] + [row.y for row in levels]
    bottom, top = _span(settled, ends, axes[1].is_log)
    left, right = _reach(lines, top, axes[0].is_log)
    inside = [row for row in levels if bottom <= row.y <= top]
    frame = _frame(axes, (left, right), (bottom, top))
    named = [row for row in lines if row.look == 0]
    labels = [datum(row.name, row.rank, *_end(row, bottom, top)) for row in named]
    labels += [datum(row.name, row.rank, right, row.y) for row in inside]
    data = {
        "levels": [datum(row.name, row.rank, right, row.y) for row in inside],
        "lines": [datum(row.name, row.rank, *point, s=place, f=row.look)
                  for place, row in enumerate(lines) for point in row.points],
        "dots": [datum(row.name, row.rank, *row.points[0])
                 for row in named if len(row.points) == 1],
        "intervals": [datum(row.name, row.rank, row.x, row.y, low=max(row.low, left),
                           high=min(row.high, right)) for row in intervals],
        "labels": apart(labels, frame),
    }  # fmt: skip
    layers = [_level(axes), *_line(axes), _dot(axes, "dots"), *_interval(axes), *_label()]
    said = "; ".join(f"{row.name} {row.points[-1][1]:.4g}" for row in named)
    away = ", ".join(f"{row.name} {row.y:.3f}" for row in levels if row not in inside)
    note = outside(away) if away else ""
    return Chart(title, layered(f"{title}: {said}", frame, data, layers), note)


def point_chart(title: str, axes: tuple[Axis, Axis], lines: Sequence[Line]) -> Chart | None:
    """Points with the name of their model beside them; None where there is nothing to draw."""
    lines = _drawable(lines, axes)
    if not lines:
        return None
    rows = [datum(row.name, row.rank, *point) for row in lines for point in row.points]
    xs, ys = [row["x"] for row in rows], [row["y"] for row in rows]
    frame = _frame(axes, (min(xs) / 2, max(xs) * 2), _span(ys, ys, axes[1].is_log))
    said = "; ".join(f"{row['n']} {row['x']:.4g}, {row['y']:.4g}" for row in rows)
    data = {"points": rows, "labels": apart(rows, frame)}
    return Chart(title, layered(f"{title}: {said}", frame, data, [_dot(axes, "points"), *_label()]))


def layered(
    description: str,
    frame: Mapping[str, Layer],
    data: Mapping[str, Sequence[Layer]],
    layers: Iterable[Layer],
) -> Layer:
    """A specification of layers that share both axes; a layer without data is left out.

    Args:
        description: What is said to those who cannot see it.
        frame: Encoding of x and y, see `_frame`.
    """
    shown = [layer for layer in layers if data[layer["data"]["name"]]]
    for layer in shown:
        encoding = layer["encoding"]
        layer["encoding"] = encoding | {k: frame[k] | encoding[k] for k in frame if k in encoding}
    sets = {name: rows for name, rows in data.items() if rows}
    size = {"width": "container", "height": HEIGHT}
    return {"description": description, **size, "datasets": sets, "layer": shown}


def _frame(axes: tuple[Axis, Axis], x: Point, y: Point) -> dict[str, Layer]:
    """Encoding of both positions over fixed ranges; the heading says what y is."""
    return {"x": position(axes[0], x, axes[0].title), "y": position(axes[1], y, None)}


def position(axis: Axis, domain: Point, title: str | None) -> Layer:
    """Encoding of one position over a fixed range."""
    low, high = domain
    pattern: Layer = {"format": "~s"} if high >= 1e4 else {}
    if axis.is_log and high >= 1e4 * low:
        pattern = {"format": "~g", "labelExpr": POWER} if low < 0.01 or high >= 1e9 else pattern
    scale = {"type": "log" if axis.is_log else "linear", "domain": list(domain), "nice": False}
    marks = {"tickCount": 5, **pattern}
    return {"type": "quantitative", "title": title, "scale": scale, "axis": marks}


def xy(x: str = "x", y: str = "y") -> dict[str, Layer]:
    """Where a mark stands."""
    return {"x": {"field": x}, "y": {"field": y}}


def rank_colour() -> Layer:
    """The colour of a mark's rank, see `datum`."""
    scale = {"domain": list(range(NUM_COLOURS + 1)), "range": "category"}
    return {"field": "c", "type": "nominal", "scale": scale, "legend": None}


def tooltips(axes: tuple[Axis, Axis], *more: tuple[str, str]) -> list[Layer]:
    """Figures of what is under the pointer; page.js puts its name above.

    Vega-Lite loses text in the tooltip of the nearest point.
    """
    fields = (("x", axes[0].title), ("y", axes[1].title), *more)
    look = {"type": "quantitative", "format": ",.4~g"}
    return [{"field": field, "title": title, **look} for field, title in fields]


def datum(name: str, rank: int | None, x: float, y: float, **more: float) -> Layer:
    """A mark: name, colour and place."""
    colour = GREY if rank is None else rank % NUM_COLOURS
    return {"n": name, "c": colour, "x": x, "y": y, **more}


def _level(axes: tuple[Axis, Axis]) -> Layer:
    """Dashed lines from left to right."""
    encoding = {"y": {"field": "y"}, "color": rank_colour(), "tooltip": tooltips(axes)[1:]}
    return {"data": {"name": "levels"}, "mark": {"type": "rule", "style": "level"},
            "encoding": encoding}  # fmt: skip


def _line(axes: tuple[Axis, Axis]) -> list[Layer]:
    """Lines, cut off at the edges of the picture, and the point of one that is nearest."""

    def by_kind(full: Any, faint: Any, dotted: Any) -> Layer:
        scale = {"domain": [0, 1, 2], "range": [full, faint, dotted]}
        return {"field": "f", "type": "nominal", "scale": scale, "legend": None}

    data = {"name": "lines"}
    look = {
        "opacity": by_kind(1, 0.4, 1),
        "strokeWidth": by_kind(2, 1, 1.5),
        "strokeDash": by_kind([1, 0], [1, 0], [2, 3]),
    }
    encoding = xy() | {"color": rank_colour(), "detail": {"field": "s"}, **look}
    near = {"condition": {"param": "near", "empty": False, "value": 1}, "value": 0}
    select = {"type": "point", "on": "pointerover", "nearest": True, "clear": "pointerout"}
    point = xy() | {"color": rank_colour(), "opacity": near, "tooltip": tooltips(axes)}
    return [
        {"data": data, "mark": {"type": "line", "clip": True}, "encoding": encoding},
        {
            "data": data,
            "params": [{"name": "near", "select": select}],
            "mark": {"type": "point", "style": "hover", "clip": True},
            "encoding": point,
        },
    ]


def _dot(axes: tuple[Axis, Axis], data: str) -> Layer:
    """Points."""
    encoding = xy() | {"color": rank_colour(), "tooltip": tooltips(axes)}
    mark = {"type": "point", "style": "dot"}
    return {"data": {"name": data}, "mark": mark, "encoding": encoding}


def _interval(axes: tuple[Axis, Axis]) -> list[Layer]:
    """A bar along the x axis, with a ring on it."""
    data, look = {"name": "intervals"}, {"color": rank_colour()}
    span = look | {"x": {"field": "low"}, "x2": {"field": "high"}, "y": {"field": "y"}}
    ends = [
        {"data": data, "mark": {"type": "tick", "style": "end"}, "encoding": xy(end) | look}
        for end in ("low", "high")
    ]
    tooltip = {"tooltip": tooltips(axes, ("low", "≥"), ("high", "≤"))}
    ring = {"type": "point", "style": "ring"}
    return [
        {"data": data, "mark": {"type": "rule", "style": "interval"}, "encoding": span},
        *ends,
        {"data": data, "mark": ring, "encoding": xy() | look | tooltip},
    ]


def _label() -> list[Layer]:
    """Names beside points and at the ends of lines, readable on top of other lines."""
    data, text = {"name": "labels"}, xy() | {"text": {"field": "n"}}
    return [
        {"data": data, "mark": {"type": "text", "style": ["label", "halo"]}, "encoding": text},
        {
            "data": data,
            "mark": {"type": "text", "style": "label"},
            "encoding": text | {"color": rank_colour()},
        },
    ]


def _drawable(lines: Iterable[Line], axes: tuple[Axis, Axis]) -> list[Line]:
    """Lines without the points that a logarithmic axis has no place for, if any is left."""
    shown = []
    for row in lines:
        points = [
            point
            for point in row.points
            if all(value > 0 or not axis.is_log for value, axis in zip(point, axes, strict=True))
        ]
        if points:
            shown.append(replace(row, points=points))
    return shown


def _reach(lines: Sequence[Line], top: float, is_log: bool) -> Point:
    """The x range: from 0, or on a logarithmic axis from where the first line comes into view."""
    high = max(x for row in lines for x, _ in row.points)
    if not is_log:
        return 0.0, high
    low = min((x for row in lines for x, y in row.points if y <= top), default=high)
    return low, high if high > low else low * 2


def _end(row: Line, bottom: float, top: float) -> Point:
    """The last point of a line that is in the picture."""
    seen = (point for point in reversed(row.points) if bottom <= point[1] <= top)
    return next(seen, row.points[-1])


def _span(settled: Sequence[float], guests: Sequence[float], is_log: bool) -> Point:
    """The y range: all settled values, and guests no further away than half their span.

    On a logarithmic axis equal distances are equal ratios.
    """
    if is_log:
        powers = [log10(y) for y in guests if y > 0]
        low, high = _span([log10(y) for y in settled if y > 0], powers, False)
        return float(f"{10**low:.4g}"), float(f"{10**high:.4g}")
    low, high = min(settled), max(settled)
    reach = max(0.5 * (high - low), 0.05)
    near = [y for y in guests if low - reach <= y <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    pad = max(0.08 * (high - low), 0.01)
    return round(low - pad, 6), round(high + pad, 6)
