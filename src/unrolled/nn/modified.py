"""A recurrent layer that is changed inside its recurrence: LayerNorm, zoneout, noisy state.

The kernels run the plain layer. This one is a loop of torch functions over the same equations.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops.dropout import weight_dropout, zoneout
from .layer import Layer, MatrixLayer


class GateNorm(nn.Module):
    """LayerNorm of groups of gates, each with a gain; the bias is the layer's own."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for width in widths)

    def forward(self, sums: Tensor) -> Tensor:
        """Normalizes `(..., G H)`."""
        parts = zip(self.norms, sums.split(self.widths, -1), strict=True)
        return torch.cat([norm(part) for norm, part in parts], -1)


class Modified(Layer):
    """A layer with a recurrent matrix whose steps are changed; used as the layer itself is.

    LayerNorm: LN(W_ih x) and LN(W_hh h) stand for the two products, the biases are added after
    them, and the output of an LSTM looks at LN(c).  Source: Ba et al. 2016 (arXiv 1607.06450).
    Zoneout: h, and c with a mask of its own, keep units of the step before, see `zoneout`.
    State dropout: W_hh reads h with the same units missing at every step.  Source: Gal &
    Ghahramani 2016.

    Args:
        layer: Its weights and weight dropout are used.
        zoneout: Probability of a unit to keep its state.
        state_dropout: Probability of a unit to be missing from what W_hh reads.
    """

    def __init__(
        self,
        layer: MatrixLayer,
        layer_norm: bool = False,
        zoneout: float = 0.0,
        state_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.zoneout, self.state_dropout = zoneout, state_dropout
        self.num_states, self.keep_gate = layer.num_states, layer.keep_gate
        self.matrices, self.hidden_size = layer.matrices, layer.hidden_size
        self.input_norm = GateNorm(layer.norm_widths) if layer_norm else None
        self.hidden_norm = GateNorm(layer.norm_widths) if layer_norm else None
        has_cell = layer.num_states == 2
        self.cell_norm = nn.LayerNorm(layer.hidden_size) if layer_norm and has_cell else None

    def forward(self, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Reads `x (T, B, E)` from states `(B, H)`; returns `y (T, B, H)` and the next states."""
        layer, p = self.layer, self.state_dropout if self.training else 0.0
        weight_hh = weight_dropout(layer.weight_hh, layer.weight_dropout, self.training)
        noise = F.dropout(torch.ones_like(states[0]), p) if p else None
        steps = []
        for inputs in self._inputs(x, states[0].dtype):
            h = states[0] if noise is None else states[0] * noise
            hidden = self._hidden(h, weight_hh)
            new = layer.step(inputs, hidden, *states, cell_norm=self.cell_norm)
            states = tuple(
                zoneout(after, before, self.zoneout, self.training)
                for after, before in zip(new, states, strict=True)
            )
            steps.append(states[0])
        return torch.stack(steps), *states

    @property
    def activation(self) -> str | None:
        """That of the layer."""
        return self.layer.activation

    def gates(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        """Activations `(T, B, H)` of the gates for inputs `x (T, B, E)`, without noise.

        Args:
            h: State before each step, `(T, B, H)`.
        """
        hidden = self._hidden(h, self.layer.weight_hh)
        return self.layer.gates_of(self._inputs(x, h.dtype), hidden)

    def _inputs(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """What all steps read from below, `(T, B, G H)`, in the precision of the state."""
        sums = F.linear(x, self.layer.weight_ih).to(dtype)
        return (sums if self.input_norm is None else self.input_norm(sums)) + self.layer.biases[0]

    def _hidden(self, h: Tensor, weight_hh: Tensor) -> Tensor:
        """What a step reads from the state, `(..., G H)`."""
        sums = F.linear(h, weight_hh).to(h.dtype)
        sums = sums if self.hidden_norm is None else self.hidden_norm(sums)
        bias = self.layer.biases[1]
        return sums if bias is None else sums + bias
