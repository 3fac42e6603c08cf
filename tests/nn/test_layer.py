"""Elman, GRU and LSTM layers: how they begin, what weight dropout does, and their gates."""

import pytest
import torch

from unrolled.nn.elman import Elman
from unrolled.nn.gru import GRU
from unrolled.nn.lstm import LSTM
from unrolled.nn.min_gru import MinGRU

torch.set_num_threads(1)
LAYERS = [Elman, GRU, LSTM]
H = 17


def states(layer, batch_size=3):
    return [torch.zeros(batch_size, H) for _ in range(layer.num_states)]


@pytest.mark.parametrize("kind", LAYERS)
def test_recurrent_weights_of_each_gate_are_orthogonal(kind):
    for gate in kind(5, H).weight_hh.detach().split(H):
        torch.testing.assert_close(gate @ gate.T, torch.eye(H), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_input_weights_of_each_gate_are_xavier_uniform(kind):
    torch.manual_seed(0)
    bound = (6 / (50 + H)) ** 0.5
    for gate in kind(50, H).weight_ih.detach().split(H):
        assert 0.95 * bound < gate.abs().max() <= bound


def test_the_forget_gate_starts_open():
    input_, forget, cell, output = LSTM(5, H).bias.detach().split(H)
    assert torch.equal(forget, torch.ones(H))
    assert not torch.cat((input_, cell, output)).any()


@pytest.mark.parametrize("kind", LAYERS)
def test_weight_dropout_reaches_the_live_weight(kind):
    torch.manual_seed(0)
    layer, x = kind(5, H, weight_dropout=0.5), torch.randn(6, 3, 5)
    y = layer(x, *states(layer))[0]
    assert not torch.equal(y, layer(x, *states(layer))[0])
    y.sum().backward()
    # A dropped weight has no part in any step, so its gradient is exactly zero.
    assert (layer.weight_hh.grad == 0).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert (layer.weight_ih.grad != 0).all()
    with torch.no_grad():
        layer.eval().weight_hh.zero_()
        assert not torch.equal(layer(x, *states(layer))[0], y)


@pytest.mark.parametrize("kind", LAYERS)
def test_weight_dropout_is_off_in_evaluation(kind):
    layer, x = kind(5, H, weight_dropout=0.5).eval(), torch.randn(6, 3, 5)
    y = layer(x, *states(layer))[0]
    assert torch.equal(y, layer(x, *states(layer))[0])
    layer.weight_dropout = 0.0
    assert torch.equal(y, layer.train()(x, *states(layer))[0])


def test_the_elman_nonlinearity_can_be_relu():
    layer = Elman(5, H, "relu")
    y = layer(torch.randn(6, 3, 5), torch.zeros(3, H))[0]
    assert (y >= 0).all()
    assert y.max() > 1


def test_gates_are_those_of_the_steps():
    """From gates, states and candidates known to be others, the step is put together again."""
    x, h, c = torch.randn(1, 3, 5), torch.randn(3, H), torch.randn(3, H)
    layer = LSTM(5, H)
    gates = layer.gates(x, h[None])
    assert list(gates) == ["input", "forget", "output"]
    y, _, after = layer(x, h, c)
    g = torch.tanh(x[0] @ layer.weight_ih[2 * H : 3 * H].T + h @ layer.weight_hh[2 * H : 3 * H].T)
    expected = gates["forget"][0] * c + gates["input"][0] * g
    torch.testing.assert_close(after, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(y, gates["output"] * after.tanh(), rtol=1e-5, atol=1e-6)

    layer = GRU(5, H)
    gates = layer.gates(x, h[None])
    assert list(gates) == ["reset", "update"]
    inside = gates["reset"][0] * (h @ layer.weight_hh[2 * H :].T)
    n = torch.tanh(x[0] @ layer.weight_ih[2 * H :].T + inside)
    z = gates["update"][0]
    torch.testing.assert_close(layer(x, h)[1], (1 - z) * n + z * h, rtol=1e-5, atol=1e-6)

    layer = MinGRU(5, H)
    z = layer.gates(x, h[None])["update"][0]
    new = (1 - z) * h + z * (x[0] @ layer.weight[H:].T)
    torch.testing.assert_close(layer(x, h)[1], new, rtol=1e-5, atol=1e-6)
    assert Elman(5, H).gates(x, h[None]) == {}


@pytest.mark.parametrize("kind", [GRU, LSTM, MinGRU])
def test_the_gate_that_keeps_is_the_one_that_is_named(kind):
    layer = kind(5, H)
    name, inverted = kind.keep_gate
    x, states = torch.zeros(1, 3, 5), [torch.full((3, H), 1000.0)] * kind.num_states
    with torch.no_grad():
        layer.weight_hh.zero_() if kind is not MinGRU else None
        last = layer(x, *states)[-1]  # h, or c of an LSTM
    gate = layer.gates(x, states[0][None])[name][0].detach()
    torch.testing.assert_close(last / 1000, 1 - gate if inverted else gate, rtol=0, atol=2e-3)
    assert Elman.keep_gate is None
