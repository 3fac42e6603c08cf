"""The minGRU: a plain loop, the compiled kernel, and torch's products before a scan."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels
from ..errors import ShapeError
from . import sequences
from .scan import scan


def min_gru_reference(x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a minGRU over a whole sequence, step by step from its equations.

    z = sigmoid(W_z x_t + b_z),  h_t = (1 - z) * h_{t-1} + z * (W_n x_t + b_n).
    Source: Feng et al. 2024 (arXiv 2410.01201).

    Args:
        x: Inputs, `(T, B, E)`.
        h: State before the first step, `(B, H)`.
        weight: `(2H, E)`; bias: `(2H,)`, gate z before the candidate.

    Returns:
        y: State of every step, `(T, B, H)`.
        h: State after the last step, `(B, H)`; feed it back to continue the text.
    """
    steps = []
    for sums in F.linear(x, weight, bias):
        update, candidate = sums.chunk(2, -1)
        z = torch.sigmoid(update)
        h = (1 - z) * h + z * candidate
        steps.append(h)
    return torch.stack(steps), h


def min_gru(x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a minGRU over a whole sequence, fast; arguments and results as `min_gru_reference`.

    Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`, and so is
    y; the state and the weights stay in float32.

    Raises:
        ShapeError: the arguments do not belong together.
    """
    _check(x, h, weight, bias)
    dtype = sequences.precision(x, weight, bias)
    if dtype is None:
        return _torch_min_gru(x, h, weight, bias)
    train = torch.is_grad_enabled()
    run = sequences.operator(torch.ops.unrolled.min_gru, _forward)
    y, h, _ = run(x.to(dtype), h.float(), weight, bias, train)
    return y, h


def _check(x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> None:
    batch_size, hidden_size = h.shape
    if x.dim() != 3 or x.shape[1] != batch_size or 0 in x.shape or hidden_size == 0:
        raise ShapeError("x", f"(T, {batch_size}, E) with T, B, E and H >= 1", tuple(x.shape))
    if weight.shape != (2 * hidden_size, x.shape[2]):
        rule = f"(2H, E) = {(2 * hidden_size, x.shape[2])}"
        raise ShapeError("weight", rule, tuple(weight.shape))
    if bias.shape != (2 * hidden_size,):
        raise ShapeError("bias", f"(2H,) = {(2 * hidden_size,)}", tuple(bias.shape))


def _forward(
    x: Tensor, h: Tensor, weight: Tensor, bias: Tensor, train: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The kernel; `train` keeps W x + b `(T, B, 2H)` for the way back."""
    y, last, sums = _empty(x, h, train)
    rows, reuse = sequences.even(x, x.dtype), not train and len(x) == 1
    packed = sequences.pack("min_gru", weight, x.dtype, reuse)
    given = rows, packed, bias.contiguous(), last.copy_(h), sums if train else None
    kernels.call("min_gru_forward", x.dtype, *rows.shape, h.shape[1], *given, y)
    return y, last, sums


def _empty(x: Tensor, h: Tensor, train: bool) -> tuple[Tensor, Tensor, Tensor]:
    (num_steps, batch_size, _), hidden_size = x.shape, h.shape[1]
    sums = x.new_empty(num_steps if train else 0, batch_size, 2 * hidden_size)
    return x.new_empty(num_steps, *h.shape), h.new_empty(h.shape), sums


_min_gru = torch.library.custom_op("unrolled::min_gru", _forward, mutates_args=())
_min_gru.register_fake(lambda x, h, *others: _empty(x, h, others[-1]))


@torch.library.custom_op("unrolled::min_gru_backward", mutates_args=())
def _min_gru_backward(
    x: Tensor,
    h: Tensor,
    weight: Tensor,
    sums: Tensor,
    y: Tensor,
    grad_y: Tensor,
    grad_h: Tensor,
    wants_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, h, weight and bias."""
    sequences.check_kept("sums", sums, y)
    rows, weight = (sequences.even(tensor, x.dtype) for tensor in (x, weight))
    grad_x = rows.new_empty(rows.shape if wants_x else (0, *rows.shape[1:]))
    grad_y, grad_h = grad_y.contiguous(), sequences.copy(grad_h)
    grads = torch.empty_like(weight), h.new_empty(len(weight))
    given = rows, weight, h.contiguous(), sums, y, grad_y, grad_h, grad_x if wants_x else None
    kernels.call("min_gru_backward", x.dtype, *rows.shape, h.shape[1], *given, *grads)
    input_size = x.shape[2]
    return grad_x[..., :input_size], grad_h, grads[0][:, :input_size], grads[1]


@_min_gru_backward.register_fake
def _(x, h, weight, sums, y, grad_y, grad_h, wants_x):
    grad_x = x.new_empty(x.shape if wants_x else (0, *x.shape[1:]))
    return grad_x, h.new_empty(h.shape), weight.new_empty(weight.shape), h.new_empty(len(weight))


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, h, weight, _, _ = inputs
    y, _, sums = output
    ctx.save_for_backward(x, h, weight, sums, y)
    ctx.set_materialize_grads(False)


def _gradients(
    ctx: Any, grad_y: Tensor | None, grad_h: Tensor | None, *_: None
) -> tuple[Tensor | None, ...]:
    x, h, weight, sums, y = ctx.saved_tensors
    grads, wants_x = sequences.or_zeros((grad_y, grad_h), (y, h)), ctx.needs_input_grad[0]
    backward = torch.ops.unrolled.min_gru_backward
    grad_x, *others = backward(x, h, weight, sums, y, *grads, wants_x)
    return grad_x if wants_x else None, *others, None


_min_gru.register_autograd(_gradients, setup_context=_save)


def _torch_min_gru(x: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """By torch's product: for other types and devices, and where it is the faster one."""
    sums = F.linear(x.to(weight.dtype), weight, bias)
    update, candidate = sums.to(h.dtype).chunk(2, -1)
    z = torch.sigmoid(update)
    y, h = scan(1 - z, z * candidate, h)
    return y.to(sums.dtype), h
