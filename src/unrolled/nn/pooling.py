"""One vector for a text of any length: the last, the greatest and the mean of its states."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
        parts = PARTS[self.kind]
        if "last" in parts:
            ends = ((left >= 1) & (left <= len(y)))[:, None]
            last = y[(left - 1).clamp(0, len(y) - 1), torch.arange(y.shape[1])]
            self.last = last if self.last is None else torch.where(ends, last, self.last)
        if parts != ("last",):
            inside = torch.arange(len(y))[:, None] < left
            greatest, total = _GreatestAndSum.apply(y, inside)
            before = self.greatest
            self.greatest = greatest if before is None else torch.maximum(before, greatest)
            self.total = total if self.total is None else self.total + total
        self.read += len(y)

    def vector(self) -> Tensor:
        """The vector of each row, `(B, H)`, or `(B, 3H)` for all: last, greatest, mean."""
        mean = None if self.total is None else self.total / self.lengths[:, None]
        known = {"last": self.last, "max": self.greatest, "mean": mean}
        found = [known[part] for part in PARTS[self.kind]]
        return torch.cat([part for part in found if part is not None], 1)


class _GreatestAndSum(torch.autograd.Function):
    """Of states `(P, B, H)`, over the steps that are inside each row, `(P, B)`.

    The gradient of the greatest goes to the first of equal states. With torch's own functions each
    way would take several copies of all states.
    """

    @staticmethod
    def forward(ctx: Any, y: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        outside = ~inside[:, :, None]
        y = y.masked_fill(outside, -torch.inf)
        greatest, places = y.max(0)
        ctx.save_for_backward(inside, places)
        return greatest, y.masked_fill_(outside, 0).sum(0)

    @staticmethod
    @once_differentiable
    def backward(  # pyrefly: ignore[bad-override]  the decorator hides the signature
        ctx: Any, grad_greatest: Tensor, grad_sum: Tensor
    ) -> tuple[Tensor, None]:
        inside, places = ctx.saved_tensors
        grad = inside[:, :, None] * grad_sum
        return grad.scatter_add_(0, places[None], grad_greatest[None]), None
