"""The long short-term memory: a plain loop, the compiled kernel, and torch's own layer."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels
from .recurrence import Recurrence, run_by_torch


def lstm_reference(
    x: Tensor, h: Tensor, c: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs an LSTM over a whole sequence, step by step from its equations.

    i, f, o = sigmoid(W_ih x_t + W_hh h_{t-1} + b),  g = tanh(same with its own rows),
    c_t = f * c_{t-1} + i * g,  h_t = o * tanh(c_t).
    Source: Hochreiter & Schmidhuber 1997; forget gate Gers et al. 2000.

    Args:
        x: Inputs, `(T, B, E)`.
        h, c: State before the first step, each `(B, H)`.
        weight_ih: `(4H, E)`; weight_hh: `(4H, H)`; bias: `(4H,)`, gates i, f, g, o.

    Returns:
        y: Hidden state of every step, `(T, B, H)`.
        h, c: State after the last step, each `(B, H)`; feed them back to continue the text.
    """
    steps = []
    for inputs in F.linear(x, weight_ih, bias):
        h, c = lstm_step(inputs, h @ weight_hh.T, c)
        steps.append(h)
    return torch.stack(steps), h, c


def lstm_step(
    inputs: Tensor, hidden: Tensor, c: Tensor, normalize: Callable[[Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The next h and c, each `(B, H)`, from W_ih x + b and W_hh h, each `(B, 4H)`, and c.

    Args:
        normalize: Given, it is applied to c where the output looks at it.
    """
    sums = inputs + hidden
    i, f, o = lstm_gates(sums)
    c = f * c + i * torch.tanh(sums.chunk(4, -1)[2])
    return o * torch.tanh(c if normalize is None else normalize(c)), c


def lstm_gates(sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Input, forget and output gate, each `(..., H)`, from W_ih x + W_hh h + b, `(..., 4H)`."""
    i, f, _, o = sums.chunk(4, -1)
    return torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)


def lstm(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs an LSTM over a whole sequence, fast; arguments and results as `lstm_reference`.

    Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`; sums,
    cell state and weights stay in float32, and y is bfloat16.

    Args:
        batch_sizes: Given for sequences of unequal length: x and y are then `(N, ...)` as in
            `torch.nn.utils.rnn.PackedSequence`, and h, c the states after each one's last step.
    """
    y, h, c = _KERNEL(x, (h, c), (weight_ih, weight_hh, bias), batch_sizes)
    return y, h, c


def _by_torch(
    x: Tensor,
    states: tuple[Tensor, ...],
    parameters: tuple[Tensor, ...],
    batch_sizes: Tensor | None,
) -> tuple[Tensor, ...]:
    # oneDNN's bfloat16 LSTM is refused by processors without the instructions.
    bfloat16 = torch.is_autocast_enabled("cpu") and kernels.torch_is_faster()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        x = x if bfloat16 else x.to(parameters[0].dtype)
        return run_by_torch(torch.lstm, x, states, parameters, batch_sizes)


_KERNEL = Recurrence(
    "lstm",
    num_gates=4,
    by_torch=_by_torch,
    states=("h", "c"),
    kept=(("gates", 4), ("cells", 1)),
)
