"""How sure a figure is: an interval, and the bootstrap that gives it."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..system.records import Record

COVERED = 0.95
"""Part of the resamples that lies inside."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Interval(Record):
    """The 95 % interval of a figure.

    An end that is None lies beyond all that was measured, as does the number of steps after which
    something happens that does not happen as far as one looks.
    """

    low: float | None
    high: float | None

    @classmethod
    def of(cls, figures: Iterable[float | None]) -> Self:
        """From the figures of all resamples, by percentiles (Efron 1979).

        Args:
            figures: At least one; None, and what is not finite, counts as greater than all numbers.
        """
        known = [math.inf if one is None or not math.isfinite(one) else one for one in figures]
        ordered = sorted(known)
        # Ends are figures that occurred: between a number and infinity there is no mean.
        outside = (1 - COVERED) / 2 * (len(ordered) - 1)
        ends = ordered[math.floor(outside)], ordered[math.ceil(len(ordered) - 1 - outside)]
        low, high = (float(end) if math.isfinite(end) else None for end in ends)
        return cls(low, high)


def resamples(number: int, seed: int = 0) -> Iterator[NDArray[np.intp]]:
    """How often each of so many things is drawn, `(number,)`, in each of `RESAMPLES` resamples."""
    generator = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        yield np.bincount(generator.integers(0, number, number), minlength=number)


def bootstrap(
    number: int, figure: Callable[[NDArray[np.intp]], float | None], seed: int = 0
) -> Interval:
    """The interval of a figure over the choice of the things that it was measured on.

    Args:
        number: Things that are drawn with replacement: places in a text, documents, seeds. What
            belongs together, as a document under two models, is one thing.
        figure: Of how often each thing was drawn, `(number,)`: for a mean of `costs (number,)`,
            `lambda drawn: drawn @ costs / drawn.sum()`. None: beyond all that was measured.
        seed: The same seed gives the same interval.
    """
    return Interval.of(figure(drawn) for drawn in resamples(number, seed))
