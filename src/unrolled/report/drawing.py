"""Axes of pictures that are drawn as SVG: they need no script, and print sharply."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Axis:
    """Maps values to places, linearly or logarithmically."""

    low: float
    high: float
    """Values at the ends; both above 0 on a logarithmic axis."""
    start: float
    end: float
    """Their places in the picture."""
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value stands, to a tenth; beyond the ends where it is beyond them."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Round values between the ends."""
        return _log_ticks(self.low, self.high) if self.log else _ticks(self.low, self.high)


def _ticks(low: float, high: float) -> list[float]:
    """Steps of 1, 2 or 5, five or six of them."""
    rough = (high - low) / 6
    if rough <= 0:
        return [low]
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten; between them too where there are few."""
    decades = math.log10(high / low)
    factors = (1,) if decades > 3 else (1, 3) if decades > 1.6 else (1, 2, 5)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    return [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]


def frame(x: Axis, y: Axis, x_name: str, y_name: str) -> str:
    """Grid, figures and names of both axes; y goes up from `y.start` to `y.end`."""
    left, right, bottom, top = x.start, x.end, y.start, y.end
    marks = ""
    for tick in x.ticks():
        at = x.place(tick)
        marks += f'<path class=grid d="M{at} {top}V{bottom}"/>'
        marks += f'<text class=below x="{at}" y="{bottom + 18}">{figure(tick)}</text>'
    for tick in y.ticks():
        at = y.place(tick)
        marks += f'<path class=grid d="M{left} {at}H{right}"/>'
        marks += f'<text class=left x="{left - 8}" y="{at + 4}">{figure(tick)}</text>'
    middle = (left + right) / 2
    marks += f'<text class=below x="{middle}" y="{bottom + 38}">{escape(x_name)}</text>'
    return marks + f'<text x="{left}" y="{top - 9}">{escape(y_name)}</text>'


def figure(value: float) -> str:
    """A tick's label: 0.5, 20, 1k, 3M."""
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.999:
            return f"{value / size:.3g}{prefix}"
    return f"{value:.3g}"


def svg(width: int, height: int, label: str, body: str, kind: str = "plot") -> str:
    """A picture that is as wide as its box."""
    return (
        f'<svg class={kind} viewBox="0 0 {width} {height}" role=img aria-label="{escape(label)}">'
        f"{body}</svg>"
    )


def bars(
    x: Axis, y: Axis, edges: Sequence[float], counts: Sequence[int], said: Iterable[str]
) -> str:
    """Bars of a histogram from edge to edge, each saying what it is when pointed at."""
    drawn = ""
    for low, high, count, title in zip(edges, edges[1:], counts, said, strict=False):
        if count:
            left, right, top = x.place(low) + 0.5, x.place(high) - 0.5, y.place(count)
            drawn += (
                f'<path class=mass d="M{left} {y.start}V{top}H{right:.1f}V{y.start}Z">'
                f"<title>{escape(title)}</title></path>"
            )
    return drawn
