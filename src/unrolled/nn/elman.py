"""One Elman layer."""

import torch
from torch import Tensor, nn

from ..ops.dropout import weight_dropout
from ..ops.elman import Nonlinearity, elman, elman_step
from .layer import MatrixLayer


class Elman(MatrixLayer):
    """Parameters of one Elman layer: `weight_ih (H, E)`, `weight_hh (H, H)`, `bias (H,)`."""

    matrices = ("recurrent",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        nonlinearity: Nonlinearity = "tanh",
        weight_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.nonlinearity: Nonlinearity = nonlinearity
        self.hidden_size = hidden_size
        self.weight_dropout = weight_dropout
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        nn.init.xavier_uniform_(self.weight_ih)
        nn.init.orthogonal_(self.weight_hh)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Reads `x (T, B, E)` from state `h (B, H)`; returns `y (T, B, H)` and the next state."""
        weight_hh = weight_dropout(self.weight_hh, self.weight_dropout, self.training)
        return elman(x, h, self.weight_ih, weight_hh, self.bias, self.nonlinearity)

    @property
    def activation(self) -> str | None:
        """tanh or relu."""
        return self.nonlinearity

    @property
    def biases(self) -> tuple[Tensor, Tensor | None]:
        """One bias."""
        return self.bias, None

    def step(
        self, inputs: Tensor, hidden: Tensor, *states: Tensor, cell_norm: nn.Module | None = None
    ) -> tuple[Tensor, ...]:
        """The next h."""
        return (elman_step(inputs, hidden, self.nonlinearity),)
