"""The gated recurrent unit: a plain loop, and the path that is used."""

import torch
from torch import Tensor
from torch.nn import functional as F


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
        input_r, input_z, input_n = inputs.chunk(3, -1)
        hidden_r, hidden_z, hidden_n = F.linear(h, weight_hh, bias_hh).chunk(3, -1)
        reset = torch.sigmoid(input_r + hidden_r)
        update = torch.sigmoid(input_z + hidden_z)
        candidate = torch.tanh(input_n + reset * hidden_n)
        h = (1 - update) * candidate + update * h
        steps.append(h)
    return torch.stack(steps), h


def gru(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
) -> tuple[Tensor, Tensor]:
    """Runs a GRU over a whole sequence, fast; arguments and results as `gru_reference`."""
    weights = (weight_ih, weight_hh, bias_ih, bias_hh)
    train = torch.is_grad_enabled()
    y, h = torch.gru(x, h.unsqueeze(0), weights, True, 1, 0.0, train, False, False)
    return y, h.squeeze(0)
