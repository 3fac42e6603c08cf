"""Where the names in a chart stand: beside their points, and not on top of each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any, TypeAlias

Layer: TypeAlias = dict[str, Any]
"""A part of a Vega-Lite specification: whatever Vega-Lite takes."""
LABEL_WIDTH, LABEL_HEIGHT, ROOM = 7.5, 17, (420, 240)
"""Of a letter and a line of text, and of the picture inside of its axes, about, in pixels."""


@dataclass
class _Box:
    """Where a label stands, in pixels from the lower left corner."""

    label: Layer
    y: float
    left: float
    right: float

    def is_beside(self, other: "_Box") -> bool:
        return self.right <= other.left or other.right <= self.left


def apart(labels: Sequence[Layer], frame: Mapping[str, Layer]) -> list[Layer]:
    """Moves labels up and down until none covers another, and none leaves the picture.

    Args:
        labels: Marks of a chart with their name `n` and their place `x`, `y`.
        frame: Encoding of x and y, with the type and the domain of their scales.
    """
    (width, height), scale = ROOM, frame["y"]["scale"]
    boxes = []
    for label in labels:
        left = width * _share(label["x"], frame["x"]["scale"])
        y = min(height, height * _share(label["y"], scale))
        letters = sum(1 + (letter > "\u2e80") for letter in label["n"])
        boxes.append(_Box(label, y, left, left + LABEL_WIDTH * letters))
    boxes.sort(key=lambda box: -box.y)
    for place, box in enumerate(boxes):  # downwards
        above = [other.y for other in boxes[:place] if not box.is_beside(other)]
        box.y = min([box.y, *(y - LABEL_HEIGHT for y in above)])
    boxes.reverse()
    for place, box in enumerate(boxes):  # and back up from the bottom
        below = [other.y for other in boxes[:place] if not box.is_beside(other)]
        box.y = max([box.y, 0.0, *(y + LABEL_HEIGHT for y in below)])
    return [box.label | {"y": _value(box.y / height, scale)} for box in boxes]


def _share(value: float, scale: Layer) -> float:
    """Where a value stands between the ends of its axis, from 0 to 1."""
    low, high = scale["domain"]
    if scale["type"] == "log":
        value, low, high = log10(value), log10(low), log10(high)
    return (value - low) / (high - low)


def _value(share: float, scale: Layer) -> float:
    """The opposite."""
    low, high = scale["domain"]
    if scale["type"] == "log":
        return float(10 ** (log10(low) + share * (log10(high) - log10(low))))
    return low + share * (high - low)
