"""The long short-term memory: a plain loop, the compiled kernel, and torch's own layer."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels
from . import sequences


def lstm_reference(
    x: Tensor, h: Tensor, c: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs an LSTM over a whole sequence, step by step from its equations.

    i, f, o = sigmoid(W_ih x_t + W_hh h_{t-1} + b),  g = tanh(same with its own rows),
    c_t = f * c_{t-1} + i * g,  h_t = o * tanh(c_t).
    Source: Hochreiter & Schmidhuber 1997; forget gate Gers et al. 2000.

    Args:
        x: Inputs, `(T, B, E)`.
        h, c: State before the first step, each `(B, H)`.
        weight_ih: `(4H, E)`; weight_hh: `(4H, H)`; bias: `(4H,)`, gates i, f, g, o.

    Returns:
        y: Hidden state of every step, `(T, B, H)`.
        h, c: State after the last step, each `(B, H)`; feed them back to continue the text.
    """
    steps = []
    for inputs in F.linear(x, weight_ih, bias):
        h, c = lstm_step(inputs, h @ weight_hh.T, c)
        steps.append(h)
    return torch.stack(steps), h, c


def lstm_step(
    inputs: Tensor, hidden: Tensor, c: Tensor, normalize: Callable[[Tensor], Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """The next h and c, each `(B, H)`, from W_ih x + b and W_hh h, each `(B, 4H)`, and c.

    Args:
        normalize: Given, it is applied to c where the output looks at it.
    """
    sums = inputs + hidden
    i, f, o = lstm_gates(sums)
    c = f * c + i * torch.tanh(sums.chunk(4, -1)[2])
    return o * torch.tanh(c if normalize is None else normalize(c)), c


def lstm_gates(sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Input, forget and output gate, each `(..., H)`, from W_ih x + W_hh h + b, `(..., 4H)`."""
    i, f, _, o = sums.chunk(4, -1)
    return torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)


def lstm(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Runs an LSTM over a whole sequence, fast; arguments and results as `lstm_reference`.

    Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`; sums,
    cell state and weights stay in float32, and y is bfloat16.

    Args:
        batch_sizes: Given for sequences of unequal length: x and y are then `(N, ...)` as in
            `torch.nn.utils.rnn.PackedSequence`, and h, c the states after each one's last step.
    """
    dtype = sequences.precision(x, weight_ih, weight_hh, bias)
    if dtype is None:
        return _torch_lstm(x, h, c, weight_ih, weight_hh, bias, batch_sizes)
    sequences.check(4, x, (h, c), weight_ih, weight_hh, bias)
    rows, offsets = sequences.flatten(x, len(h), batch_sizes)
    train = torch.is_grad_enabled()
    y, h, c, _, _ = sequences.operator(torch.ops.unrolled.lstm, _forward)(
        rows.to(dtype), h.float(), c.float(), weight_ih, weight_hh, bias, offsets, train
    )
    return y if x.dim() == 2 else y.unflatten(0, x.shape[:2]), h, c


def _forward(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    offsets: Tensor,
    train: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The kernel; `train` keeps what the way back needs: gates `(N, 4H)`, cells `(N, H)`."""
    sequences.check_offsets(offsets, len(x), len(h))
    y, last_h, last_c, gates, cells = _empty(x, h, c, train)
    rows, reuse = sequences.even(x, x.dtype), not train and len(offsets) == 2
    packed = (sequences.pack("lstm", weight, x.dtype, reuse) for weight in (weight_ih, weight_hh))
    sizes = len(offsets) - 1, len(h), offsets, rows.shape[1], h.shape[1]
    given = rows, *packed, bias.contiguous()
    states = last_h.copy_(h), last_c.copy_(c)
    kept = (gates, cells) if train else (None, None)
    kernels.call("lstm_forward", x.dtype, *sizes, *given, *states, *kept, y)
    return y, last_h, last_c, gates, cells


def _empty(
    x: Tensor, h: Tensor, c: Tensor, train: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    (num_rows, _), hidden_size = x.shape, h.shape[1]
    y, num_kept = x.new_empty(num_rows, hidden_size), num_rows if train else 0
    gates, cells = (x.new_empty(num_kept, width) for width in (4 * hidden_size, hidden_size))
    return y, h.new_empty(h.shape), c.new_empty(c.shape), gates, cells


_lstm = torch.library.custom_op("unrolled::lstm", _forward, mutates_args=())
_lstm.register_fake(lambda x, h, c, *others: _empty(x, h, c, others[-1]))


@torch.library.custom_op("unrolled::lstm_backward", mutates_args=())
def _lstm_backward(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    offsets: Tensor,
    gates: Tensor,
    cells: Tensor,
    y: Tensor,
    grad_y: Tensor,
    grad_h: Tensor,
    grad_c: Tensor,
    wants_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, h, c, weight_ih, weight_hh and bias."""
    sequences.check_kept("gates", gates, y)
    rows, weight_ih = (sequences.even(tensor, x.dtype) for tensor in (x, weight_ih))
    sizes = len(offsets) - 1, len(h), offsets, rows.shape[1], h.shape[1]
    weight_hh, h, c = (tensor.contiguous() for tensor in (weight_hh, h, c))
    grad_x = rows.new_empty(rows.shape if wants_x else (0, rows.shape[1]))
    grad_h, grad_c = (sequences.copy(grad) for grad in (grad_h, grad_c))
    grads = torch.empty_like(weight_ih), torch.empty_like(weight_hh), h.new_empty(len(weight_hh))
    known = rows, weight_ih, weight_hh, h, c, gates, cells, y, grad_y.contiguous()
    wanted = grad_x if wants_x else None
    kernels.call("lstm_backward", x.dtype, *sizes, *known, grad_h, grad_c, wanted, *grads)
    input_size = x.shape[1]
    return grad_x[:, :input_size], grad_h, grad_c, grads[0][:, :input_size], *grads[1:]


@_lstm_backward.register_fake
def _(x, h, c, weight_ih, weight_hh, offsets, gates, cells, y, grad_y, grad_h, grad_c, wants_x):
    grad_x = x.new_empty(x.shape if wants_x else (0, x.shape[1]))
    shaped = (tensor.new_empty(tensor.shape) for tensor in (h, c, weight_ih, weight_hh))
    return grad_x, *shaped, h.new_empty(len(weight_hh))


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, h, c, weight_ih, weight_hh, _, offsets, _ = inputs
    y, _, _, gates, cells = output
    ctx.save_for_backward(x, h, c, weight_ih, weight_hh, offsets, gates, cells, y)
    ctx.set_materialize_grads(False)


def _gradients(
    ctx: Any, grad_y: Tensor | None, grad_h: Tensor | None, grad_c: Tensor | None, *_: None
) -> tuple[Tensor | None, ...]:
    *known, y = ctx.saved_tensors
    grads = sequences.or_zeros((grad_y, grad_h, grad_c), (y, *known[1:3]))
    wants_x = ctx.needs_input_grad[0]
    grad_x, *others = torch.ops.unrolled.lstm_backward(*known, y, *grads, wants_x)
    return grad_x if wants_x else None, *others, None, None


_lstm.register_autograd(_gradients, setup_context=_save)


def _torch_lstm(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    batch_sizes: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """torch's own layer: for other types and devices, and where nothing was compiled."""
    weights = (weight_ih, weight_hh, bias, torch.zeros_like(bias))
    state = (h.unsqueeze(0), c.unsqueeze(0))
    train = torch.is_grad_enabled()
    # oneDNN's bfloat16 LSTM is refused by processors without the instructions.
    bfloat16 = torch.is_autocast_enabled("cpu") and kernels.torch_is_faster()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        x = x if bfloat16 else x.to(weight_ih.dtype)
        if batch_sizes is None:
            y, h, c = torch.lstm(x, state, weights, True, 1, 0.0, train, False, False)
        else:
            y, h, c = torch.lstm(x, batch_sizes, state, weights, True, 1, 0.0, train, False)
    return y, h.squeeze(0), c.squeeze(0)
