"""What a recurrent layer is to everything that is built of layers or asks about them."""

from collections.abc import Sequence

from torch import Tensor, nn


class Layer(nn.Module):
    """One recurrent layer: subclass it, and say what your layer has beyond the defaults.

    A layer is made by `Class(input_size, hidden_size)`, with `nonlinearity` and `weight_dropout` by
    name if its row in `settings/kinds.py` has a use for them, and called with inputs `(T, B, E)`
    and each part of its state `(B, H)`; it returns outputs `(T, B, H)`, the first part after every
    step, and the state after the last.
    """

    hidden_size: int
    num_states = 1
    """Parts of the state: h, or h and c."""
    matrices: tuple[str, ...] = ()
    """Names of the `(H, H)` matrices in `weight_hh`, from the top."""
    keep_gate: tuple[str, bool] | None = None
    """Gate that keeps the state, and whether what it keeps is 1 minus the gate."""

    @property
    def activation(self) -> str | None:
        """What h comes out of where no gate stands between: "tanh", "relu"; None: neither."""
        return None

    def gates(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        """Activations `(T, B, H)` of the gates for inputs `x (T, B, E)`; none here.

        Args:
            h: State before each step, `(T, B, H)`.
        """
        return {}

    def set_keep_bias(self, bias: Tensor, slow_input: bool = False) -> None:
        """Sets the bias `(H,)` of the gate that keeps the state: sigmoid(bias) of it is kept.

        Args:
            slow_input: Whether a gate of its own, if there is one, lets in what is not kept.
        """
        raise NotImplementedError

    def whole_gradients(
        self, gradients: Sequence[Tensor], x: Tensor, h: Tensor, states: Sequence[Tensor]
    ) -> list[Tensor]:
        """Gradients of a loss with respect to the parts of the state, over all paths.

        Args:
            gradients: As autograd gives them for the parts that a step returns, `(T, B, H)` each.
            x: Inputs, `(T, B, E)`.
            h: State before each step, `(T, B, H)`.
            states: Parts of the state after each step, `(T, B, H)` each.
        """
        return list(gradients)


class MatrixLayer(Layer):
    """A layer in which a matrix `weight_hh (G * H, H)` reads the state.

    `nn/modified.py` runs it step by step, from `step` and the two sums that this reads.
    """

    weight_ih: nn.Parameter
    weight_hh: nn.Parameter
    weight_dropout: float

    @property
    def biases(self) -> tuple[Tensor, Tensor | None]:
        """What is added to W_ih x and to W_hh h, each `(G * H,)`."""
        raise NotImplementedError

    @property
    def norm_widths(self) -> list[int]:
        """Widths of the parts of a sum that LayerNorm normalizes on their own."""
        return [len(self.weight_hh)]

    def step(
        self, inputs: Tensor, hidden: Tensor, *states: Tensor, cell_norm: nn.Module | None = None
    ) -> tuple[Tensor, ...]:
        """The next state from W_ih x and W_hh h with their biases, and the state before.

        Args:
            cell_norm: Of a layer with a cell: applied to it where the output looks at it.
        """
        raise NotImplementedError

    def gates_of(self, inputs: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """The gates from W_ih x and W_hh h with their biases, each `(..., G * H)`."""
        return {}

    def gates(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        """Activations `(T, B, H)` of the gates, see `Layer.gates`."""
        of_inputs, of_hidden = self.biases
        inputs = nn.functional.linear(x, self.weight_ih, of_inputs)
        return self.gates_of(inputs, nn.functional.linear(h, self.weight_hh, of_hidden))
