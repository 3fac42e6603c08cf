"""What the recurrences share: rows of sequences, and the precision they are computed in.

Sequences of unequal length are given as torch packs them: the steps one after the other, `(N, E)`,
the longest sequence first, and `batch_sizes (T,)`, how many sequences have a step t.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.weak import WeakTensorKeyDictionary

from .. import kernels
from ..errors import ShapeError


def precision(x: Tensor, *parameters: Tensor) -> torch.dtype | None:
    """What the kernels compute in, by autocast and processor; None where torch has to do it."""
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu")
    if any(p.dtype != torch.float32 for p in parameters):
        return None
    if not kernels.supports(x.device, torch.float32):
        return None
    if autocast == torch.bfloat16 and kernels.torch_is_faster():
        return None
    if autocast == torch.bfloat16 and kernels.supports(x.device, torch.bfloat16):
        return torch.bfloat16
    return torch.float32


def input_type(weight: Tensor) -> torch.dtype:
    """The type that a recurrence with such weights reads its inputs in."""
    return precision(weight, weight) or weight.dtype


def check(gates: int, x: Tensor, states: tuple[Tensor, ...], *parameters: Tensor) -> None:
    """Raises ShapeError where a tensor does not fit the others: a kernel reads memory as told.

    Args:
        parameters: weight_ih, weight_hh and the biases.
    """
    weight_ih, weight_hh, *biases = parameters
    hidden_size = weight_hh.shape[-1]
    if weight_hh.shape != (gates * hidden_size, hidden_size):
        rule = f"({gates}H, H)"
        raise ShapeError("weight_hh", rule, tuple(weight_hh.shape))
    if weight_ih.shape != (gates * hidden_size, x.shape[-1]):
        rule = f"({gates}H, E) = {(gates * hidden_size, x.shape[-1])}"
        raise ShapeError("weight_ih", rule, tuple(weight_ih.shape))
    for bias in biases:
        if bias.shape != (gates * hidden_size,):
            raise ShapeError("bias", f"({gates}H,) = {(gates * hidden_size,)}", tuple(bias.shape))
    for state in states:
        if state.shape != (len(states[0]), hidden_size):
            raise ShapeError("state", f"(B, {hidden_size})", tuple(state.shape))


def check_kept(name: str, kept: Tensor, y: Tensor) -> None:
    """Raises ShapeError where nothing was kept for the way back: the call had no gradients then."""
    if len(kept) != len(y):
        rule = f"({len(y)}, ...), kept by a call with gradients"
        raise ShapeError(name, rule, tuple(kept.shape))


def check_ids(ids: Tensor, vocab_size: int, name: str) -> None:
    """Raises IndexError where a token is none of the vocabulary: a kernel reads memory as told."""
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocab_size:
        raise IndexError(f"{name} must be from 0 to {vocab_size - 1}; a token is out of range")


def flatten(x: Tensor, batch_size: int, batch_sizes: Tensor | None) -> tuple[Tensor, Tensor]:
    """Rows of all steps, `(N, E)`, and where each step begins, `(T + 1,)` with N at the end.

    Raises:
        ShapeError: x is neither `(T, B, E)` nor, with batch sizes, `(N, E)`.
    """
    if batch_sizes is None:
        if x.dim() != 3 or x.shape[1] != batch_size or 0 in x.shape:
            raise ShapeError("x", f"(T, {batch_size}, E) with T >= 1", tuple(x.shape))
        # What is made while a graph is traced is no tensor for later calls.
        traced = torch.compiler.is_compiling() or type(x) is not Tensor
        make = _equal_offsets if traced else _kept_offsets
        return x.flatten(0, 1), make(x.shape[0], batch_size)
    if x.dim() != 2:
        raise ShapeError("x", "(N, E) with batch sizes", tuple(x.shape))
    return x, F.pad(batch_sizes.cumsum(0), (1, 0))


def check_offsets(offsets: Tensor, num_rows: int, batch_size: int) -> None:
    """Raises ShapeError where the steps are not those of all rows: a kernel reads memory as told.

    Called by the operators, which have values where a graph has none.
    """
    found = offsets.tolist()
    sizes = [end - begin for begin, end in pairwise(found)]
    falling = all(size >= following for size, following in pairwise([*sizes, 1]))
    if not sizes or not falling or sizes[0] != batch_size or (found[0], found[-1]) != (0, num_rows):
        rule = f"(T,), falling from B = {batch_size} to no less than 1, {num_rows} in all"
        raise ShapeError("batch_sizes", rule, tuple(sizes))


def _equal_offsets(num_steps: int, batch_size: int) -> Tensor:
    return torch.arange(num_steps + 1) * batch_size


@lru_cache(64)
def _kept_offsets(num_steps: int, batch_size: int) -> Tensor:
    with torch.inference_mode(False):  # else no way back could remember them
        return _equal_offsets(num_steps, batch_size)


def operator(differentiable: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    """The torch operator where gradients or a graph are wanted; else what it calls, at once."""
    wanted = torch.is_grad_enabled() or torch.compiler.is_compiling()
    return differentiable if wanted else plain


NUM_SAMPLES = 32
_packed: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
# Fused optimizers change weights without counting a new version.
register_optimizer_step_post_hook(lambda *_: _packed.clear())


def pack(name: str, weight: Tensor, dtype: torch.dtype, reuse: bool) -> Tensor:
    """A weight `(gates * H, inputs)` as the kernel `name` reads it on the way forward.

    With `reuse` it is kept for the next call: for a single step packing would cost more than the
    step. A weight that torch or an optimizer changed since is packed again; a change through
    `.data`, which torch does not count, is seen if it reaches one of the samples.
    """
    if not reuse or weight.is_inference() or not weight.is_contiguous():
        return kernels.pack(name, weight, dtype)
    samples = weight.view(-1)[:: weight.numel() // NUM_SAMPLES + 1].tolist()
    key = weight._version, weight.data_ptr(), samples, dtype, kernels.instruction_set()
    found = _packed.get(weight)
    if found is None or found[0] != key:
        found = key, kernels.pack(name, weight, dtype)
        _packed[weight] = found
    return found[1]


def even(x: Tensor, dtype: torch.dtype) -> Tensor:
    """A column of zeros more where there must be an even number: bfloat16 goes in pairs."""
    odd = x.shape[-1] % 2 and dtype == torch.bfloat16
    return F.pad(x, (0, 1)) if odd else x.contiguous()


def or_zeros(gradients: Sequence[Tensor | None], of: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of some results; zeros for those that nothing depends on."""
    pairs = zip(gradients, of, strict=True)
    return [torch.zeros_like(value) if grad is None else grad for grad, value in pairs]


def copy(x: Tensor) -> Tensor:
    """A contiguous copy, for a kernel to write into."""
    return x.clone(memory_format=torch.contiguous_format)
