"""What every operator with a kernel shares: its precision, its way in, and what a kernel reads."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels


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


def check_ids(ids: Tensor, vocab_size: int, name: str) -> None:
    """Raises IndexError where a token is none of the vocabulary: a kernel does not check."""
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocab_size:
        raise IndexError(f"{name} must be from 0 to {vocab_size - 1}; a token is out of range")


def operator(differentiable: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    """The torch operator where gradients or a graph are wanted; else what it calls, at once."""
    wanted = torch.is_grad_enabled() or torch.compiler.is_compiling()
    return differentiable if wanted else plain


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
