"""The gated recurrent unit: a plain loop, the compiled kernel, and torch's own layer."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from .recurrence import Recurrence, run_by_torch


def gru_reference(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
) -> tuple[Tensor, Tensor]:
    """Runs a GRU over a whole sequence, step by step from its equations.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr),  z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn)),  h_t = (1 - z) * n + z * h_{t-1}.
    Source: Cho et al. 2014; the reset gate after the product, as torch and cuDNN have it.

    Args:
        x: Inputs, `(T, B, E)`.
        h: State before the first step, `(B, H)`.
        weight_ih: `(3H, E)`; weight_hh: `(3H, H)`; bias_ih, bias_hh: `(3H,)`, gates r, z, n.

    Returns:
        y: Hidden state of every step, `(T, B, H)`.
        h: State after the last step, `(B, H)`; feed it back to continue the text.
    """
    steps = []
    for inputs in F.linear(x, weight_ih, bias_ih):
        h = gru_step(inputs, F.linear(h, weight_hh, bias_hh), h)
        steps.append(h)
    return torch.stack(steps), h


def gru_step(inputs: Tensor, hidden: Tensor, h: Tensor) -> Tensor:
    """The next h, `(B, H)`, from W_ih x + b_ih and W_hh h + b_hh, each `(B, 3H)`, and h."""
    reset, update = gru_gates(inputs, hidden)
    candidate = torch.tanh(inputs.chunk(3, -1)[2] + reset * hidden.chunk(3, -1)[2])
    return (1 - update) * candidate + update * h


def gru_gates(inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Reset and update gate, r and z, each `(..., H)`, from the same sums, each `(..., 3H)`."""
    input_r, input_z, _ = inputs.chunk(3, -1)
    hidden_r, hidden_z, _ = hidden.chunk(3, -1)
    return torch.sigmoid(input_r + hidden_r), torch.sigmoid(input_z + hidden_z)


def gru(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Runs a GRU over a whole sequence, fast; arguments and results as `gru_reference`.

    Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`; sums,
    state and weights stay in float32, and y is bfloat16.

    Args:
        batch_sizes: Given for sequences of unequal length: x and y are then `(N, ...)` as in
            `torch.nn.utils.rnn.PackedSequence`, and h the states after each one's last step.
    """
    y, h = _KERNEL(x, (h,), (weight_ih, weight_hh, bias_ih, bias_hh), batch_sizes)
    return y, h


_KERNEL = Recurrence(
    "gru",
    num_gates=3,
    by_torch=partial(run_by_torch, torch.gru),
    biases=("bias_ih", "bias_hh"),
    kept=(("gates", 3), ("candidates", 1)),
)
