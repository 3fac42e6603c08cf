"""The fast embedding against torch's own functions."""

import pytest
import torch
from torch import Tensor

from unrolled import kernels
from unrolled.errors import ShapeError, TensorError
from unrolled.ops.embedding import embedding, embedding_reference

torch.set_num_threads(1)

SHAPES = [((1,), 1, 1), ((7, 9), 5, 17), ((3, 50), 40, 64), ((2, 3, 5), 4, 130)]
"""Tokens, V, E: rows that are met never, once and often; odd widths, one vector and several."""


def make(shape: tuple[int, ...], vocab_size: int, width: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(vocab_size, width, generator=generator, requires_grad=True)
    tokens = torch.randint(vocab_size, shape, generator=generator)
    return tokens, weight, torch.randn(shape, generator=generator)


def outcome(y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """A result, and the gradient of a mixture of all its elements."""
    mixture = torch.linspace(-1, 2, y.numel()).view(y.shape)
    return y, *torch.autograd.grad((y.to(weight.dtype) * mixture).sum(), weight)


@pytest.mark.parametrize("isa", kernels.available())
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("sizes", SHAPES)
def test_every_instruction_set_equals_the_reference(monkeypatch, sizes, scaled, threads, isa):
    monkeypatch.setattr(kernels, "instruction_set", lambda: isa)
    tokens, weight, factors = make(*sizes)
    given = factors if scaled else None
    torch.set_num_threads(threads)
    found = outcome(embedding(tokens, weight, given), weight)
    rounded = outcome(embedding(tokens, weight, given, torch.bfloat16), weight)
    torch.set_num_threads(1)
    exact = weight.detach().double().requires_grad_()
    expected = outcome(embedding_reference(tokens, exact, given), exact)
    for one, two in zip(found, expected, strict=True):
        assert (one - two).norm() <= 2e-7 * two.norm()
    assert rounded[0].dtype == torch.bfloat16
    assert torch.equal(rounded[0], found[0].bfloat16())  # rounded once, to nearest
    assert (rounded[1] - expected[1]).norm() <= 4e-3 * expected[1].norm()


def test_gradients_of_bfloat16_rows_are_summed_in_float32():
    weight = torch.zeros(2, 3, requires_grad=True)
    y = embedding(torch.zeros(1000, dtype=torch.int64), weight, dtype=torch.bfloat16)
    y.backward(torch.ones_like(y))
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1000] * 3, [0] * 3]  # bfloat16 would end at 256


def test_without_kernels_torch_stands_in(monkeypatch):
    tokens, weight, factors = make((7, 9), 5, 17)
    expected = outcome(embedding(tokens, weight, factors), weight)
    monkeypatch.setattr(kernels, "instruction_set", lambda: None)
    for one, two in zip(outcome(embedding(tokens, weight, factors), weight), expected, strict=True):
        torch.testing.assert_close(one, two)
    assert embedding(tokens, weight, factors, torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_stay(dtype):
    tokens, weight, _ = make((7,), 5, 3)
    found = embedding(tokens, weight.to(dtype))
    assert found.dtype == dtype
    assert torch.equal(found, weight.to(dtype)[tokens])


@pytest.mark.parametrize("shape", [(), (1,), (100,)])
def test_without_gradients_it_is_the_same(shape):
    tokens, weight, factors = make(shape, 5, 3)
    with torch.no_grad():
        found = embedding(tokens, weight, factors, torch.bfloat16)
    expected = embedding(tokens, weight, factors, torch.bfloat16).detach()
    assert found.shape == (*shape, 3)
    assert torch.equal(found, expected)


def test_what_is_no_token_is_refused():
    tokens, weight, factors = make((7, 9), 5, 3)
    with pytest.raises(TensorError, match="tokens must be of type torch.int64 or torch.int32, got"):
        embedding(tokens.float(), weight)
    with pytest.raises(ShapeError, match=r"factors must have shape .* = \(7, 9\), got"):
        embedding(tokens, weight, factors[0])


def test_no_tokens_are_no_rows():
    weight = torch.ones(5, 3, requires_grad=True)
    y = embedding(torch.zeros(0, 4, dtype=torch.int64), weight)
    assert y.shape == (0, 4, 3)
    y.sum().backward()
    assert weight.grad is not None
    assert not weight.grad.any()


def test_tokens_and_factors_may_lie_apart():
    tokens, weight, factors = make((1, 7, 9), 5, 17)
    apart = tokens[..., 4].T, factors[..., 4].T  # flat views, nine elements apart
    together = (tensor.contiguous() for tensor in apart)
    expected = outcome(embedding(next(together), weight, next(together)), weight)
    found = outcome(embedding(apart[0], weight, apart[1]), weight)
    for one, two in zip(found, expected, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("token", [-1, 5])
def test_tokens_outside_the_vocabulary_are_refused(token):
    tokens, weight, _ = make((7,), 5, 3)
    tokens[3] = token
    with pytest.raises(IndexError, match="tokens must be from 0 to 4"):
        embedding(tokens, weight)


def test_the_operator_keeps_torchs_rules():
    tokens, weight, factors = make((7,), 5, 3)
    operator = torch.ops.unrolled.embedding.default
    for given in (factors, None):
        torch.library.opcheck(operator, (tokens, weight, given, torch.float32))
    torch.library.opcheck(operator, (tokens, weight, factors, torch.bfloat16))
