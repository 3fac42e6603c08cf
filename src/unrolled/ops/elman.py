"""The Elman recurrence: a plain loop, the compiled kernel, and torch's own layer."""

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels
from . import sequences

Nonlinearity: TypeAlias = Literal["tanh", "relu"]


def elman_reference(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    nonlinearity: Nonlinearity = "tanh",
) -> tuple[Tensor, Tensor]:
    """Runs an Elman RNN over a whole sequence, step by step from its equation.

    h_t = tanh(W_ih x_t + W_hh h_{t-1} + b), or relu in place of tanh.  Source: Elman 1990.

    Args:
        x: Inputs, `(T, B, E)`.
        h: State before the first step, `(B, H)`.
        weight_ih: `(H, E)`; weight_hh: `(H, H)`; bias: `(H,)`.

    Returns:
        y: Hidden state of every step, `(T, B, H)`.
        h: State after the last step, `(B, H)`; feed it back to continue the text.
    """
    steps = []
    for inputs in F.linear(x, weight_ih, bias):
        h = elman_step(inputs, h @ weight_hh.T, nonlinearity)
        steps.append(h)
    return torch.stack(steps), h


def elman_step(inputs: Tensor, hidden: Tensor, nonlinearity: Nonlinearity = "tanh") -> Tensor:
    """The next h, `(B, H)`, from W_ih x + b and W_hh h, each `(B, H)`."""
    activate = {"tanh": torch.tanh, "relu": torch.relu}[nonlinearity]
    return activate(inputs + hidden)


def elman(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    nonlinearity: Nonlinearity = "tanh",
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Runs an Elman RNN over a whole sequence, fast; arguments and results as `elman_reference`.

    Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`; sums
    and weights stay in float32, and y is bfloat16.

    Args:
        batch_sizes: Given for sequences of unequal length: x and y are then `(N, ...)` as in
            `torch.nn.utils.rnn.PackedSequence`, and h the states after each one's last step.
    """
    dtype = sequences.precision(x, weight_ih, weight_hh, bias)
    if dtype is None:
        return _torch_elman(x, h, weight_ih, weight_hh, bias, nonlinearity, batch_sizes)
    sequences.check(1, x, (h,), weight_ih, weight_hh, bias)
    rows, offsets = sequences.flatten(x, len(h), batch_sizes)
    train = torch.is_grad_enabled()
    y, h = sequences.operator(torch.ops.unrolled.elman, _forward)(
        rows.to(dtype),
        h.float(),
        weight_ih,
        weight_hh,
        bias,
        offsets,
        nonlinearity == "relu",
        train,
    )
    return y if x.dim() == 2 else y.unflatten(0, x.shape[:2]), h


def _forward(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    offsets: Tensor,
    relu: bool,
    train: bool,
) -> tuple[Tensor, Tensor]:
    """The kernel; the way back needs nothing but its output."""
    sequences.check_offsets(offsets, len(x), len(h))
    y, last = _empty(x, h)
    rows, reuse = sequences.even(x, x.dtype), not train and len(offsets) == 2
    packed = (sequences.pack("elman", weight, x.dtype, reuse) for weight in (weight_ih, weight_hh))
    sizes = len(offsets) - 1, len(h), offsets, rows.shape[1], h.shape[1], int(relu)
    given = rows, *packed, bias.contiguous()
    kernels.call("elman_forward", x.dtype, *sizes, *given, last.copy_(h), y)
    return y, last


def _empty(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[0], h.shape[1]), h.new_empty(h.shape)


_elman = torch.library.custom_op("unrolled::elman", _forward, mutates_args=())
_elman.register_fake(lambda x, h, *others: _empty(x, h))


@torch.library.custom_op("unrolled::elman_backward", mutates_args=())
def _elman_backward(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    offsets: Tensor,
    y: Tensor,
    grad_y: Tensor,
    grad_h: Tensor,
    relu: bool,
    wants_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, h, weight_ih, weight_hh and bias."""
    rows, weight_ih = (sequences.even(tensor, x.dtype) for tensor in (x, weight_ih))
    sizes = len(offsets) - 1, len(h), offsets, rows.shape[1], h.shape[1], int(relu)
    weight_hh, h = weight_hh.contiguous(), h.contiguous()
    grad_x = rows.new_empty(rows.shape if wants_x else (0, rows.shape[1]))
    grad_y, grad_h = grad_y.contiguous(), sequences.copy(grad_h)
    grads = torch.empty_like(weight_ih), torch.empty_like(weight_hh), h.new_empty(len(weight_hh))
    known = rows, weight_ih, weight_hh, h, y, grad_y, grad_h
    kernels.call("elman_backward", x.dtype, *sizes, *known, grad_x if wants_x else None, *grads)
    input_size = x.shape[1]
    return grad_x[:, :input_size], grad_h, grads[0][:, :input_size], *grads[1:]


@_elman_backward.register_fake
def _(x, h, weight_ih, weight_hh, offsets, y, grad_y, grad_h, relu, wants_x):
    grad_x = x.new_empty(x.shape if wants_x else (0, x.shape[1]))
    shaped = (tensor.new_empty(tensor.shape) for tensor in (h, weight_ih, weight_hh))
    return grad_x, *shaped, h.new_empty(len(weight_hh))


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, h, weight_ih, weight_hh, _, offsets, ctx.relu, _ = inputs
    ctx.save_for_backward(x, h, weight_ih, weight_hh, offsets, output[0])
    ctx.set_materialize_grads(False)


def _gradients(ctx: Any, grad_y: Tensor | None, grad_h: Tensor | None) -> tuple[Tensor | None, ...]:
    *known, y = ctx.saved_tensors
    grads = sequences.or_zeros((grad_y, grad_h), (y, known[1]))
    wants_x = ctx.needs_input_grad[0]
    grad_x, *others = torch.ops.unrolled.elman_backward(*known, y, *grads, ctx.relu, wants_x)
    return grad_x if wants_x else None, *others, None, None, None


_elman.register_autograd(_gradients, setup_context=_save)


def _torch_elman(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    nonlinearity: Nonlinearity,
    batch_sizes: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """torch's own layer: for other types and devices, and where nothing was compiled."""
    run = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}[nonlinearity]
    weights, train = (weight_ih, weight_hh, bias, torch.zeros_like(bias)), torch.is_grad_enabled()
    if batch_sizes is None:
        y, h = run(x, h.unsqueeze(0), weights, True, 1, 0.0, train, False, False)
    else:
        y, h = run(x, batch_sizes, h.unsqueeze(0), weights, True, 1, 0.0, train, False)
    return y, h.squeeze(0)
