"""One vector for a text of any length: the last, the greatest and the mean of its states."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import Pooling

PARTS: dict[Pooling, tuple[str, ...]] = {
    "last": ("last",),
    "max": ("max",),
    "mean": ("mean",),
    "all": ("last", "max", "mean"),
}


class Pool:
    """Gathers states `(T, B, H)` that come in pieces: texts are read in constant memory.

    Steps at or after a row's length do not count. Source of all three together: Howard & Ruder 2018
    (ULMFiT).
    """

    def __init__(self, kind: Pooling, lengths: Tensor) -> None:
        """Takes the lengths of the rows, `(B,)`, each 1 or more."""
        self.kind, self.lengths = kind, lengths
        self.read = 0
        self.last: Tensor | None = None
        self.greatest: Tensor | None = None
        self.total: Tensor | None = None

    def add(self, y: Tensor) -> None:
        """Adds the states of the next piece, `(P, B, H)`."""
        y = y.float()
        left = self.lengths - self.read  # steps inside each row from here on, or none
        outside = (torch.arange(len(y))[:, None] >= left)[:, :, None]
        parts = PARTS[self.kind]
        if "last" in parts:
            ends = ((left >= 1) & (left <= len(y)))[:, None]
            last = y[(left - 1).clamp(0, len(y) - 1), torch.arange(y.shape[1])]
            self.last = last if self.last is None else torch.where(ends, last, self.last)
        if "max" in parts:
            greatest = y.masked_fill(outside, -torch.inf).amax(0)
            before = self.greatest
            self.greatest = greatest if before is None else torch.maximum(before, greatest)
        if "mean" in parts:
            total = y.masked_fill(outside, 0).sum(0)
            self.total = total if self.total is None else self.total + total
        self.read += len(y)

    def vector(self) -> Tensor:
        """The vector of each row, `(B, H)`, or `(B, 3H)` for all: last, greatest, mean."""
        mean = None if self.total is None else self.total / self.lengths[:, None]
        found: Sequence[Tensor | None] = (self.last, self.greatest, mean)
        return torch.cat([part for part in found if part is not None], 1)
