"""Lyapunov exponents, radii and gates where they are known beforehand."""

import math

import numpy as np
import pytest
import torch

from unrolled.diagnosis.dynamics import lyapunov_exponents, measure_dynamics, spectral_radii
from unrolled.diagnosis.flow import gradient_flow
from unrolled.models.recurrent import RecurrentModel

from .test_flow import make, planted_rnn, text


def test_exponents_of_a_linear_network_are_logarithms_of_its_singular_values():
    exponents = lyapunov_exponents(planted_rnn(0, 0.5, 0.01), text(0), 64)
    assert len(exponents) == 8
    np.testing.assert_allclose(exponents, math.log(0.5), rtol=0.01)


def test_exponents_of_a_diagonal_network_are_the_mean_logarithms_of_what_it_keeps():
    model, tokens = make("mingru", hidden_size=6).double(), text(0, rows=2, length=64 + 400)
    layer = model.stack.layers[0]
    with torch.no_grad():
        layer.bias[:6] = torch.tensor([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0])
        x = model.embedding(tokens[:, 64:-50]).transpose(0, 1)
        kept = 1 - layer.gates(x, x.new_zeros(*x.shape[:2], 6))["update"]
    expected = sorted(kept.log().mean((0, 1)).tolist(), reverse=True)
    np.testing.assert_allclose(lyapunov_exponents(model, tokens, 64), expected, rtol=0.02)


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_the_first_exponent_is_the_rate_of_the_gradient(kind):
    model = make(kind, hidden_size=48).double()
    flows = gradient_flow(model, text(0, rows=16), warm_up=64)
    rate = max(flow.rate for flow in flows)
    assert lyapunov_exponents(model, text(0, length=464), 64)[0] == pytest.approx(rate, rel=0.2)


def test_looking_leaves_the_model_in_training():
    model = make("rnn", hidden_size=8).double().train()
    lyapunov_exponents(model, text(0), 64)
    assert model.training


def test_radii_are_those_of_each_gate():
    model = make("lstm", hidden_size=16).double()
    with torch.no_grad():
        for gate in range(4):
            model.stack.layers[0].weight_hh[16 * gate : 16 * (gate + 1)] *= gate + 1
    found = [(row.layer, row.matrix, row.radius) for row in spectral_radii(model.stack)]
    names = ("input", "forget", "candidate", "output")
    assert found == [(1, name, pytest.approx(gate + 1)) for gate, name in enumerate(names)]
    assert spectral_radii(make("mingru").stack) == []


def test_gates_without_weights_are_their_biases():
    model = make("lstm", hidden_size=3).double()
    layer = model.stack.layers[0]
    with torch.no_grad():
        layer.weight_ih.zero_(), layer.weight_hh.zero_(), layer.bias.zero_()
        layer.bias[3:6] = torch.tensor([3.0, -3.0, 0.0])
    gates = {gate.name: gate for gate in measure_dynamics(model, text(0), 64).gates}
    assert list(gates) == ["input", "forget", "output"]
    forget = gates["forget"]
    assert (forget.open, forget.closed) == ([1, 0, 0], [0, 1, 0])
    values = [1 / (1 + math.exp(-bias)) for bias in (-3, 0, 3)]
    assert forget.mean == pytest.approx(sum(values) / 3)
    np.testing.assert_allclose(forget.timescales, [-1 / math.log(value) for value in values])
    assert gates["input"].timescales == []
    assert gates["input"].mean == pytest.approx(0.5)


@torch.no_grad()
def with_biases(*biases: float, **settings) -> RecurrentModel:
    """An Elman network whose units do what their biases say."""
    model = make("rnn", hidden_size=len(biases), **settings).double()
    layer = model.stack.layers[0]
    layer.weight_ih.zero_(), layer.weight_hh.zero_()
    layer.bias.copy_(torch.tensor(biases))
    return model


def test_saturated_states_of_a_tanh_layer():
    found = measure_dynamics(with_biases(-5.0, 0.0, 5.0, 5.0), text(0), 64)
    (state,) = found.gates
    assert (state.name, state.closed, state.open) == ("state", [1, 0, 0, 0], [0, 0, 1, 1])
    assert found.dead == []


def test_dead_units_of_a_relu_layer():
    found = measure_dynamics(with_biases(-1.0, 0.0, 0.5, 2.0, nonlinearity="relu"), text(0), 64)
    assert (found.dead, found.gates) == ([0.5], [])
