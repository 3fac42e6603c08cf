"""One LSTM layer."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops.lstm import lstm, lstm_gates
from .dropout import weight_dropout


class LSTM(nn.Module):
    """Parameters of one LSTM layer, gates i, f, g, o in rows of H.

    `weight_ih (4H, E)`, `weight_hh (4H, H)`, `bias (4H,)`. The forget gate starts open (bias 1),
    so that gradients reach back from the first step on.  Source: Jozefowicz et al. 2015.
    """

    num_states = 2
    keep_gate: tuple[str, bool] | None = ("forget", False)
    """Gate that keeps the state, and whether what it keeps is 1 minus the gate."""

    def __init__(self, input_size: int, hidden_size: int, weight_dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_dropout = weight_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(4 * hidden_size))
        for gate in range(4):
            rows = slice(gate * hidden_size, (gate + 1) * hidden_size)
            nn.init.xavier_uniform_(self.weight_ih[rows])
            nn.init.orthogonal_(self.weight_hh[rows])
        nn.init.ones_(self.bias[hidden_size : 2 * hidden_size])

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reads `x (T, B, E)` from `h, c (B, H)`; returns `y (T, B, H)` and the next state."""
        weight_hh = weight_dropout(self.weight_hh, self.weight_dropout, self.training)
        return lstm(x, h, c, self.weight_ih, weight_hh, self.bias)

    def gates(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        """Activations `(T, B, H)` of the gates for inputs `x (T, B, E)`.

        Args:
            h: State before each step, `(T, B, H)`.
        """
        inputs = F.linear(x, self.weight_ih, self.bias)
        return self.gates_of(inputs, F.linear(h, self.weight_hh))

    def gates_of(self, inputs: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """The gates from W_ih x and W_hh h with their biases, each `(..., 4H)`."""
        gates = lstm_gates(inputs + hidden)
        return dict(zip(("input", "forget", "output"), gates, strict=True))
