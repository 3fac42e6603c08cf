"""What it costs to spell out a symbol that is not in the vocabulary."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

END = 256
"""The event after a symbol's last byte."""


class Spelling:
    """Bytes drawn one by one until the end: a unigram with add-one smoothing.

    P(b) = (count(b) + 1) / (sum of counts + 257), counted over the different symbols of the
    training text. A model that predicts "unknown" and then pays `nats(symbol)` gives every text a
    probability, so bits per byte stay comparable.
    """

    def __init__(self, counts: Iterable[int]) -> None:
        self.counts = list(counts)
        """How often each byte, and last the end, occurs in the symbols, `(257,)`."""
        events = np.array(self.counts, np.float64) + 1
        self._nats: NDArray[np.float64] = -np.log(events / events.sum())

    @classmethod
    def of_symbols(cls, symbols: Iterable[str]) -> "Spelling":
        """Counts the bytes of different symbols."""
        counts, number = np.zeros(256, np.int64), 0
        for symbol in symbols:
            for byte in symbol.encode():
                counts[byte] += 1
            number += 1
        return cls([*counts.tolist(), number])

    def nats(self, symbol: str) -> float:
        """Returns -ln P(bytes of the symbol, end)."""
        return math.fsum(self._nats[[*symbol.encode(), END]])
