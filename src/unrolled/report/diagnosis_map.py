"""The heat map of the gradient: distance back upwards, training time to the right."""

import math
from collections.abc import Sequence
from html import escape

from ..results.diagnosis import GradientLook
from .diagnosis_words import Language, marked_up, say
from .drawing import Axis, frame, svg
from .parts import section

WIDTH, HEIGHT = 1040, 444
LEFT, RIGHT, TOP, BOTTOM = 54, 1030, 34, 340
MOST_COLUMNS, MOST_ROWS = 96, 40
DECADES, LEVELS = 4, 20
"""What is below 1e-4 has the colour of nothing; so many shades lie above it."""
GROWN_DECADES, GROWN_LEVELS = 3, 6
"""Shades of a gradient that is larger than at the start."""
GONE = 0.01
UNITS = (("hours", 7200, 3600), ("minutes", 120, 60), ("seconds", 0, 1))
"""Name, from how many seconds on, and its length."""


def heat_map(history: Sequence[GradientLook], language: Language) -> str:
    """Share of the gradient by lag and training time; nothing for fewer than two looks."""
    stride = max(1, math.ceil(len(history) / MOST_COLUMNS))
    thinned = history[::-1][::stride][::-1]  # the last look is always in the picture
    looks = [look for look in thinned if len(_rows(look)) > 1]
    if len(looks) < 2 or looks[-1].seconds <= looks[0].seconds:
        return ""
    total = looks[-1].seconds
    unit, _, length = next(row for row in UNITS if total >= row[1])
    times = [look.seconds / length for look in looks]
    edges = _between(times)
    rows = [_rows(look) for look in looks]
    lags = [lag for row in rows for lag, _ in row]
    x = Axis(max(edges[0], 0), edges[-1], LEFT, RIGHT)
    y = Axis(min(lags) / math.sqrt(2), max(lags) * 1.1, BOTTOM, TOP, log=True)
    body = _cells(x, y, edges, rows) + _horizon(x, y, times, rows)
    heading = say("history", language)
    axes = frame(x, y, say(unit, language), say("tokens back", language))
    picture = svg(WIDTH, HEIGHT, heading, axes + body + _legend(language), '"plot map"')
    figure = f"<figure><div class=scroll tabindex=0>{picture}</div></figure>"
    return section(heading, marked_up("history, how", language), figure)


def _rows(look: GradientLook) -> list[tuple[int, float]]:
    """Lags about evenly spaced on a logarithmic axis, with the share of each."""
    found = [
        (lag, share)
        for lag, share in zip(look.lags, look.shares, strict=True)
        if lag > 0 and share is not None
    ]
    if not found:
        return []
    ratio = (found[-1][0] / found[0][0]) ** (1 / MOST_ROWS)
    kept = found[:1]
    for lag, share in found[1:]:
        if lag >= kept[-1][0] * ratio or lag == found[-1][0]:
            kept.append((lag, share))
    return kept


def _between(values: Sequence[float]) -> list[float]:
    """Edges of cells around values: halfway to their neighbours."""
    inner = [(a + b) / 2 for a, b in zip(values, values[1:], strict=False)]
    return [2 * values[0] - inner[0], *inner, 2 * values[-1] - inner[-1]]


def level(share: float) -> int:
    """The shade of a share: 0 (gone) to LEVELS (all), and GROWN_LEVELS more where it grew."""
    if share <= 0:
        return 0
    decades = math.log10(share)
    if decades <= 0.02:
        return max(0, min(LEVELS, round((decades / DECADES + 1) * LEVELS)))
    return LEVELS + max(1, min(GROWN_LEVELS, math.ceil(decades / GROWN_DECADES * GROWN_LEVELS)))


def _cells(
    x: Axis, y: Axis, edges: Sequence[float], columns: Sequence[Sequence[tuple[int, float]]]
) -> str:
    """One path for all cells of a shade: cells of one column and shade are one box."""
    paths: dict[int, str] = {}
    for left, right, rows in zip(edges, edges[1:], columns, strict=False):
        start, end = x.place(max(left, x.low)), x.place(right)
        lags = [math.log(lag) for lag, _ in rows]
        heights = [y.place(min(max(math.exp(e), y.low), y.high)) for e in _between(lags)]
        row = 0
        while row < len(rows):
            shade, first = level(rows[row][1]), row
            while row < len(rows) and level(rows[row][1]) == shade:
                row += 1
            box = f"M{start} {heights[first]}H{end}V{heights[row]}H{start}Z"
            paths[shade] = paths.get(shade, "") + box
    return "".join(_shaded(shade, path) for shade, path in sorted(paths.items()))


def _shaded(shade: int, path: str) -> str:
    if shade <= LEVELS:
        return f'<path class="cell c0" style="--share:{100 * shade / LEVELS:.0f}%" d="{path}"/>'
    share = 50 + 50 * (shade - LEVELS) / GROWN_LEVELS
    return f'<path class="cell c1" style="--share:{share:.0f}%" d="{path}"/>'


def _horizon(
    x: Axis, y: Axis, times: Sequence[float], columns: Sequence[Sequence[tuple[int, float]]]
) -> str:
    """A line along the lags at which 1 % is left; it breaks off where more is left at all."""
    path, drawing = "", False
    for time, rows in zip(times, columns, strict=True):
        lag = crossing(rows, GONE)
        if lag is not None:
            path += f"{'L' if drawing else 'M'}{x.place(time)} {y.place(max(lag, y.low))}"
        drawing = lag is not None
    return f'<path class=halo d="{path}"/><path class=level d="{path}"/>' if path else ""


def crossing(rows: Sequence[tuple[int, float]], share: float) -> float | None:
    """The lag at which so much is left, interpolated in logarithms; None: more at every lag."""
    before = None
    for lag, left in rows:
        if left < share:
            if before is None or left <= 0:
                return float(lag)
            part = math.log(before[1] / share) / math.log(before[1] / left)
            return before[0] * (lag / before[0]) ** part
        before = lag, left
    return None


def _legend(language: Language) -> str:
    """The shades from nothing to all, with their shares."""
    top, width = HEIGHT - 34, 16
    begin = LEFT
    boxes = ""
    for shade in range(LEVELS + GROWN_LEVELS + 1):
        left = begin + shade * width
        boxes += _shaded(shade, f"M{left} {top}h{width}v10h-{width}z")
    marks = ""
    for power in range(-DECADES, GROWN_DECADES + 1, 2):
        place = LEVELS * (power / DECADES + 1) if power <= 0 else LEVELS + GROWN_LEVELS
        power = power if power <= 0 else GROWN_DECADES
        said = f"{100 * 10.0**power:,.12g}%"
        marks += (
            f'<text class=below x="{begin + (place + 0.5) * width}" y="{top + 26}">{said}</text>'
        )
    name = say("legend", language)
    right = begin + (LEVELS + GROWN_LEVELS + 1) * width + 10
    return boxes + marks + f'<text x="{right}" y="{top + 10}">{escape(name)}</text>'
