"""Dropout by computed masks: against the reference, and as random as it has to be."""

import pytest
import torch
from torch import Tensor

from unrolled import kernels
from unrolled.ops.dropout import (
    dropout,
    dropout_reference,
    embedding_dropout,
    locked_dropout,
    weight_dropout,
)

torch.set_num_threads(1)

SHAPES = [(1,), (17,), (9, 130), (300, 301)]
"""Less than a vector, odd, and enough for several threads."""


@pytest.mark.parametrize("isa", kernels.available())
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_instruction_set_equals_the_reference(monkeypatch, shape, threads, isa):
    monkeypatch.setattr(kernels, "instruction_set", lambda: isa)
    torch.manual_seed(0)
    x, mixture = torch.randn(shape, requires_grad=True), torch.randn(shape)
    torch.set_num_threads(threads)
    for seed in (0, 1 << 40, (1 << 62) - 1):
        arguments = 3 << 30, torch.tensor(seed)
        y = torch.ops.unrolled.dropout(x, *arguments)
        expected = dropout_reference(x, *arguments)
        gradients = [torch.autograd.grad(each, x, mixture)[0] for each in (y, expected)]
        assert torch.equal(y, expected)
        assert torch.equal(*gradients)
    torch.set_num_threads(1)


def kept(p: float) -> Tensor:
    return dropout(torch.ones(400, 500), p) > 0


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9])
def test_elements_are_dropped_independently(p):
    torch.manual_seed(0)
    found = kept(p).double()
    deviation = (p * (1 - p)) ** 0.5
    assert found.mean().item() == pytest.approx(1 - p, abs=4 * deviation / 200_000**0.5)
    for dim, size in ((0, 400), (1, 500)):  # no row and no column is favoured
        assert found.mean(dim).std().item() == pytest.approx(deviation / size**0.5, rel=0.2)
    other = kept(p).double()
    pairs = ((found, other), (found[:, 1:], found[:, :-1]), (found[1:], found[:-1]))
    for one, two in pairs:  # neither with the next mask nor with its neighbours
        correlation = ((one - 1 + p) * (two - 1 + p)).mean() / deviation**2
        assert abs(correlation.item()) < 0.01


def test_expectations_stay():
    torch.manual_seed(0)
    y = dropout(torch.full((1000, 1000), 2.0), 0.3)
    assert y.unique().tolist() == pytest.approx([0, 2 / 0.7])
    assert y.mean().item() == pytest.approx(2, abs=0.01)


def test_everything_may_be_dropped():
    assert not dropout(torch.ones(300, 300), 1.0).any()


def test_the_seed_decides():
    torch.manual_seed(3)
    first, second = kept(0.5), kept(0.5)
    torch.manual_seed(3)
    assert torch.equal(kept(0.5), first)
    assert not torch.equal(second, first)


def test_without_kernels_torch_stands_in(monkeypatch):
    monkeypatch.setattr(kernels, "instruction_set", lambda: None)
    torch.manual_seed(0)
    assert kept(0.3).double().mean().item() == pytest.approx(0.7, abs=0.01)
    assert dropout(torch.ones(3).double(), 0.3).dtype == torch.float64


def test_the_operator_keeps_torchs_rules():
    x = torch.randn(5, 7, requires_grad=True)
    torch.library.opcheck(torch.ops.unrolled.dropout.default, (x, 1 << 31, torch.tensor(7)))


torch.set_num_threads(1)
P = 0.3


def test_locked_dropout_keeps_its_mask_over_time_and_scales():
    torch.manual_seed(0)
    y = locked_dropout(torch.ones(9, 50, 40), P, training=True)
    assert torch.equal(y, y[:1].expand_as(y))
    assert torch.equal(y.unique(), torch.tensor([0.0, 1 / (1 - P)]))
    assert (y[0] == 0).float().mean().item() == pytest.approx(P, abs=0.03)
    assert not torch.equal(y[:, 0], y[:, 1])


def test_embedding_dropout_zeroes_whole_word_types():
    torch.manual_seed(0)
    tokens = torch.randint(200, (8, 500))
    y = embedding_dropout(tokens, 200, P, training=True)
    assert y is not None
    assert y.shape == tokens.shape
    dropped = y == 0
    types = set(tokens[dropped].tolist())
    assert types.isdisjoint(tokens[~dropped].tolist())
    assert len(types) / 200 == pytest.approx(P, abs=0.1)
    assert y[~dropped].unique().tolist() == pytest.approx([1 / (1 - P)])


def test_weight_dropout_drops_single_weights_and_their_gradients():
    torch.manual_seed(0)
    weight = torch.ones(200, 50, requires_grad=True)
    y = weight_dropout(weight, P, training=True)
    assert (y == 0).float().mean().item() == pytest.approx(P, abs=0.02)
    assert y.max().item() == pytest.approx(1 / (1 - P))
    y.sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad == 0, y == 0)


@pytest.mark.parametrize(("p", "training"), [(P, False), (0.0, True)])
def test_off_means_untouched(p, training):
    x, tokens = torch.randn(4, 3, 2), torch.zeros(4, 3, dtype=torch.int64)
    assert locked_dropout(x, p, training) is x
    assert embedding_dropout(tokens, 5, p, training) is None
    assert weight_dropout(x, p, training) is x
