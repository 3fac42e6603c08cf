"""The network as a dynamical system that text drives: Lyapunov exponents, radii, gates."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..models.recurrent import RecurrentModel
from ..nn.layer import Layer
from ..nn.stack import RecurrentStack, StackState
from ..results.diagnosis import Dynamics, Gate, SpectralRadius
from .flow import Recorded

EXPONENTS = 8
DISCARDED = 50
"""Steps, at the end of the text, in which the directions turn to the leading ones."""
SATURATED = 0.1, 0.9
"""A gate below is closed, above it is open."""
SATURATED_STATE = 0.99


def measure_dynamics(model: RecurrentModel, tokens: Tensor, warm_up: int) -> Dynamics:
    """Measures a recurrent model on text.

    Args:
        model: In evaluation mode; float64 is advised.
        tokens: `(B, warm_up + T)`; exponents are of the first 4 rows.
        warm_up: Tokens read before from the empty state.
    """
    with torch.no_grad():
        layers = _record(model, tokens, warm_up)
    return Dynamics(
        exponents=lyapunov_exponents(model, tokens[:4], warm_up),
        radii=spectral_radii(model.stack),
        gates=[gate for number, each in enumerate(layers, 1) for gate in _gates(number, each)],
        dead=[_dead(each) for each in layers if each.layer.activation == "relu"],
    )


def lyapunov_exponents(
    model: RecurrentModel, tokens: Tensor, warm_up: int, num_exponents: int = EXPONENTS
) -> list[float]:
    """Leading Lyapunov exponents of the recurrent layers along a text, by QR.

    lambda_i = mean log |R_ii| of Q R = J_t^T Q, from the last step to the first: the transposed
    product has the same singular values, and J^T q is an ordinary backward pass.
    Source: Benettin et al. 1980; for recurrent networks Vogt et al. 2020 (arXiv 2006.14123).

    Args:
        tokens: `(B, warm_up + T)`; averaged over B rows. `DISCARDED` of the T steps are not
            counted, where there are twice as many.

    Returns:
        Nats per token, greatest first, at most the dimension of the state.
    """
    stack, (num_rows, num_tokens) = model.stack, tokens.shape
    was_training = model.training
    model.eval()
    states = _trajectory(model, tokens, warm_up)
    size = states[0].shape[1]
    num = min(num_exponents, size)
    directions = torch.randn(
        num_rows, size, num, dtype=states[0].dtype, generator=torch.Generator().manual_seed(0)
    )
    directions = torch.linalg.qr(directions)[0]
    total, counted = directions.new_zeros(num), 0
    num_steps = num_tokens - warm_up
    skipped = DISCARDED if num_steps > 2 * DISCARDED else 0
    embedded = model.embedding(tokens).detach()
    for step in reversed(range(num_steps)):
        # One row of the batch per direction: a single backward pass multiplies all of them.
        before = states[step].repeat_interleave(num, 0).requires_grad_()
        x = embedded[:, warm_up + step, None].repeat_interleave(num, 0)
        with torch.enable_grad():
            after = _flat(stack(x, _shaped(before, stack))[1])
        pulled = directions.transpose(1, 2).reshape(num_rows * num, size)
        (moved,) = torch.autograd.grad(after, before, pulled)
        directions, r = torch.linalg.qr(moved.view(num_rows, num, size).transpose(1, 2))
        if num_steps - step > skipped:
            growth = r.diagonal(dim1=1, dim2=2).abs()
            # A direction that is lost altogether (a relu that is off) has no logarithm.
            total += growth.clamp(min=1e-300).log().mean(0)
            counted += 1
    model.train(was_training)
    return sorted((total / counted).tolist(), reverse=True)


@torch.no_grad()
def _trajectory(model: RecurrentModel, tokens: Tensor, warm_up: int) -> list[Tensor]:
    """The flat state `(B, D)` before each step after the warm-up, and after the last."""
    stack, embedded = model.stack, model.embedding(tokens)
    state = stack.initial_state(len(tokens))
    if warm_up:
        _, state = stack(embedded[:, :warm_up], state)
    states = [_flat(state)]
    for step in range(warm_up, tokens.shape[1]):
        _, state = stack(embedded[:, step : step + 1], state)
        states.append(_flat(state))
    return states


def _flat(state: StackState) -> Tensor:
    parts = state if isinstance(state, tuple) else (state,)
    return torch.cat([part.flatten(1) for part in parts], 1)


def _shaped(flat: Tensor, stack: RecurrentStack) -> StackState:
    shape = len(flat), len(stack.layers), stack.hidden_size
    parts = tuple(part.reshape(shape) for part in flat.chunk(stack.num_states, 1))
    return parts if stack.num_states > 1 else parts[0]


def spectral_radii(stack: RecurrentStack) -> list[SpectralRadius]:
    """Greatest |eigenvalue| of each recurrent matrix, gate by gate; some layers have none."""
    rows = []
    for number, layer in enumerate(stack.layers, 1):
        assert isinstance(layer, Layer)
        parameters = dict(layer.named_parameters())
        for name in (name for name in parameters if name.endswith("weight_hh")):
            parts = parameters[name].detach().double().split(layer.hidden_size)
            for matrix, part in zip(layer.matrices, parts, strict=True):
                radius = float(torch.linalg.eigvals(part).abs().max())
                rows.append(SpectralRadius(number, matrix, radius))
    return rows


def _record(model: RecurrentModel, tokens: Tensor, warm_up: int) -> list[Recorded]:
    """Inputs and states of every layer after the warm-up."""
    layers: list[Recorded] = []

    def run(layer: Any, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        y, *last = layer(x, *states)
        layers.append(Recorded(layer, x, states, [(step,) for step in y]))
        return y, *last

    embedded = model.embedding(tokens)
    _, state = model.stack(embedded[:, : max(warm_up, 1)], model.stack.initial_state(len(tokens)))
    model.stack(embedded[:, max(warm_up, 1) :], state, run)
    return layers


@torch.no_grad()
def _gates(number: int, recorded: Recorded) -> list[Gate]:
    """Every gate of a layer; of a tanh layer without gates the state itself."""
    y = torch.stack([step[0] for step in recorded.states])  # (T, B, H)
    layer = recorded.layer
    gates = layer.gates(recorded.x, torch.cat([recorded.start[0][None], y[:-1]]))
    if layer.activation == "tanh":
        return [_gate(number, "state", y, -SATURATED_STATE, SATURATED_STATE)]
    if layer.keep_gate is None:
        return []
    keep, inverted = layer.keep_gate
    scales = _timescales(1 - gates[keep] if inverted else gates[keep])
    return [
        _gate(number, name, value, *SATURATED, scales if name == keep else [])
        for name, value in gates.items()
    ]


def _timescales(keep: Tensor) -> list[float]:
    """Of each unit, from the share of its state that a step keeps, `(T, B, H)`; rising."""
    means = keep.flatten(0, 1).mean(0).tolist()
    return sorted(-1 / math.log(min(max(mean, 1e-12), 1 - 1e-9)) for mean in means)


def _gate(
    number: int, name: str, value: Tensor, low: float, high: float, timescales: Sequence[float] = ()
) -> Gate:
    units = value.flatten(0, 1)  # (T * B, H)
    return Gate(
        layer=number,
        name=name,
        mean=float(units.mean()),
        closed=(units < low).double().mean(0).tolist(),
        open=(units > high).double().mean(0).tolist(),
        timescales=list(timescales),
    )


def _dead(recorded: Recorded) -> float:
    """Share of the units that are 0 on all text."""
    y = torch.stack([step[0] for step in recorded.states]).flatten(0, 1)
    return float((y == 0).all(0).double().mean())
