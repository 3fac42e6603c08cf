"""The gated recurrent unit: a plain loop, the compiled kernel, and torch's own layer."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels
from . import sequences


def gru_reference(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
) -> tuple[Tensor, Tensor]:
    """Runs a GRU over a whole sequence, step by step from its equations.

    r = sigmoid(W_ir x + b_ir + W_hr h + b_hr),  z = sigmoid(W_iz x + b_iz + W_hz h + b_hz),
    n = tanh(W_in x + b_in + r * (W_hn h + b_hn)),  h_t = (1 - z) * n + z * h_{t-1}.
    Source: Cho et al. 2014; the reset gate after the product, as torch and cuDNN have it.

    Args:
        x: Inputs, `(T, B, E)`.
        h: State before the first step, `(B, H)`.
        weight_ih: `(3H, E)`; weight_hh: `(3H, H)`; bias_ih, bias_hh: `(3H,)`, gates r, z, n.

    Returns:
        y: Hidden state of every step, `(T, B, H)`.
        h: State after the last step, `(B, H)`; feed it back to continue the text.
    """
    steps = []
    for inputs in F.linear(x, weight_ih, bias_ih):
        h = gru_step(inputs, F.linear(h, weight_hh, bias_hh), h)
        steps.append(h)
    return torch.stack(steps), h


def gru_step(inputs: Tensor, hidden: Tensor, h: Tensor) -> Tensor:
    """The next h, `(B, H)`, from W_ih x + b_ih and W_hh h + b_hh, each `(B, 3H)`, and h."""
    reset, update = gru_gates(inputs, hidden)
    candidate = torch.tanh(inputs.chunk(3, -1)[2] + reset * hidden.chunk(3, -1)[2])
    return (1 - update) * candidate + update * h


def gru_gates(inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """Reset and update gate, r and z, each `(..., H)`, from the same sums, each `(..., 3H)`."""
    input_r, input_z, _ = inputs.chunk(3, -1)
    hidden_r, hidden_z, _ = hidden.chunk(3, -1)
    return torch.sigmoid(input_r + hidden_r), torch.sigmoid(input_z + hidden_z)


def gru(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    batch_sizes: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Runs a GRU over a whole sequence, fast; arguments and results as `gru_reference`.

    Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`; sums,
    state and weights stay in float32, and y is bfloat16.

    Args:
        batch_sizes: Given for sequences of unequal length: x and y are then `(N, ...)` as in
            `torch.nn.utils.rnn.PackedSequence`, and h the states after each one's last step.
    """
    dtype = sequences.precision(x, weight_ih, weight_hh, bias_ih, bias_hh)
    if dtype is None:
        return _torch_gru(x, h, weight_ih, weight_hh, bias_ih, bias_hh, batch_sizes)
    sequences.check(3, x, (h,), weight_ih, weight_hh, bias_ih, bias_hh)
    rows, offsets = sequences.flatten(x, len(h), batch_sizes)
    train = torch.is_grad_enabled()
    y, h, _, _ = sequences.operator(torch.ops.unrolled.gru, _forward)(
        rows.to(dtype), h.float(), weight_ih, weight_hh, bias_ih, bias_hh, offsets, train
    )
    return y if x.dim() == 2 else y.unflatten(0, x.shape[:2]), h


def _forward(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    offsets: Tensor,
    train: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The kernel; `train` keeps what the way back needs: gates `(N, 3H)`, candidates `(N, H)`."""
    sequences.check_offsets(offsets, len(x), len(h))
    y, last, gates, candidates = _empty(x, h, train)
    rows, reuse = sequences.even(x, x.dtype), not train and len(offsets) == 2
    packed = (sequences.pack("gru", weight, x.dtype, reuse) for weight in (weight_ih, weight_hh))
    sizes = len(offsets) - 1, len(h), offsets, rows.shape[1], h.shape[1]
    given = rows, *packed, bias_ih.contiguous(), bias_hh.contiguous()
    kept = (gates, candidates) if train else (None, None)
    kernels.call("gru_forward", x.dtype, *sizes, *given, last.copy_(h), *kept, y)
    return y, last, gates, candidates


def _empty(x: Tensor, h: Tensor, train: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    (num_rows, _), hidden_size = x.shape, h.shape[1]
    y, num_kept = x.new_empty(num_rows, hidden_size), num_rows if train else 0
    gates, candidates = (x.new_empty(num_kept, n * hidden_size) for n in (3, 1))
    return y, h.new_empty(h.shape), gates, candidates


_gru = torch.library.custom_op("unrolled::gru", _forward, mutates_args=())
_gru.register_fake(lambda x, h, *others: _empty(x, h, others[-1]))


@torch.library.custom_op("unrolled::gru_backward", mutates_args=())
def _gru_backward(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    offsets: Tensor,
    gates: Tensor,
    candidates: Tensor,
    y: Tensor,
    grad_y: Tensor,
    grad_h: Tensor,
    wants_x: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, h, weights and biases."""
    sequences.check_kept("gates", gates, y)
    rows, weight_ih = (sequences.even(tensor, x.dtype) for tensor in (x, weight_ih))
    sizes = len(offsets) - 1, len(h), offsets, rows.shape[1], h.shape[1]
    weight_hh, h = weight_hh.contiguous(), h.contiguous()
    grad_x = rows.new_empty(rows.shape if wants_x else (0, rows.shape[1]))
    grad_h = sequences.copy(grad_h)
    grads = torch.empty_like(weight_ih), torch.empty_like(weight_hh)
    biases = h.new_empty(len(weight_hh)), h.new_empty(len(weight_hh))
    known = rows, weight_ih, weight_hh, h, gates, candidates, y, grad_y.contiguous()
    wanted = grad_x if wants_x else None
    kernels.call("gru_backward", x.dtype, *sizes, *known, grad_h, wanted, *grads, *biases)
    input_size = x.shape[1]
    return grad_x[:, :input_size], grad_h, grads[0][:, :input_size], grads[1], *biases


@_gru_backward.register_fake
def _(x, h, weight_ih, weight_hh, offsets, gates, candidates, y, grad_y, grad_h, wants_x):
    grad_x = x.new_empty(x.shape if wants_x else (0, x.shape[1]))
    shaped = (tensor.new_empty(tensor.shape) for tensor in (h, weight_ih, weight_hh))
    return grad_x, *shaped, h.new_empty(len(weight_hh)), h.new_empty(len(weight_hh))


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, h, weight_ih, weight_hh, _, _, offsets, _ = inputs
    y, _, gates, candidates = output
    ctx.save_for_backward(x, h, weight_ih, weight_hh, offsets, gates, candidates, y)
    ctx.set_materialize_grads(False)


def _gradients(
    ctx: Any, grad_y: Tensor | None, grad_h: Tensor | None, *_: None
) -> tuple[Tensor | None, ...]:
    *known, y = ctx.saved_tensors
    grads = sequences.or_zeros((grad_y, grad_h), (y, known[1]))
    wants_x = ctx.needs_input_grad[0]
    grad_x, *others = torch.ops.unrolled.gru_backward(*known, y, *grads, wants_x)
    return grad_x if wants_x else None, *others, None, None


_gru.register_autograd(_gradients, setup_context=_save)


def _torch_gru(
    x: Tensor,
    h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    batch_sizes: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """torch's own layer: for other types and devices, and where nothing was compiled."""
    weights, train = (weight_ih, weight_hh, bias_ih, bias_hh), torch.is_grad_enabled()
    state = h.unsqueeze(0)
    if batch_sizes is None:
        y, h = torch.gru(x, state, weights, True, 1, 0.0, train, False, False)
    else:
        y, h = torch.gru(x, batch_sizes, state, weights, True, 1, 0.0, train, False)
    return y, h.squeeze(0)
