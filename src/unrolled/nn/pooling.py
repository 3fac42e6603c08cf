"""One vector for a text of any length: the last, the greatest and the mean of its states."""

import torch
from torch import Tensor

from ..ops.pool import pool
from ..settings.models import Pooling

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
        self.found: tuple[Tensor, ...] = ()

    def add(self, y: Tensor) -> None:
        """Adds the states of the next piece, `(P, B, H)`."""
        left = self.lengths - self.read  # steps inside each row from here on, or none
        self.read += len(y)
        last, greatest, total = pool(y, left)
        if self.found:
            last_before, greatest_before, total_before = self.found
            last = torch.where((left >= 1)[:, None], last, last_before)
            greatest = torch.maximum(greatest_before, greatest)
            total = total_before + total
        self.found = last, greatest, total

    def vector(self) -> Tensor:
        """The vector of each row, `(B, H)`, or `(B, 3H)` for all: last, greatest, mean."""
        last, greatest, total = self.found
        known = {"last": last, "max": greatest, "mean": total / self.lengths[:, None]}
        return torch.cat([known[part] for part in PARTS[self.kind]], 1)
