"""Recurrent layers on top of each other: carried state, and the one change of layout."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ..errors import ShapeError
from ..ops.dropout import locked_dropout
from ..settings.models import Connections
from .layer import Layer

StackState: TypeAlias = Tensor | tuple[Tensor, ...]
Runner: TypeAlias = Callable[..., tuple[Tensor, ...]]
"""Runs a layer: `(layer, x (T, B, E), *states) -> (y (T, B, H), *states)`."""


def run_layer(layer: Any, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
    """Runs a layer over all steps at once; what diagnosis puts in its place looks at each step."""
    return layer(x, *states)


class RecurrentStack(nn.Module):
    """Runs L layers of one kind, each on the outputs of the one below.

    Batch-first outside, time-major inside. The state is `(B, L, H)`, or of layers with a cell
    (LSTM) a tuple `(h, c)` of such.

    Args:
        connections: "residual": each layer as wide as what it reads adds it to its outputs (He et
            al. 2016); "sum": what leaves the stack is the sum of all layers' outputs, so that the
            loss reaches each of them at once (Graves 2013 has such skip connections).
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        output_dropout: float = 0.0,
        connections: Connections = "none",
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropouts = [input_dropout] + [hidden_dropout] * (len(layers) - 1)
        self.output_dropout = output_dropout
        self.connections: Connections = connections
        self.num_states = layers[0].num_states
        self.hidden_size = layers[0].hidden_size

    def initial_state(self, batch_size: int) -> StackState:
        """Returns the zero state for B rows."""
        shape = (batch_size, len(self.layers), self.hidden_size)
        weight = next(self.parameters())
        parts = tuple(weight.new_zeros(shape) for _ in range(self.num_states))
        return parts if self.num_states > 1 else parts[0]

    def forward(
        self, x: Tensor, state: StackState, run: Runner = run_layer
    ) -> tuple[Tensor, StackState]:
        """Reads `x (B, T, E)`; returns outputs `(B, T, H)`, the top layer's, and the next state.

        Raises:
            ShapeError: the state belongs to another batch size or model.
        """
        parts = state if isinstance(state, tuple) else (state,)
        expected = (len(x), len(self.layers), self.hidden_size)
        for part in parts:
            if part.shape != expected:
                raise ShapeError("state", f"(B, L, H) = {expected}", tuple(part.shape))
        columns, outputs = [], []
        y = x.transpose(0, 1)  # (T, B, E)
        for index, (layer, dropout) in enumerate(zip(self.layers, self.dropouts, strict=True)):
            below = y
            y = locked_dropout(below, dropout, self.training)
            y, *column = run(layer, y, *(part[:, index] for part in parts))
            if self.connections == "residual" and y.shape == below.shape:
                y = y + below.to(parts[0].dtype)  # a sum of many is not rounded at each
            columns.append(column)
            outputs.append(y)
        if self.connections == "sum":
            y = torch.stack(outputs).sum(0)
        y = locked_dropout(y, self.output_dropout, self.training)
        # bfloat16 autocast may have rounded the state; it is kept in the parameters' type.
        carried = tuple(
            torch.stack(column, 1).to(part.dtype)
            for column, part in zip(zip(*columns, strict=True), parts, strict=True)
        )
        return y.transpose(0, 1), carried if self.num_states > 1 else carried[0]
