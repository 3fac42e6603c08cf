"""One GRU layer."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops.gru import gru, gru_gates
from .dropout import weight_dropout


class GRU(nn.Module):
    """Parameters of one GRU layer, gates r, z, n in rows of H.

    `weight_ih (3H, E)`, `weight_hh (3H, H)`, `bias_ih (3H,)`, `bias_hh (3H,)`. The second bias is
    not redundant: the reset gate multiplies its candidate part.
    """

    num_states = 1
    keep_gate: tuple[str, bool] | None = ("update", False)
    """Gate that keeps the state, and whether what it keeps is 1 minus the gate."""

    def __init__(self, input_size: int, hidden_size: int, weight_dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_dropout = weight_dropout
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.zeros(3 * hidden_size))
        self.bias_hh = nn.Parameter(torch.zeros(3 * hidden_size))
        for gate in range(3):
            rows = slice(gate * hidden_size, (gate + 1) * hidden_size)
            nn.init.xavier_uniform_(self.weight_ih[rows])
            nn.init.orthogonal_(self.weight_hh[rows])

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Reads `x (T, B, E)` from state `h (B, H)`; returns `y (T, B, H)` and the next state."""
        weight_hh = weight_dropout(self.weight_hh, self.weight_dropout, self.training)
        return gru(x, h, self.weight_ih, weight_hh, self.bias_ih, self.bias_hh)

    def gates(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        """Activations `(T, B, H)` of the gates for inputs `x (T, B, E)`.

        Args:
            h: State before each step, `(T, B, H)`.
        """
        inputs = F.linear(x, self.weight_ih, self.bias_ih)
        return self.gates_of(inputs, F.linear(h, self.weight_hh, self.bias_hh))

    def gates_of(self, inputs: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """The gates from W_ih x and W_hh h with their biases, each `(..., 3H)`."""
        reset, update = gru_gates(inputs, hidden)
        return {"reset": reset, "update": update}
