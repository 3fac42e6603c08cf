"""One vector for a text of any length: the last, the greatest and the mean of its states."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ..config import Pooling

NUM_POOLED: dict[Pooling, int] = {"last": 1, "max": 1, "mean": 1, "all": 3}


@dataclass(frozen=True)
class Pooled:
    """What was pooled of the first steps: texts are read in pieces, in constant memory.

    Steps at or after a row's length do not count.
    """

    last: Tensor  # (B, H)
    greatest: Tensor  # (B, H)
    total: Tensor  # (B, H)

    @classmethod
    def start(cls, batch_size: int, hidden_size: int) -> Self:
        """Before the first step."""
        zeros = torch.zeros(batch_size, hidden_size)
        return cls(zeros, torch.full_like(zeros, -torch.inf), zeros)

    def add(self, y: Tensor, steps_left: Tensor) -> "Pooled":
        """Adds the next piece.

        Args:
            y: States, `(P, B, H)`.
            steps_left: How many of the piece's steps are still inside each row, `(B,)`; it may be
                more than P, or negative.
        """
        y = y.float()
        steps = torch.arange(len(y))[:, None]
        outside = (steps >= steps_left)[:, :, None]
        ends = (steps_left >= 1) & (steps_left <= len(y))
        end = (steps_left - 1).clamp(0, len(y) - 1)
        last = y[end, torch.arange(y.shape[1])]
        return Pooled(
            torch.where(ends[:, None], last, self.last),
            torch.maximum(self.greatest, y.masked_fill(outside, -torch.inf).amax(0)),
            self.total + y.masked_fill(outside, 0).sum(0),
        )

    def vector(self, kind: Pooling, lengths: Tensor) -> Tensor:
        """The vector of each row, `(B, H)`, or `(B, 3H)` for all: last, greatest, mean.

        Source of all three together: Howard & Ruder 2018 (ULMFiT).
        """
        mean = self.total / lengths[:, None]
        parts = {"last": self.last, "max": self.greatest, "mean": mean}
        return torch.cat(list(parts.values()), 1) if kind == "all" else parts[kind]
