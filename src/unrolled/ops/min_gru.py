"""The recurrence of the minGRU behind its products: a plain loop and the compiled kernel."""

from typing import Any

import torch
from torch import Tensor

from .. import kernels
from ..errors import ShapeError
from . import sequences


def min_gru_reference(sums: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a minGRU over a whole sequence, step by step from its equations.

    z = sigmoid(s_z),  h_t = (1 - z) * h_{t-1} + z * s_n  with  s = W x + b.
    Source: Feng et al. 2024 (arXiv 2410.01201).

    Args:
        sums: s of every step, `(T, B, 2H)`, s_z before s_n.
        h: State before the first step, `(B, H)`.

    Returns:
        y: State of every step, `(T, B, H)`.
        h: State after the last step, `(B, H)`; feed it back to continue the text.
    """
    steps = []
    for update, candidate in zip(*sums.chunk(2, -1), strict=True):
        z = torch.sigmoid(update)
        h = (1 - z) * h + z * candidate
        steps.append(h)
    return torch.stack(steps), h


def min_gru(sums: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a minGRU over a whole sequence, fast; arguments and results as `min_gru_reference`.

    The state stays in float32; sums in bfloat16 give y in bfloat16 where
    `kernels.bfloat16_works()`.

    Raises:
        ShapeError: sums and h do not belong together.
    """
    batch_size, hidden_size = h.shape
    fits = sums.dim() == 3 and sums.shape[1:] == (batch_size, 2 * hidden_size)
    if not fits or 0 in sums.shape:
        rule = f"(T, {batch_size}, {2 * hidden_size}) with T, B and H >= 1"
        raise ShapeError("sums", rule, tuple(sums.shape))
    if sums.dtype == torch.float64 or not kernels.supports(sums.device, torch.float32):
        return min_gru_reference(sums.to(h.dtype), h)
    if not kernels.supports(sums.device, sums.dtype):
        sums = sums.float()
    return sequences.operator(torch.ops.unrolled.min_gru, _forward)(sums, h.float())


def _forward(sums: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    y, last = _empty(sums, h)
    sizes = len(sums), *h.shape
    kernels.call("min_gru_forward", sums.dtype, *sizes, sums.contiguous(), last.copy_(h), y)
    return y, last


def _empty(sums: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    return sums.new_empty(sums.shape[0], *h.shape), h.new_empty(h.shape)


_min_gru = torch.library.custom_op("unrolled::min_gru", _forward, mutates_args=())
_min_gru.register_fake(_empty)


@torch.library.custom_op("unrolled::min_gru_backward", mutates_args=())
def _min_gru_backward(
    sums: Tensor, h: Tensor, y: Tensor, grad_y: Tensor, grad_h: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of sums and h."""
    grad_sums, grad_h = sums.new_empty(sums.shape), sequences.copy(grad_h)
    known = sums.contiguous(), h.contiguous(), y, grad_y.contiguous()
    kernels.call("min_gru_backward", sums.dtype, len(sums), *h.shape, *known, grad_h, grad_sums)
    return grad_sums, grad_h


@_min_gru_backward.register_fake
def _(sums, h, y, grad_y, grad_h):
    return sums.new_empty(sums.shape), h.new_empty(h.shape)


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, output[0])
    ctx.set_materialize_grads(False)


def _gradients(ctx: Any, grad_y: Tensor | None, grad_h: Tensor | None) -> tuple[Tensor, Tensor]:
    sums, h, y = ctx.saved_tensors
    grads = sequences.or_zeros((grad_y, grad_h), (y, h))
    return torch.ops.unrolled.min_gru_backward(sums, h, y, *grads)


_min_gru.register_autograd(_gradients, setup_context=_save)
