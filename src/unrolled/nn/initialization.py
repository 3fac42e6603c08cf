"""Where a recurrent layer starts: its recurrent matrix, and the bias of the gate that keeps."""

import torch
from torch import Tensor, nn

from ..settings.models import GateInit, RecurrentInit
from .elman import Elman
from .gru import GRU
from .lstm import LSTM
from .min_gru import MinGRU
from .modified import Modified

IDENTITY_INPUT_STD = 0.001
"""Of the input weights of a layer that starts as the identity: what it reads adds up and is never
forgotten. Source: Le et al. 2015. With relu, 300 k tokens of tiny-shakespeare and weights about as
small: 3.62 bits per byte; with Xavier's 4.07."""


@torch.no_grad()
def initialize(
    layer: Elman | GRU | LSTM | MinGRU | Modified,
    recurrent_init: RecurrentInit = "orthogonal",
    forget_bias: float | None = None,
    gate_init: GateInit = "constant",
    max_timescale: int = 100,
) -> None:
    """Changes how a new layer starts; with the defaults it stays as its class made it.

    Args:
        recurrent_init: orthogonal, as every layer is made (Saxe et al. 2014), or the identity in
            each gate (Le et al. 2015, who take it with relu and such small input weights).
        forget_bias: Bias of the gate that keeps the state, b: sigmoid(b) of it is kept in a step.
            None: as the layer has it.  Source: Gers et al. 2000; Jozefowicz et al. 2015.
        gate_init: How that bias is spread over the units: constant, uniform or chrono.
        max_timescale: Of chrono, in steps, 2 or more.
    """
    layer = layer.layer if isinstance(layer, Modified) else layer
    if recurrent_init == "identity" and not isinstance(layer, MinGRU):
        for gate in layer.weight_hh.split(layer.hidden_size):
            nn.init.eye_(gate)
    if isinstance(layer, Elman):
        if recurrent_init == "identity":
            nn.init.normal_(layer.weight_ih, 0, IDENTITY_INPUT_STD)
        return
    if gate_init == "uniform":
        _set_keeping(layer, uniform_bias(layer.hidden_size))
    elif gate_init == "chrono":
        bias = chrono_bias(layer.hidden_size, max_timescale)
        _set_keeping(layer, bias)
        if isinstance(layer, LSTM):
            layer.bias[: layer.hidden_size] = -bias  # what is kept long is added to slowly
    elif forget_bias is not None:
        _set_keeping(layer, torch.full((layer.hidden_size,), float(forget_bias)))


def uniform_bias(hidden_size: int) -> Tensor:
    """Biases `(H,)` of which sigmoid is uniform between 1/H and 1 - 1/H.

    b = -log(1/u - 1).  Source: Gu et al. 2020 (arXiv 1910.09890).
    """
    edge = 1 / max(hidden_size, 2)
    u = torch.empty(hidden_size).uniform_(edge, 1 - edge)
    return -(1 / u - 1).log()


def chrono_bias(hidden_size: int, max_timescale: int) -> Tensor:
    """Biases `(H,)` of units that forget over 2 to `max_timescale` steps, uniformly.

    b = log u, u uniform in 1 to max_timescale - 1: a step keeps u / (1 + u), so about 1 + u steps
    forget.
    Source: Tallec & Ollivier 2018 (arXiv 1804.11188).
    """
    return torch.empty(hidden_size).uniform_(1, max_timescale - 1).log()


def _set_keeping(layer: GRU | LSTM | MinGRU, bias: Tensor) -> None:
    """Sets the bias of the gate that keeps the state: sigmoid(bias) of it is kept."""
    size = layer.hidden_size
    if isinstance(layer, LSTM):
        layer.bias[size : 2 * size] = bias
    elif isinstance(layer, GRU):
        layer.bias_ih[size : 2 * size] = bias
    else:
        layer.bias[:size] = -bias  # its gate z lets in; 1 - z is kept
