"""The sampled softmax: exact where everything is drawn, unbiased where not."""

import pytest
import torch

from unrolled.ops.linear_log_probs import linear_log_probs_reference
from unrolled.ops.sampled_log_probs import Candidates, CandidateSampler, sampled_log_probs

torch.set_num_threads(1)
V = 23


def make(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(9, 5, generator=generator, dtype=dtype, requires_grad=True)
    weight = torch.randn(V, 5, generator=generator, dtype=dtype, requires_grad=True)
    bias = torch.randn(V, generator=generator, dtype=dtype, requires_grad=True)
    return hidden, weight, bias, torch.randint(V, (9,), generator=generator)


def test_with_all_candidates_it_is_the_softmax():
    inputs = make()
    everything = Candidates(torch.arange(V), torch.zeros(V, dtype=torch.float64))
    found = sampled_log_probs(*inputs, everything)
    expected = linear_log_probs_reference(*inputs)
    torch.testing.assert_close(found, expected)
    gradients = torch.autograd.grad(found.sum(), inputs[:3])
    for one, two in zip(gradients, torch.autograd.grad(expected.sum(), inputs[:3]), strict=True):
        torch.testing.assert_close(one, two)


def test_the_normalizer_is_estimated_without_bias():
    hidden, weight, bias, targets = (tensor.detach() for tensor in make())
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


def test_bfloat16_products_keep_float32_results():
    inputs = make(torch.float32)
    everything = Candidates(torch.arange(V), torch.zeros(V))
    with torch.autocast("cpu", torch.bfloat16):
        found = sampled_log_probs(*inputs, everything)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, linear_log_probs_reference(*inputs), atol=0.1, rtol=0.02)
