"""The fast softmax against torch's own functions."""

import pytest
import torch
from torch import Tensor

from unrolled import kernels
from unrolled.ops import linear_log_probs as module
from unrolled.ops.linear_log_probs import (
    Candidates,
    CandidateSampler,
    linear_log_probs,
    linear_log_probs_reference,
    sampled_log_probs,
)

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


V = 23


def make_few(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(9, 5, generator=generator, dtype=dtype, requires_grad=True)
    weight = torch.randn(V, 5, generator=generator, dtype=dtype, requires_grad=True)
    bias = torch.randn(V, generator=generator, dtype=dtype, requires_grad=True)
    return hidden, weight, bias, torch.randint(V, (9,), generator=generator)


def test_with_all_candidates_it_is_the_softmax():
    inputs = make_few()
    everything = Candidates(torch.arange(V), torch.zeros(V, dtype=torch.float64))
    found = sampled_log_probs(*inputs, everything)
    expected = linear_log_probs_reference(*inputs)
    torch.testing.assert_close(found, expected)
    gradients = torch.autograd.grad(found.sum(), inputs[:3])
    for one, two in zip(gradients, torch.autograd.grad(expected.sum(), inputs[:3]), strict=True):
        torch.testing.assert_close(one, two)


def test_the_normalizer_is_estimated_without_bias():
    hidden, weight, bias, targets = (tensor.detach() for tensor in make_few())
    sampler = CandidateSampler(torch.linspace(0, -4, V).double().log_softmax(0), 10)
    own = hidden @ weight.T + bias
    own = own.gather(1, targets[:, None])[:, 0]
    torch.manual_seed(0)
    draws = [
        (own - sampled_log_probs(hidden, weight, bias, targets, sampler.draw())).exp()
        for _ in range(4000)
    ]
    mean, error = torch.stack(draws).mean(0), torch.stack(draws).std(0) / 4000**0.5
    expected = (own - linear_log_probs_reference(hidden, weight, bias, targets)).exp()
    assert ((mean - expected).abs() < 4 * error).all()


@pytest.mark.parametrize("num_candidates", [3, 10, 22])
def test_as_many_are_drawn_as_asked_for_and_frequent_ones_always(num_candidates):
    log_probs = torch.linspace(0, -9, V).log_softmax(0)
    sampler = CandidateSampler(log_probs, num_candidates)
    assert sampler.inclusion.sum().item() == pytest.approx(num_candidates, rel=1e-3)
    assert (sampler.inclusion.diff() <= 0).all()
    assert sampler.inclusion[0] == 1 or num_candidates == 3
    torch.manual_seed(0)
    drawn = torch.zeros(V)
    for _ in range(2000):
        candidates = sampler.draw()
        assert len(candidates.ids) == len(candidates.ids.unique()) == num_candidates
        drawn[candidates.ids] += 1
        expected = sampler.inclusion[candidates.ids].log().float()
        assert torch.equal(candidates.log_inclusion, expected)
    torch.testing.assert_close(drawn / 2000, sampler.inclusion.float(), atol=0.05, rtol=0)


def test_bfloat16_products_of_candidates_keep_float32_results():
    inputs = make_few(torch.float32)
    everything = Candidates(torch.arange(V), torch.zeros(V))
    with torch.autocast("cpu", torch.bfloat16):
        found = sampled_log_probs(*inputs, everything)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, linear_log_probs_reference(*inputs), atol=0.1, rtol=0.02)
