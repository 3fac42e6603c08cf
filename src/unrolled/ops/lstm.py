"""The long short-term memory: a plain loop, and the path that is used."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F


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
        i, f, g, o = (inputs + h @ weight_hh.T).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        steps.append(h)
    return torch.stack(steps), h, c


def lstm(
    x: Tensor, h: Tensor, c: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs an LSTM over a whole sequence, fast; arguments and results as `lstm_reference`.

    Under bfloat16 autocast it computes in float32 where `bfloat16_works()` is false.
    """
    if torch.is_autocast_enabled("cpu") and not bfloat16_works():
        with torch.autocast("cpu", enabled=False):
            return lstm(x.to(h.dtype), h, c, weight_ih, weight_hh, bias)
    zeros = torch.zeros_like(bias)
    if len(x) == 1:
        # For one step oneDNN would spend most of the time on reordering the weights.
        h, c = torch.lstm_cell(x[0], (h, c), weight_ih, weight_hh, bias, zeros)
        return h.unsqueeze(0), h, c
    weights = (weight_ih, weight_hh, bias, zeros)
    state = (h.unsqueeze(0), c.unsqueeze(0))
    y, h, c = torch.lstm(x, state, weights, True, 1, 0.0, torch.is_grad_enabled(), False, False)
    return y, h.squeeze(0), c.squeeze(0)


@cache
def bfloat16_works() -> bool:
    """Whether this processor runs torch's LSTM in bfloat16: oneDNN needs AVX-512 or AMX for it."""
    # As in training, from wherever it is called: given bfloat16 tensors in place of autocast,
    # torch would look at the processor itself and not show what oneDNN refuses.
    try:
        with torch.inference_mode(False), torch.enable_grad():
            weights = [torch.zeros(4, 1, requires_grad=True) for _ in range(2)]
            biases = [torch.zeros(4) for _ in range(2)]
            x, state = torch.zeros(2, 1, 1), torch.zeros(1, 1, 1)
            with torch.autocast("cpu", torch.bfloat16):
                y, _, _ = torch.lstm(
                    x, (state, state), weights + biases, True, 1, 0.0, True, False, False
                )
            y.float().sum().backward()
    except RuntimeError:
        return False
    return True
