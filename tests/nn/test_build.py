"""Where a layer starts: by default as its class makes it, else as the sources say."""

import pytest
import torch

from unrolled.nn.build import chrono_bias, initialize, uniform_bias
from unrolled.nn.elman import Elman
from unrolled.nn.gru import GRU
from unrolled.nn.lstm import LSTM
from unrolled.nn.min_gru import MinGRU

H = 17
GATED = [GRU, LSTM, MinGRU]


def kept(layer, steps=1) -> torch.Tensor:
    """What the gate that keeps lets through of each unit, from its bias alone: `(H,)`."""
    x, h = torch.zeros(steps, 1, 5), torch.zeros(steps, 1, H)
    name, inverted = layer.keep_gate
    gate = layer.gates(x, h)[name][0, 0].detach()
    return 1 - gate if inverted else gate


@pytest.mark.parametrize("kind", [Elman, *GATED])
def test_defaults_change_nothing_and_draw_nothing(kind):
    torch.manual_seed(3)
    plain, following = kind(5, H), torch.rand(4)
    torch.manual_seed(3)
    layer = kind(5, H)
    initialize(layer)
    assert torch.equal(torch.rand(4), following)
    for name, value in plain.state_dict().items():
        assert torch.equal(layer.state_dict()[name], value), name


@pytest.mark.parametrize("kind", [Elman, GRU, LSTM])
def test_every_gate_of_the_recurrent_matrix_can_be_the_identity(kind):
    layer = kind(5, H)
    before = layer.weight_ih.detach().clone()
    initialize(layer, recurrent_init="identity")
    for gate in layer.weight_hh.detach().split(H):
        assert torch.equal(gate, torch.eye(H))
    if kind is Elman:  # only what it reads would add up for ever
        assert 0.0005 < layer.weight_ih.std() < 0.0015
    else:
        assert torch.equal(layer.weight_ih, before)


@pytest.mark.parametrize("kind", GATED)
@pytest.mark.parametrize("bias", [-2.0, 0.0, 3.0])
def test_the_forget_bias_is_what_is_kept(kind, bias):
    layer = kind(5, H)
    others = {name: value.clone() for name, value in layer.state_dict().items()}
    initialize(layer, forget_bias=bias)
    torch.testing.assert_close(kept(layer), torch.full((H,), bias).sigmoid())
    changed = sum(int((layer.state_dict()[name] != others[name]).sum()) for name in others)
    assert changed in (0, H)  # nothing else moves


@pytest.mark.parametrize("kind", GATED)
def test_uniform_gates_keep_all_shares_alike(kind):
    torch.manual_seed(0)
    layer = kind(5, H)
    initialize(layer, gate_init="uniform")
    share = kept(layer)
    assert share.min() >= 1 / H and share.max() <= 1 - 1 / H
    assert share.std() > 0.15
    many = uniform_bias(20_000).sigmoid()
    torch.testing.assert_close(many.sort().values, torch.linspace(0, 1, 20_000), rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", GATED)
def test_chrono_gates_reach_up_to_the_longest_time_scale(kind):
    torch.manual_seed(0)
    layer = kind(5, H)
    initialize(layer, gate_init="chrono", max_timescale=50)
    # Kept is u / (1 + u): 1 / (1 - kept) - 1 is u itself, from 1 to 49.
    u = 1 / (1 - kept(layer)) - 1
    assert u.min() > 0.99 and u.max() < 49.1 and u.max() - u.min() > 25
    many = chrono_bias(20_000, 50).exp()
    torch.testing.assert_close(many.sort().values, torch.linspace(1, 49, 20_000), rtol=0, atol=1)


def test_chrono_closes_the_input_gate_of_what_is_kept():
    layer = LSTM(5, H)
    initialize(layer, gate_init="chrono", max_timescale=50)
    inputs, forget, cell, output = layer.bias.detach().split(H)
    assert torch.equal(inputs, -forget) and forget.max() > 1
    assert not cell.any() and not output.any()
