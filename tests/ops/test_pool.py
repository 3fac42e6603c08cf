"""The fast pooling against torch's own functions."""

import pytest
import torch
from torch import Tensor

from unrolled import kernels
from unrolled.errors import ShapeError
from unrolled.ops.pool import pool, pool_reference

torch.set_num_threads(1)

SHAPES = [(1, 1, 1), (7, 5, 17), (120, 9, 64), (3, 2, 130)]


def make(shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """States, and counts of which some are none, some all and some more."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(shape, generator=generator, requires_grad=True)
    return y, torch.randint(-1, shape[0] + 3, (shape[1],), generator=generator)


def outcome(results: tuple[Tensor, ...], y: Tensor) -> list[Tensor]:
    """Results, and the gradient of a mixture of all that is finite."""
    generator = torch.Generator().manual_seed(1)
    mixture = 0
    for result in results:
        weights = torch.randn(result.shape, generator=generator)
        mixture = mixture + (result.where(result.isfinite(), 0) * weights).sum()
    return [*results, *torch.autograd.grad(mixture, y)]


@pytest.mark.parametrize("isa", kernels.available())
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_instruction_set_equals_the_reference(monkeypatch, shape, threads, isa):
    monkeypatch.setattr(kernels, "instruction_set", lambda: isa)
    torch.set_num_threads(threads)
    y, counts = make(shape)
    for states in (y, y.detach().bfloat16().requires_grad_()):
        found = outcome(pool(states, counts), states)
        expected = outcome(pool_reference(states, counts), states)
        for one, two in zip(found, expected, strict=True):
            assert one.dtype == two.dtype
            torch.testing.assert_close(
                one, two, rtol=1e-5 if one.dtype == torch.float32 else 1e-2, atol=1e-5
            )
    torch.set_num_threads(1)


def test_counts_may_be_of_any_whole_type():
    y, counts = make((7, 5, 17))
    for dtype in (torch.int32, torch.int16):
        for one, two in zip(pool(y, counts.to(dtype)), pool(y, counts), strict=True):
            assert torch.equal(one, two)


def test_what_lies_behind_a_row_changes_nothing():
    y, counts = make((7, 5, 17))
    outside = torch.arange(7)[:, None] >= counts
    expected = outcome(pool(y, counts), y)
    for value in (torch.nan, torch.inf):
        changed = y.detach().masked_fill(outside[:, :, None], value).requires_grad_()
        for one, two in zip(outcome(pool(changed, counts), changed), expected, strict=True):
            assert torch.equal(one, two)


def test_not_a_number_is_the_greatest():
    y = torch.tensor([1.0, torch.nan, 3.0]).view(3, 1, 1)
    for result in pool(y, torch.tensor([3]))[1:]:
        assert result.isnan().all()


def test_equal_states_share_no_gradient():
    y = torch.tensor([2.0, 5.0, 5.0, 1.0]).view(4, 1, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(pool(y, torch.tensor([4]))[1], y)
    assert gradient.flatten().tolist() == [0, 1, 0, 0]


def test_states_may_lie_apart():
    y, counts = make((5, 7, 17))
    turned = y.transpose(0, 1)
    counts = torch.tensor([7, 1, 0, 4, 9])
    expected = outcome(pool_reference(turned, counts), y)
    for one, two in zip(outcome(pool(turned, counts), y), expected, strict=True):
        torch.testing.assert_close(one, two)


def test_double_precision_and_no_kernels(monkeypatch):
    y, counts = make((7, 5, 17))
    assert pool(y.double(), counts)[0].dtype == torch.float64
    expected = outcome(pool(y, counts), y)
    monkeypatch.setattr(kernels, "instruction_set", lambda: None)
    for one, two in zip(outcome(pool(y, counts), y), expected, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("counts", [torch.tensor([1]), torch.tensor(3)])
def test_counts_that_do_not_fit_are_refused(counts):
    with pytest.raises(ShapeError, match=r"counts must have shape \(B,\) for states"):
        pool(torch.zeros(3, 2, 5), counts)


def test_the_operator_keeps_torchs_rules():
    y, counts = make((7, 5, 17))
    torch.library.opcheck(torch.ops.unrolled.pool.default, (y, counts))
