"""The clock of a training: it stands while the training waits for its turn."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..system.machine import num_cores, others_processor_seconds


class Clock:
    """Counts the seconds of a training, and the processor time that others took meanwhile.

    Args:
        seconds: What it has taken already.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.set(seconds)

    def set(self, seconds: float, available: float = 0.0, others: float = 0.0) -> None:
        """Goes on from so many seconds, and so many of all processors and of others."""
        self._available, self._others = available, others
        self._restart(seconds)

    def _restart(self, seconds: float) -> None:
        self._began, self._others_then = time.monotonic(), others_processor_seconds()
        self._start = self._began - seconds

    @property
    def seconds(self) -> float:
        """Counted so far."""
        return time.monotonic() - self._start

    def processors(self) -> tuple[float, float]:
        """Processor seconds that there were since the clock was made, and what others took."""
        available = num_cores() * (time.monotonic() - self._began)
        others = others_processor_seconds() - self._others_then
        return self._available + available, self._others + max(0.0, min(others, available))

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Counts nothing for a while."""
        seconds = self.seconds
        self._available, self._others = self.processors()
        try:
            yield
        finally:
            self._restart(seconds)
