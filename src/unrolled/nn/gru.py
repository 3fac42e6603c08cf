"""One GRU layer."""

import torch
from torch import Tensor, nn

from ..ops.dropout import weight_dropout
from ..ops.gru import gru, gru_gates, gru_step
from .layer import MatrixLayer


class GRU(MatrixLayer):
    """Parameters of one GRU layer, gates r, z, n in rows of H.

    `weight_ih (3H, E)`, `weight_hh (3H, H)`, `bias_ih (3H,)`, `bias_hh (3H,)`. The second bias is
    not redundant: the reset gate multiplies its candidate part.
    """

    matrices = ("reset", "update", "candidate")
    keep_gate = ("update", False)

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

    @property
    def biases(self) -> tuple[Tensor, Tensor | None]:
        """Two biases."""
        return self.bias_ih, self.bias_hh

    @property
    def norm_widths(self) -> list[int]:
        """The candidate is apart: the reset gate acts between its two norms."""
        return [2 * self.hidden_size, self.hidden_size]

    def set_keep_bias(self, bias: Tensor, slow_input: bool = False) -> None:
        """Sets the bias of the update gate; what it does not keep is let in."""
        self.bias_ih[self.hidden_size : 2 * self.hidden_size] = bias

    def step(
        self, inputs: Tensor, hidden: Tensor, *states: Tensor, cell_norm: nn.Module | None = None
    ) -> tuple[Tensor, ...]:
        """The next h."""
        return (gru_step(inputs, hidden, *states),)

    def gates_of(self, inputs: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """Reset and update gate."""
        reset, update = gru_gates(inputs, hidden)
        return {"reset": reset, "update": update}
