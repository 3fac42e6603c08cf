"""Charts of what was predicted beside what is true. See charts.py for how a chart is made."""

from collections.abc import Sequence
from math import floor, inf

from .charts import (
    Axis,
    Chart,
    datum,
    layered,
    position,
    rank_colour,
    tooltips,
    xy,
)
from .labels import LABEL_WIDTH, Layer

CELL_SIZES = (8, 64, 36), (20, 40, 26), (inf, 17, 17)
"""Up to so many classes, cells are so wide and so high, in pixels; the wide ones have counts."""
LARGEST_POINT, SMALLEST_POINT = 254.0, 20.0
"""Area of the point of most texts, and the least that can be seen, in square pixels."""
AS_IT_IS: Layer = {"type": "quantitative", "scale": None}


def confusion_chart(
    title: str,
    titles: tuple[str, str, str, str],
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
    shown: Sequence[int],
) -> Chart:
    """A confusion matrix: counts by true class (rows) and predicted class (columns), `(K, K)`.

    The deeper a colour, the larger its part of the row; mistakes by the cube root of theirs, so
    that a few can be seen.

    Args:
        title: The heading.
        titles: What rows, columns, counts and parts of a row are called.
        names: Of the K classes.
        counts: All of them.
        shown: Places of the classes that are in the picture.
    """
    cells = []
    for true in shown:
        total = sum(counts[true])
        for predicted in shown:
            if count := counts[true][predicted]:
                is_wrong, part = true != predicted, count / total
                depth = 0.5 * (part ** (1 / 3) if is_wrong else part)
                cells.append({"true": names[true], "predicted": names[predicted], "count": count,
                              "part": round(part, 4), "c": int(is_wrong),
                              "depth": round(depth, 3)})  # fmt: skip
    domain = [names[place] for place in shown]
    width, height = next((width, height) for most, width, height in CELL_SIZES
                         if len(shown) <= most)  # fmt: skip
    is_upright = LABEL_WIDTH * max(map(len, domain)) > width
    axis = {"labelLimit": 150, "labelPadding": 4, "labelOverlap": False}
    top = {"orient": "top", "labelAngle": -90 if is_upright else 0, "titleAnchor": "start"}
    look: Layer = {"type": "nominal", "scale": {"domain": domain}}
    frame: dict[str, Layer] = {
        "x": look | {"title": f"{titles[0]} ↓  {titles[1]} →", "axis": axis | top},
        "y": look | {"title": None, "axis": axis},
    }
    layers = _cells(titles, has_counts=width > height)
    size = {"width": width * len(shown), "height": height * len(shown), "autosize": "pad"}
    spec = layered(title, frame, {"cells": cells}, layers) | size | {"view": {"style": "cells"}}
    return Chart(title, spec, has_own_size=True)


def _cells(titles: tuple[str, str, str, str], has_counts: bool) -> list[Layer]:
    """Cells in their colours, perhaps with their counts."""
    looks: tuple[Layer, ...] = (
        {"field": "true", "type": "nominal"},
        {"field": "predicted", "type": "nominal"},
        {"field": "count", "type": "quantitative", "format": ","},
        {"field": "part", "type": "quantitative", "format": ".1%"},
    )
    tooltip = [look | {"title": title} for look, title in zip(looks, titles, strict=True)]
    data, place = {"name": "cells"}, xy("predicted", "true") | {"tooltip": tooltip}
    fill = {"color": rank_colour(), "fillOpacity": {"field": "depth"} | AS_IT_IS}
    text = {"text": {"field": "count", "type": "quantitative", "format": ","}}
    cell: Layer = {"data": data, "mark": {"type": "rect", "style": "cell"}}
    count: Layer = {"data": data, "mark": {"type": "text", "style": "count"}}
    layers = [cell | {"encoding": place | fill}, count | {"encoding": place | text}]
    return layers if has_counts else layers[:1]


def reliability_chart(
    title: str,
    axes: tuple[Axis, Axis],
    points: Sequence[tuple[float, float, int]],
    lowest: float,
    counted: str,
) -> Chart:
    """A reliability diagram: confidence and accuracy in percent, and the diagonal.

    Args:
        title: The heading.
        axes: Confidence and accuracy.
        points: Both, and a count that the area of the point shows.
        lowest: A percentage that is in the picture, with all above it.
        counted: What is counted.

    Source: DeGroot & Fienberg 1983; Niculescu-Mizil & Caruana 2005.
    """
    low = min(90, 10 * floor(lowest / 10))
    most = max(count for *_, count in points) or 1
    data = {
        "diagonal": [datum("", None, end, end) for end in (low, 100)],
        "points": [datum("", 0, x, y, count=count,
                         area=max(SMALLEST_POINT, LARGEST_POINT * count / most))
                   for x, y, count in points],
    }  # fmt: skip
    frame = {
        "x": position(axes[0], (low, 100), axes[0].title),
        "y": position(axes[1], (low, 100), axes[1].title),
    }
    place = xy() | {"color": rank_colour()}
    area = {"size": {"field": "area"} | AS_IT_IS, "tooltip": tooltips(axes, ("count", counted))}
    diagonal: Layer = {"data": {"name": "diagonal"}, "mark": {"type": "line", "style": "level"}}
    gap: Layer = {"data": {"name": "points"}, "mark": {"type": "rule", "style": "gap"}}
    dot: Layer = {"data": {"name": "points"}, "mark": {"type": "point", "style": "dot"}}
    layers = [
        diagonal | {"encoding": place},
        gap | {"encoding": place | {"y2": {"field": "x"}}},
        dot | {"encoding": place | area},
    ]
    said = "; ".join(f"{x:.4g}, {y:.4g}" for x, y, _ in points)
    return Chart(title, layered(f"{title}: {said}", frame, data, layers))
