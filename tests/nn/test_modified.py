"""Layers changed inside their recurrence: equal to the plain ones, and to their equations."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from unrolled.nn.elman import Elman
from unrolled.nn.gru import GRU
from unrolled.nn.lstm import LSTM
from unrolled.nn.modified import Modified
from unrolled.ops.dropout import zoneout

H = 17
LAYERS = [Elman, GRU, LSTM]


def make(kind, **settings) -> Modified:
    torch.manual_seed(0)
    modified = Modified(kind(5, H), **settings)
    with torch.no_grad():
        for parameter in modified.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return modified


def given(layer, num_steps=7) -> list[Tensor]:
    states = [torch.randn(3, H) for _ in range(layer.num_states)]
    return [torch.randn(num_steps, 3, 5), *states]


def norm(x: Tensor, gain: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    """LayerNorm from its definition."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * gain + bias


@pytest.mark.parametrize("kind", [*LAYERS, "relu"])
def test_without_changes_it_is_the_plain_layer_gradients_included(kind):
    plain = Elman(5, H, "relu") if kind == "relu" else make(kind).layer
    modified = Modified(plain)
    inputs = given(plain)
    results = []
    for layer in (plain, modified):
        wanted = [value.clone().requires_grad_() for value in inputs]
        found = layer(*wanted)
        loss = sum((part * torch.cos(torch.arange(H))).sum() for part in found)
        grads = torch.autograd.grad(loss, [*wanted, *plain.parameters()])
        results.append([*found, *grads])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("settings", [{"layer_norm": True}, {"zoneout": 0.3}])
def test_pieces_equal_the_whole(kind, settings):
    layer = make(kind, **settings).eval()
    x, *states = given(layer)
    whole, *end = layer(x, *states)
    pieces = []
    for piece in x.split(3):
        y, *states = layer(piece, *states)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces), whole)
    for found, expected in zip(states, end, strict=True):
        torch.testing.assert_close(found, expected)


def test_layer_norm_of_the_lstm_is_its_equation():
    modified = make(LSTM, layer_norm=True)
    layer, (x, h, c) = modified.layer, given(modified)
    gain_x, gain_h = modified.input_norm.norms[0].weight, modified.hidden_norm.norms[0].weight
    gates = []
    y, last, _ = modified(x, h, c)
    states = torch.cat([h[None], y[:-1]])
    for t in range(len(x)):
        sums = norm(x[t] @ layer.weight_ih.T, gain_x) + norm(h @ layer.weight_hh.T, gain_h)
        i, f, g, o = (sums + layer.bias).chunk(4, -1)
        gates.append((i.sigmoid(), f.sigmoid(), o.sigmoid()))
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        cell = norm(c, modified.cell_norm.weight, modified.cell_norm.bias)
        h = o.sigmoid() * cell.tanh()
        torch.testing.assert_close(y[t], h, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(last, h, rtol=1e-4, atol=1e-5)
    found = modified.gates(x, states)
    for name, expected in zip(("input", "forget", "output"), zip(*gates, strict=True), strict=True):
        torch.testing.assert_close(found[name], torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_layer_norm_of_the_gru_is_its_equation():
    modified = make(GRU, layer_norm=True)
    layer, (x, h) = modified.layer, given(modified)
    y, _ = modified(x, h)
    gains_x, gains_h = (
        [part.weight for part in norms.norms]
        for norms in (modified.input_norm, modified.hidden_norm)
    )
    for t in range(len(x)):
        below, before = x[t] @ layer.weight_ih.T, h @ layer.weight_hh.T
        gates = norm(below[:, : 2 * H], gains_x[0]) + norm(before[:, : 2 * H], gains_h[0])
        r, z = (gates + (layer.bias_ih + layer.bias_hh)[: 2 * H]).sigmoid().chunk(2, -1)
        inside = norm(before[:, 2 * H :], gains_h[1]) + layer.bias_hh[2 * H :]
        n = norm(below[:, 2 * H :], gains_x[1]) + layer.bias_ih[2 * H :] + r * inside
        h = (1 - z) * n.tanh() + z * h
        torch.testing.assert_close(y[t], h, rtol=1e-4, atol=1e-5)


def test_layer_norm_of_the_elman_layer_is_its_equation():
    modified = make(Elman, layer_norm=True)
    layer, (x, h) = modified.layer, given(modified)
    y, _ = modified(x, h)
    gain_x, gain_h = modified.input_norm.norms[0].weight, modified.hidden_norm.norms[0].weight
    for t in range(len(x)):
        sums = norm(x[t] @ layer.weight_ih.T, gain_x) + norm(h @ layer.weight_hh.T, gain_h)
        h = torch.tanh(sums + layer.bias)
        torch.testing.assert_close(y[t], h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_zoneout_keeps_units_in_training(kind):
    torch.manual_seed(0)
    layer = make(kind, zoneout=0.4)
    x, *states = given(layer, 200)
    y, *last = layer(x, *states)
    before = torch.cat([states[0][None], y[:-1]])
    assert (y == before).float().mean().item() == pytest.approx(0.4, abs=0.02)
    # Units that do not keep their state are those of the plain layer.
    one, *following = layer(x[:1], *states)
    plain = layer.layer(x[:1], *states)[1:]
    masks = []
    for found, new, old in zip(following, plain, states, strict=True):
        same = found == old
        torch.testing.assert_close(found[~same], new[~same], rtol=1e-5, atol=1e-6)
        masks.append(same)
    if kind is LSTM:
        assert not torch.equal(*masks)  # c has a mask of its own


@pytest.mark.parametrize("kind", LAYERS)
def test_zoneout_is_its_expectation_in_evaluation(kind):
    layer = make(kind, zoneout=0.4).eval()
    x, *states = given(layer, 1)
    _, *found = layer(x, *states)
    _, *new = layer.layer(x, *states)
    for part, after, before in zip(found, new, states, strict=True):
        torch.testing.assert_close(part, 0.6 * after + 0.4 * before, rtol=1e-5, atol=1e-6)


def test_zoneout_draws_nothing_where_it_is_off():
    new, old = torch.randn(3, H), torch.randn(3, H)
    torch.manual_seed(1)
    assert zoneout(new, old, 0.0, True) is new
    zoneout(new, old, 0.5, False)
    following = torch.rand(2)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(2), following)


@pytest.mark.parametrize("kind", LAYERS)
def test_state_dropout_takes_the_same_units_at_every_step(kind):
    layer = make(kind, state_dropout=0.5)
    x, *states = (tensor[..., :1, :] for tensor in given(layer))  # one sequence
    torch.manual_seed(4)
    found = layer(x, *states)
    torch.manual_seed(4)
    mask = F.dropout(torch.ones(1, H), 0.5)
    assert 0.2 < (mask == 0).float().mean() < 0.8
    # W_hh does not see these units; what is carried on from step to step is whole.
    plain = layer.layer
    with torch.no_grad():
        expected = plain(x, *states)
        plain.weight_hh.mul_(mask)
        masked = plain(x, *states)
        plain.weight_hh.div_(mask.where(mask > 0, torch.ones(())))
    for one, other in zip(found, masked, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[0], expected[0])


@pytest.mark.parametrize("kind", LAYERS)
def test_state_dropout_is_off_in_evaluation_and_differs_between_sequences(kind):
    layer = make(kind, state_dropout=0.5)
    x, *states = given(layer)
    alike = x[:, :1].expand(-1, 3, -1), *(state[:1].expand(3, -1) for state in states)
    y = layer(*alike)[0]
    assert not torch.equal(y[:, 0], y[:, 1])
    layer.eval()
    expected = layer.layer(x, *states)[0]
    torch.testing.assert_close(layer(x, *states)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_weight_dropout_still_acts(kind):
    layer = Modified(kind(5, H, weight_dropout=0.5), layer_norm=True)
    x, *states = given(layer)
    assert not torch.equal(layer(x, *states)[0], layer(x, *states)[0])
    layer.eval()
    assert torch.equal(layer(x, *states)[0], layer(x, *states)[0])


@pytest.mark.parametrize("kind", LAYERS)
def test_it_says_what_its_layer_says(kind):
    layer = make(kind)
    assert (layer.num_states, layer.hidden_size) == (kind.num_states, H)
    assert layer.keep_gate == kind.keep_gate
    x, h = torch.randn(4, 3, 5), torch.randn(4, 3, H)
    expected = layer.layer.gates(x, h)
    found = layer.gates(x, h)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
