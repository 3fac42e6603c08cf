"""More charts: what many figures look like together. See charts.py for how a chart is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from .charts import (
    Axis,
    Chart,
    Layer,
    Line,
    Point,
    datum,
    layered,
    position,
    rank_colour,
    tooltips,
    xy,
)

LEAST = 1e-30
"""Stands for nothing on a logarithmic scale."""


@dataclass(frozen=True)
class Histogram:
    """How many values lie from each edge to the next."""

    title: str
    rank: int
    """Picks the colour."""
    counts: Sequence[int]
    names: Sequence[str]
    """Of each interval, for its tooltip."""
    median: float


@dataclass(frozen=True)
class Tile:
    """A rectangle of a heat map."""

    x: float
    y: float
    """What it stands for."""
    width: Point
    """From left to right."""
    height: Point
    """From bottom to top."""
    value: float


@dataclass(frozen=True)
class Shades:
    """What the colours of a heat map say; they are logarithmic and go on beyond their ends."""

    title: str
    colours: str
    """Of theme.json: "heatmap", "ramp"."""
    domain: Point
    labels: Sequence[float]
    """Values that the legend names."""


def histograms(
    axes: tuple[Axis, Axis], edges: Sequence[float], rows: Sequence[Histogram]
) -> list[Chart]:
    """Bars from edge to edge and a dashed line at the median, with the same axes in all."""
    most = max(count for shown in rows for count in shown.counts)
    frame = {
        "x": position(axes[0], (edges[0], edges[-1]), axes[0].title),
        "y": position(axes[1], (0, 1.05 * most), axes[1].title),
    }
    return [_histogram(axes, edges, shown, frame) for shown in rows]


def _histogram(
    axes: tuple[Axis, Axis], edges: Sequence[float], shown: Histogram, frame: dict[str, Layer]
) -> Chart:
    bins = zip(edges, edges[1:], shown.counts, shown.names, strict=False)
    data = {
        "bars": [datum(name, shown.rank, low, count, x2=high) for low, high, count, name in bins
                 if count],
        "medians": [{"x": shown.median}],
    }  # fmt: skip
    bars = {
        "data": {"name": "bars"},
        "mark": {"type": "rect", "style": "mass"},
        "encoding": xy()
        | {"x2": {"field": "x2"}, "y2": {"datum": 0}}
        | {"color": rank_colour(), "tooltip": tooltips(axes)[1:]},
    }
    median = {
        "data": {"name": "medians"},
        "mark": {"type": "rule", "style": ["level", "ink"]},
        "encoding": {"x": {"field": "x"}, "tooltip": tooltips(axes)[:1]},
    }
    return Chart(shown.title, layered(shown.title, frame, data, [bars, median]))


def scatter(title: str, axes: tuple[Axis, Axis], groups: Sequence[Line]) -> Chart:
    """Many unnamed points of percentages, a colour for each group, and the falling diagonal."""
    frame = {
        channel: position(axis, (0, 100), axis.title)
        for channel, axis in zip("xy", axes, strict=True)
    }
    data = {
        "diagonal": [{"x": 0, "y": 100}, {"x": 100, "y": 0}],
        "points": [datum(group.name, group.rank, *point) for group in groups
                   for point in group.points],
    }  # fmt: skip
    diagonal = {
        "data": {"name": "diagonal"},
        "mark": {"type": "line", "style": ["level", "muted"]},
        "encoding": xy(),
    }
    points = {
        "data": {"name": "points"},
        "mark": {"type": "point", "style": "unit"},
        "encoding": xy() | {"color": rank_colour(), "tooltip": tooltips(axes)},
    }
    return Chart(title, layered(title, frame, data, [diagonal, points]))


def heat_map(
    title: str,
    axes: tuple[Axis, Axis],
    tiles: Sequence[tuple[Shades, Sequence[Tile]]],
    lines: Sequence[Sequence[Point]],
) -> Chart:
    """Coloured rectangles, each sort with a legend of its own, and lines on top of them."""
    every = [tile for _, part in tiles for tile in part]
    xs = [end for tile in every for end in tile.width]
    ys = [end for tile in every for end in tile.height]
    frame = {
        "x": position(axes[0], (min(xs), max(xs)), axes[0].title),
        "y": position(axes[1], (min(ys), max(ys)), None),
    }
    data = {shades.colours: [_tile(tile) for tile in part] for shades, part in tiles}
    data["lines"] = [{"x": x, "y": y, "s": n} for n, part in enumerate(lines) for x, y in part]
    layers = [_shaded(axes, shades) for shades, _ in tiles]
    for style in ("ink-halo", "ink"):
        mark = {"type": "line", "style": style, "clip": True}
        encoding = xy() | {"detail": {"field": "s"}}
        layers.append({"data": {"name": "lines"}, "mark": mark, "encoding": encoding})
    spec = layered(title, frame, data, layers) | {"resolve": {"scale": {"color": "independent"}}}
    return Chart(title, spec)


def _tile(tile: Tile) -> Layer:
    keys = ("x", "y", "v", "x1", "x2", "y1", "y2")
    values = (tile.x, tile.y, max(tile.value, LEAST), *tile.width, *tile.height)
    return {key: float(f"{value:.4g}") for key, value in zip(keys, values, strict=True)}


def _shaded(axes: tuple[Axis, Axis], shades: Shades) -> Layer:
    """Rectangles and what their colours mean."""
    look = {"type": "log", "clamp": True, "interpolate": "lab"}
    scale = {"domain": list(shades.domain), "range": shades.colours, **look}
    legend = {"values": list(shades.labels), "format": ",.12~g"}
    shade = {"field": "v", "type": "quantitative", "title": shades.title}
    edges = {"x": {"field": "x1"}, "x2": {"field": "x2"}}
    edges |= {"y": {"field": "y1"}, "y2": {"field": "y2"}}
    return {
        "data": {"name": shades.colours},
        "mark": {"type": "rect", "clip": True},
        "encoding": edges
        | {"color": shade | {"scale": scale, "legend": legend}}
        | {"tooltip": tooltips(axes, ("v", shades.title))},
    }
