"""How fast a model trains: what is expected, and whether it is so."""

from collections.abc import Callable
from dataclasses import dataclass

from ..settings.training import Precision

CHANGED, SUSTAINED = 1.6, 2
"""By what factor the speed has to change, and at how many looks in a row, to be measured again."""


@dataclass(frozen=True)
class Pace:
    """The fastest way to train a model on this machine."""

    precision: Precision
    threads: int
    tokens_per_second: float
    num_parameters: int
    others: tuple[str, ...] = ()
    """What was slower, in words."""

    def __str__(self) -> str:
        chosen = f"{self.precision}, {in_threads(self.threads)}"
        return f"{chosen} ({'; '.join(self.others)})" if self.others else chosen


class PaceWatch:
    """Compares the speed of a training with what was measured, at every look at the model.

    When it has been another for several looks in a row, what is open is measured again; with every
    time that happens, it has to be another for twice as long.

    Args:
        expected: Tokens per second.
        measure: Measures what is open again.
    """

    def __init__(self, expected: float, measure: Callable[[], Pace]) -> None:
        self.expected, self._measure = expected, measure
        self._patience, self._changed = SUSTAINED, 0
        self._tokens, self._seconds = 0, 0.0

    def look(self, tokens: int, seconds: float) -> tuple[float, Pace] | None:
        """The speed since the last look and the pace that was measured; None: all is as it was.

        Args:
            tokens, seconds: Read so far, and what the updates took.
        """
        read, took = tokens - self._tokens, seconds - self._seconds
        self._tokens, self._seconds = tokens, seconds
        if not took:
            return None
        ratio = read / took / self.expected
        self._changed = self._changed + 1 if not 1 / CHANGED <= ratio <= CHANGED else 0
        if self._changed < self._patience:
            return None
        pace = self._measure()
        self.expected, self._patience, self._changed = pace.tokens_per_second, 2 * self._patience, 0
        return read / took, pace


def in_threads(number: int) -> str:
    """So many threads, in words."""
    return f"{number} thread{'s' * (number > 1)}"
