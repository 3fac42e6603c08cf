"""The minGRU: a plain loop, the compiled kernel, and torch's products before a scan."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .recurrence import Recurrence
from .scan import scan


def min_gru_reference(x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a minGRU over a whole sequence, step by step from its equations.

    z = sigmoid(W_z x_t + b_z),  h_t = (1 - z) * h_{t-1} + z * (W_n x_t + b_n).
    Source: Feng et al. 2024 (arXiv 2410.01201).

    Args:
        x: Inputs, `(T, B, E)`.
        h: State before the first step, `(B, H)`.
        weight: `(2H, E)`; bias: `(2H,)`, gate z before the candidate.

    Returns:
        y: State of every step, `(T, B, H)`.
        h: State after the last step, `(B, H)`; feed it back to continue the text.
    """
    steps = []
    for sums in F.linear(x, weight, bias):
        update, candidate = sums.chunk(2, -1)
        z = torch.sigmoid(update)
        h = (1 - z) * h + z * candidate
        steps.append(h)
    return torch.stack(steps), h


def min_gru(x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a minGRU over a whole sequence, fast; arguments and results as `min_gru_reference`.

    Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`, and so is
    y; the state and the weights stay in float32.

    Raises:
        ShapeError: the arguments do not belong together.
    """
    y, h = _KERNEL(x, (h,), (weight, bias))
    return y, h


def _by_torch(
    x: Tensor, states: tuple[Tensor, ...], parameters: tuple[Tensor, ...], _: None
) -> tuple[Tensor, ...]:
    """By torch's product before a scan: where the kernel does not run, or is the slower one."""
    (h,), (weight, bias) = states, parameters
    sums = F.linear(x.to(weight.dtype), weight, bias)
    update, candidate = sums.to(h.dtype).chunk(2, -1)
    z = torch.sigmoid(update)
    y, h = scan(1 - z, z * candidate, h)
    return y.to(sums.dtype), h


_KERNEL = Recurrence(
    "min_gru",
    num_gates=2,
    by_torch=_by_torch,
    weights=("weight",),
    kept=(("sums", 2),),
    any_lengths=False,
)
