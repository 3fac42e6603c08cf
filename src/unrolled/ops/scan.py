"""The diagonal linear recurrence: a plain loop and the compiled kernel."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import kernels
from ..errors import ShapeError
from .check import check_shape, check_tensors


def scan_reference(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a diagonal linear recurrence over a whole sequence, step by step.

    h_t = a_t * h_{t-1} + b_t, every channel on its own.  Source: Martin & Cundy 2018.

    Args:
        a, b: What is kept of the state and what is added to it, each `(T, B, H)`.
        h: State before the first step, `(B, H)`.

    Returns:
        y: State of every step, `(T, B, H)`.
        h: State after the last step, `(B, H)`; feed it back to continue the text.
    """
    steps = []
    for keep, new in zip(a, b, strict=True):
        h = keep * h + new
        steps.append(h)
    return torch.stack(steps), h


def scan(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a diagonal linear recurrence, fast; arguments and results as `scan_reference`.

    Always computed in float32 or wider: it is the memory, and its cost is that of reading a and b.

    Raises:
        ShapeError: a, b and h do not belong together.
        TensorError: one of them is not floating point, or on another device.
    """
    check_tensors(a=a, b=b, h=h)
    if a.dim() != 3 or 0 in a.shape:
        raise ShapeError("a", "(T, B, H) with T >= 1", tuple(a.shape))
    check_shape("b", b, a.shape, "(T, B, H)")
    check_shape("h", h, a.shape[1:], "(B, H)")
    if torch.float64 in (a.dtype, b.dtype, h.dtype) or not kernels.supports(
        a.device, torch.float32
    ):
        return scan_reference(a, b, h)
    y = torch.ops.unrolled.scan(a.float(), b.float(), h.float())
    return y, y[-1]


@torch.library.custom_op("unrolled::scan", mutates_args=())
def _scan(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    y = a.new_empty(a.shape)
    given = (tensor.contiguous() for tensor in (a, b, h))
    kernels.call("scan_forward", a.dtype, len(a), h.numel(), *given, y)
    return y


@_scan.register_fake
def _(a, b, h):
    return a.new_empty(a.shape)


@torch.library.custom_op("unrolled::scan_backward", mutates_args=())
def _scan_backward(
    a: Tensor, h: Tensor, y: Tensor, grad_y: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a, b and h."""
    grad_a, grad_b, grad_h = a.new_empty(a.shape), kernels.copy(grad_y), h.new_zeros(h.shape)
    given = a.contiguous(), h.contiguous(), y, grad_b, grad_h
    kernels.call("scan_backward", a.dtype, len(a), h.numel(), *given, grad_a)
    return grad_a, grad_b, grad_h


@_scan_backward.register_fake
def _(a, h, y, grad_y):
    return a.new_empty(a.shape), a.new_empty(a.shape), h.new_empty(h.shape)


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs, output)


def _gradients(ctx: Any, grad_y: Tensor) -> Sequence[Tensor | None]:
    a, b, h, y = ctx.saved_tensors
    if torch.is_grad_enabled():
        run, inputs = (lambda *of: scan_reference(*of)[:1]), (a, b, h)
        return tuple(kernels.gradients_by_torch(run, inputs, [grad_y]))
    return torch.ops.unrolled.scan_backward(a, h, y, grad_y)


_scan.register_autograd(_gradients, setup_context=_save)
