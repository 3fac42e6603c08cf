"""The fast softmax against torch's own functions."""

import pytest
import torch
from torch import Tensor

from unrolled import kernels
from unrolled.ops import linear_log_probs as module
from unrolled.ops.linear_log_probs import linear_log_probs, linear_log_probs_reference

torch.set_num_threads(1)


def make(rows: int, width: int, symbols: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(rows, width, generator=generator, dtype=dtype, requires_grad=True)
    weight = torch.randn(symbols, width, generator=generator, dtype=dtype, requires_grad=True)
    bias = torch.randn(symbols, generator=generator, dtype=dtype, requires_grad=True)
    return hidden, weight, bias, torch.randint(symbols, (rows,), generator=generator)


def outcome(function, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Scores and all gradients, every row with a weight of its own."""
    scores = function(*inputs)
    weights = torch.linspace(-1, 2, len(scores), dtype=scores.dtype)
    return [scores, *torch.autograd.grad((scores * weights).sum(), inputs[:3])]


@pytest.mark.parametrize("in_cache", [1, 23 * 4, 1 << 22])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (7, 5, 23), (33, 17, 23)])
def test_scores_and_gradients_equal_the_reference_however_cut(monkeypatch, sizes, in_cache):
    monkeypatch.setattr(module, "LOGITS_IN_CACHE", in_cache)
    inputs = make(*sizes, torch.float64)
    expected = outcome(linear_log_probs_reference, inputs)
    for one, two in zip(outcome(linear_log_probs, inputs), expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(linear_log_probs(*inputs), expected[0], rtol=1e-9, atol=1e-12)


def test_large_logits_do_not_overflow():
    hidden, weight, bias, targets = make(9, 5, 23, torch.float32)
    inputs = ((hidden * 1000).detach().requires_grad_(), weight, bias, targets)
    expected = outcome(linear_log_probs_reference, inputs)
    for one, two in zip(outcome(linear_log_probs, inputs), expected, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-3)


def test_bfloat16_products_keep_float32_results():
    inputs = make(33, 17, 23, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = outcome(linear_log_probs, inputs)
    for one, two in zip(found, outcome(linear_log_probs_reference, inputs), strict=True):
        assert one.dtype == torch.float32
        assert (one - two).norm() < 0.02 * two.norm()


def test_without_kernels_a_second_backward_pass_is_refused(monkeypatch):
    monkeypatch.setattr(kernels, "instruction_set", lambda: None)
    scores = linear_log_probs(*make(3, 2, 4, torch.float32)).sum()
    scores.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="for one backward pass only"):
        scores.backward()


@pytest.mark.parametrize("isa", kernels.available())
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1), (7, 5, 23), (300, 33, 130), (1000, 17, 1100), (150, 130, 1100)]
)
def test_every_instruction_set_equals_the_reference(monkeypatch, sizes, threads, isa):
    monkeypatch.setattr(kernels, "instruction_set", lambda: isa)
    torch.set_num_threads(threads)
    inputs = make(*sizes, torch.float32)
    doubles = [tensor.detach().double().requires_grad_() for tensor in inputs[:3]]
    expected = outcome(linear_log_probs_reference, (*doubles, inputs[3]))
    found = outcome(linear_log_probs, inputs)
    with torch.no_grad():
        monkeypatch.setattr(module, "MANY_ROWS", 0)
        found.append(linear_log_probs(*inputs))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = outcome(linear_log_probs, inputs)
    torch.set_num_threads(1)
    for one, two in zip(found, [*expected, expected[0]], strict=True):
        assert (one - two).norm() <= 3e-6 * two.norm() + 1e-6
    for one, two in zip(rounded, expected, strict=True):
        assert (one - two).norm() <= 0.02 * two.norm() + 1e-2


def test_the_operator_keeps_torchs_rules():
    hidden, weight, bias, targets = make(6, 4, 9, torch.float32)
    operator = torch.ops.unrolled.linear_log_probs.default
    torch.library.opcheck(operator, (hidden, weight, bias, targets, True))


@pytest.mark.parametrize("token", [-1, 23])
def test_targets_outside_the_vocabulary_are_refused(token):
    hidden, weight, bias, targets = make(7, 5, 23, torch.float32)
    targets[3] = token
    with pytest.raises(IndexError, match="targets must be from 0 to 22"):
        linear_log_probs(hidden, weight, bias, targets)
