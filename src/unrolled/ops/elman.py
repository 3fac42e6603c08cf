"""The Elman recurrence: a plain loop, and the path that is used."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

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
    activate = {"tanh": torch.tanh, "relu": torch.relu}[nonlinearity]
    steps = []
    for inputs in F.linear(x, weight_ih, bias):
        h = activate(inputs + h @ weight_hh.T)
        steps.append(h)
    return torch.stack(steps), h


def elman(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    nonlinearity: Nonlinearity = "tanh",
) -> tuple[Tensor, Tensor]:
    """Runs an Elman RNN over a whole sequence, fast; arguments and results as `elman_reference`."""
    run = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}[nonlinearity]
    weights = (weight_ih, weight_hh, bias, torch.zeros_like(bias))
    y, h = run(x, h.unsqueeze(0), weights, True, 1, 0.0, torch.is_grad_enabled(), False, False)
    return y, h.squeeze(0)
