"""One minGRU layer: a gated recurrence whose gates do not look at the state."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops.min_gru import min_gru
from .layer import Layer


class MinGRU(Layer):
    """Parameters of one minGRU layer: `weight (2H, E)`, `bias (2H,)`, gate z above candidate.

    z = sigmoid(W_z x + b_z),  h_t = (1 - z) * h_{t-1} + z * (W_h x + b_h).
    No product has to wait for a state; only a diagonal recurrence runs through time.
    Source: Feng et al. 2024 (arXiv 2410.01201).
    """

    keep_gate = ("update", True)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight = nn.Parameter(torch.empty(2 * hidden_size, input_size))
        self.bias = nn.Parameter(torch.zeros(2 * hidden_size))
        with torch.no_grad():
            for rows in self.weight.split(hidden_size):
                nn.init.xavier_uniform_(rows)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Reads `x (T, B, E)` from state `h (B, H)`; returns `y (T, B, H)` and the next state."""
        return min_gru(x, h, self.weight, self.bias)

    def gates(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        """Activations `(T, B, H)` of the gate for inputs `x (T, B, E)`; it does not look at h."""
        update, _ = F.linear(x, self.weight, self.bias).to(h.dtype).chunk(2, -1)
        return {"update": torch.sigmoid(update)}

    def set_keep_bias(self, bias: Tensor, slow_input: bool = False) -> None:
        """Sets the bias of z, which lets in: 1 - z is kept."""
        self.bias[: self.hidden_size] = -bias
