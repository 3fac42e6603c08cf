"""The reliability diagram, drawn as SVG: it needs no script.

Source: DeGroot & Fienberg 1983; Niculescu-Mizil & Caruana 2005.
"""

from collections.abc import Sequence
from math import floor, sqrt

from ..results.classification import Bin
from .parts import percent

WIDTH, HEIGHT, LEFT, TOP, SIDE = 400, 400, 46, 12, 340
LARGEST, SMALLEST = 9, 2.5
"""Radius of the point of most texts, and the least that can be seen."""


def diagram(bins: Sequence[Bin]) -> str:
    """Promised probability to the right, kept upwards; the area of a point is its texts."""
    low = floor(10 * min(min(entry.low, entry.accuracy) for entry in bins)) / 10
    low = min(low, 0.9)

    def place(x: float, y: float) -> tuple[float, float]:
        scale = SIDE / (1 - low)
        return round(LEFT + (x - low) * scale, 1), round(TOP + (1 - y) * scale, 1)

    corners = (*place(low, low), *place(1, 1))
    diagonal = '<line class=diagonal x1="{}" y1="{}" x2="{}" y2="{}"/>'.format(*corners)
    most = max(entry.count for entry in bins)
    points = "".join(
        _gap(*place(entry.confidence, entry.accuracy), place(0, entry.confidence)[1])
        + _point(*place(entry.confidence, entry.accuracy), entry, most)
        for entry in bins
    )
    return (
        "<figure class=reliability><figcaption>Kept against promised probability</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-label="Reliability diagram">'
        f"{_axes(low)}{diagonal}{points}</svg></figure>"
    )


def _axes(low: float) -> str:
    """Grid and figures every 10 or 20 %."""
    step = 0.1 if low >= 0.4 else 0.2
    ticks = [1 - step * number for number in range(round((1 - low) / step + 0.49) + 1)]
    marks = ""
    for tick in (tick for tick in ticks if tick > low - 1e-9):
        along = (tick - low) / (1 - low) * SIDE
        x, y = round(LEFT + along, 1), round(TOP + SIDE - along, 1)
        bottom, right = TOP + SIDE, LEFT + SIDE
        marks += f'<path class=grid d="M{x} {TOP}V{bottom}M{LEFT} {y}H{right}"/>'
        marks += f'<text class=below x="{x}" y="{bottom + 18}">{100 * tick:.0f}</text>'
        marks += f'<text class=left x="{LEFT - 8}" y="{y + 4}">{100 * tick:.0f}</text>'
    return marks + f'<text class=below x="{LEFT + SIDE / 2}" y="{HEIGHT - 8}">promised, %</text>'


def _gap(x: float, y: float, promised: float) -> str:
    """From what was promised, on the diagonal, to what was kept."""
    return f'<path class=gap d="M{x} {promised}V{y}"/>'


def _point(x: float, y: float, entry: Bin, most: int) -> str:
    radius = max(SMALLEST, LARGEST * sqrt(entry.count / most)) if most else SMALLEST
    said = f"{percent(entry.confidence)} promised, {percent(entry.accuracy)} kept, "
    return (
        f'<circle cx="{x}" cy="{y}" r="{radius:.1f}"><title>{said}{entry.count:,} texts'
        "</title></circle>"
    )
