"""One LSTM layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..ops.dropout import weight_dropout
from ..ops.lstm import lstm, lstm_gates, lstm_step
from .layer import MatrixLayer


class LSTM(MatrixLayer):
    """Parameters of one LSTM layer, gates i, f, g, o in rows of H.

    `weight_ih (4H, E)`, `weight_hh (4H, H)`, `bias (4H,)`. The forget gate starts open (bias 1),
    so that gradients reach back from the first step on.  Source: Jozefowicz et al. 2015.
    """

    num_states = 2
    matrices = ("input", "forget", "candidate", "output")
    keep_gate = ("forget", False)

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

    @property
    def biases(self) -> tuple[Tensor, Tensor | None]:
        """One bias."""
        return self.bias, None

    def set_keep_bias(self, bias: Tensor, slow_input: bool = False) -> None:
        """Sets the bias of the forget gate; with `slow_input` the opposite is the input gate's."""
        size = self.hidden_size
        self.bias[size : 2 * size] = bias
        if slow_input:
            self.bias[:size] = -bias

    def step(
        self, inputs: Tensor, hidden: Tensor, *states: Tensor, cell_norm: nn.Module | None = None
    ) -> tuple[Tensor, ...]:
        """The next h and c."""
        return lstm_step(inputs, hidden, states[1], cell_norm)

    def gates_of(self, inputs: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """Input, forget and output gate."""
        gates = lstm_gates(inputs + hidden)
        return dict(zip(("input", "forget", "output"), gates, strict=True))

    def whole_gradients(
        self, gradients: Sequence[Tensor], x: Tensor, h: Tensor, states: Sequence[Tensor]
    ) -> list[Tensor]:
        """Adds to that of c what comes through h_t = o tanh(c_t), inside the operator."""
        of_hidden, of_cell = gradients
        output, squashed = self.gates(x, h)["output"], states[1].tanh()
        return [of_hidden, of_cell + of_hidden * output * (1 - squashed**2)]
