"""The Elman recurrence: a plain loop, the compiled kernel, and torch's own layer."""

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ConfigError
from .recurrence import Recurrence, run_by_torch

Nonlinearity: TypeAlias = Literal["tanh", "relu"]


def elman_reference(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    nonlinearity: Nonlinearity = "tanh",
) -> tuple[Tensor, Tensor]:
    """Runs an Elman RNN over a whole sequence, step by step from its equation.

    h_t = tanh(W_ih x_t + W_hh h_{t-1} + b), or relu in place of tanh.  Source: Elman 1990.

    Args:
        x: Inputs, `(T, B, E)`.
        h: State before the first step, `(B, H)`.
        weight_ih: `(H, E)`; weight_hh: `(H, H)`; bias: `(H,)`.

    Returns:
        y: Hidden state of every step, `(T, B, H)`.
        h: State after the last step, `(B, H)`; feed it back to continue the text.
    """
    steps = []
    for inputs in F.linear(x, weight_ih, bias):
        h = elman_step(inputs, h @ weight_hh.T, nonlinearity)
        steps.append(h)
    return torch.stack(steps), h


def elman_step(inputs: Tensor, hidden: Tensor, nonlinearity: Nonlinearity = "tanh") -> Tensor:
    """The next h, `(B, H)`, from W_ih x + b and W_hh h, each `(B, H)`."""
    activate = {"tanh": torch.tanh, "relu": torch.relu}[nonlinearity]
    return activate(inputs + hidden)


def elman(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    nonlinearity: Nonlinearity = "tanh",
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Runs an Elman RNN over a whole sequence, fast; arguments and results as `elman_reference`.

    Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`; sums
    and weights stay in float32, and y is bfloat16.

    Args:
        batch_sizes: Given for sequences of unequal length: x and y are then `(N, ...)` as in
            `torch.nn.utils.rnn.PackedSequence`, and h the states after each one's last step.
    """
    if nonlinearity not in get_args(Nonlinearity):
        raise ConfigError("nonlinearity", "tanh or relu", nonlinearity, "Choose one of them.")
    y, h = _KERNEL(x, (h,), (weight_ih, weight_hh, bias), batch_sizes, nonlinearity == "relu")
    return y, h


def _by_torch(
    x: Tensor,
    states: tuple[Tensor, ...],
    parameters: tuple[Tensor, ...],
    batch_sizes: Tensor | None,
    relu: bool,
) -> tuple[Tensor, ...]:
    run = torch.rnn_relu if relu else torch.rnn_tanh
    return run_by_torch(run, x, states, parameters, batch_sizes)


_KERNEL = Recurrence("elman", num_gates=1, by_torch=_by_torch, flag="relu")
