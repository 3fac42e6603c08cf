"""Pooling of states over the steps that belong to each row: the last, the greatest, the sum."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import kernels
from ..errors import ShapeError
from .check import check_tensors, check_whole


def pool_reference(y: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Last, greatest and sum of each row's own states, from torch's own functions.

    Args:
        y: States, `(T, B, H)`.
        counts: How many steps of each row count, `(B,)`, from the first on; more than T are T, and
            fewer than 1 none: last and sum are then 0, and the greatest -inf.

    Returns:
        Each `(B, H)`, float32 or wider. The gradient of the greatest goes to the first of equals.
    """
    y = y.float() if y.dtype != torch.float64 else y
    counts = counts.long().clamp(0, len(y))
    outside = (torch.arange(len(y), device=y.device)[:, None] >= counts)[:, :, None]
    greatest = y.masked_fill(outside, -torch.inf).max(0).values
    kept = y.masked_fill(outside, 0)
    last = kept[(counts - 1).clamp(min=0), torch.arange(y.shape[1])]
    return last, greatest, kept.sum(0)


def pool(y: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same in one pass each way; see `pool_reference`.

    Raises:
        ShapeError: y and counts do not belong together.
        TensorError: y is not floating point, counts are not whole, or on another device.
    """
    check_tensors(y=y)
    check_whole("counts", counts, y.device)
    if y.dim() != 3 or 0 in y.shape or counts.shape != y.shape[1:2]:
        rule = f"(B,) for states (T, B, H) = {tuple(y.shape)}"
        raise ShapeError("counts", rule, tuple(counts.shape))
    known = y.dtype in (torch.float32, torch.bfloat16)
    if not known or not kernels.supports(y.device, torch.float32):
        return pool_reference(y, counts)
    return torch.ops.unrolled.pool(y, counts.long())[:3]


@torch.library.custom_op("unrolled::pool", mutates_args=())
def _pool(y: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The kernel; the last result is where the greatest are, for the way back."""
    results = _empty(y, counts)
    kernels.call("pool_forward", y.dtype, *y.shape, counts.contiguous(), y.contiguous(), *results)
    return results


@_pool.register_fake
def _empty(y: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    last, greatest, total = (y.new_empty(y.shape[1:], dtype=torch.float32) for _ in range(3))
    return last, greatest, total, y.new_empty(y.shape[1:], dtype=torch.int32)


@torch.library.custom_op("unrolled::pool_backward", mutates_args=())
def _backward(
    y: Tensor, counts: Tensor, places: Tensor, last: Tensor, greatest: Tensor, total: Tensor
) -> Tensor:
    """The gradient of y, whose values do not matter, from those of the results."""
    grad_y = torch.empty_like(y, memory_format=torch.contiguous_format)
    given = (tensor.contiguous() for tensor in (counts, places, last, greatest, total))
    kernels.call("pool_backward", y.dtype, *y.shape, *given, grad_y)
    return grad_y


@_backward.register_fake
def _(y, counts, places, last, greatest, total):
    return torch.empty_like(y, memory_format=torch.contiguous_format)


def _save(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, ...]) -> None:
    *_, places = output
    ctx.mark_non_differentiable(places)
    ctx.save_for_backward(*inputs, places)
    ctx.set_materialize_grads(False)


def _gradients(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, None]:
    y, counts, places = ctx.saved_tensors
    if torch.is_grad_enabled():
        run = partial(pool_reference, counts=counts)
        return kernels.gradients_by_torch(run, [y], gradients[:3])[0], None
    results = (torch.empty(places.shape),) * 3
    known = kernels.or_zeros(gradients[:3], results)
    return torch.ops.unrolled.pool_backward(y, counts, places, *known), None


_pool.register_autograd(_gradients, setup_context=_save)
