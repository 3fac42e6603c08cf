"""One layer of a kind: made, initialized, and changed inside its recurrence where that is asked."""

from importlib import import_module

import torch
from torch import Tensor, nn

from ..settings.kinds import KINDS
from ..settings.models import GateInit, RecurrentConfig, RecurrentInit
from .layer import Layer, MatrixLayer
from .modified import Modified

IDENTITY_INPUT_STD = 0.001
"""Of the input weights of a layer that starts as the identity: what it reads adds up and is never
forgotten. Source: Le et al. 2015. With relu, 300 k tokens of tiny-shakespeare and weights about as
small: 3.62 bits per byte; with Xavier's 4.07."""


def build_layer(config: RecurrentConfig, input_size: int) -> Layer:
    """Builds one layer of a checked configuration; what is not about a layer is not looked at."""
    kind = KINDS[config.kind]
    module, name = kind.layer.split(":")
    make = getattr(import_module(f".{module}", __package__), name)
    chosen = [name for name in ("nonlinearity", "weight_dropout") if name in kind.uses]
    settings = {name: getattr(config, name) for name in chosen}
    layer: Layer = make(input_size, config.hidden_size, **settings)
    initialize(
        layer, config.recurrent_init, config.forget_bias, config.gate_init, config.max_timescale
    )
    if isinstance(layer, MatrixLayer) and (
        config.layer_norm or config.zoneout or config.state_dropout
    ):
        return Modified(layer, config.layer_norm, config.zoneout, config.state_dropout)
    return layer


@torch.no_grad()
def initialize(
    layer: Layer,
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
    if recurrent_init == "identity" and isinstance(layer, MatrixLayer):
        for gate in layer.weight_hh.split(layer.hidden_size):
            nn.init.eye_(gate)
        if layer.keep_gate is None:
            nn.init.normal_(layer.weight_ih, 0, IDENTITY_INPUT_STD)
    if layer.keep_gate is None:
        return
    if gate_init == "uniform":
        layer.set_keep_bias(uniform_bias(layer.hidden_size))
    elif gate_init == "chrono":
        layer.set_keep_bias(chrono_bias(layer.hidden_size, max_timescale), slow_input=True)
    elif forget_bias is not None:
        layer.set_keep_bias(torch.full((layer.hidden_size,), float(forget_bias)))


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
