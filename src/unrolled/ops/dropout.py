"""Dropout of a large tensor: its mask is computed twice from a seed instead of drawn and kept."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels

WORDS = 1 << 32


def dropout_reference(x: Tensor, kept: int, seed: Tensor) -> Tensor:
    """Elements whose hash of place and seed is below `kept`, times 2^32 / kept; else zero.

    The hash is the finalizer of MurmurHash3 (Appleby 2011), of the place plus the seed's lower half
    and, once more, with its upper half.

    Args:
        kept: How many of 2^32 elements stay on average.
        seed: One number, int64.
    """
    low, high = int(seed) % WORDS, int(seed) // WORDS % WORDS
    places = torch.arange(x.numel()).view(x.shape)
    numbers = _mixed(_mixed((places + low) % WORDS) ^ high)
    return torch.where(numbers < kept, x * (WORDS / kept), 0)


def _mixed(x: Tensor) -> Tensor:
    x = (x ^ x >> 16) * 0x85EBCA6B % WORDS
    x = (x ^ x >> 13) * 0xC2B2AE35 % WORDS
    return x ^ x >> 16


def dropout(x: Tensor, p: float) -> Tensor:
    """Drops elements with probability p and divides the others by 1 - p, fast.

    Draws one of torch's random numbers, whatever the size of x.
    """
    if not 0 <= p < 1 or x.dtype != torch.float32 or not kernels.supports(x.device, torch.float32):
        return F.dropout(x, p)
    kept = max(1, round((1 - p) * WORDS))
    return torch.ops.unrolled.dropout(x, kept, torch.randint(1 << 62, ()))


@torch.library.custom_op("unrolled::dropout", mutates_args=())
def _dropout(x: Tensor, kept: int, seed: Tensor) -> Tensor:
    y = x.new_empty(x.shape)
    kernels.call("dropout", x.dtype, x.numel(), kept, seed, x.contiguous(), y)
    return y


@_dropout.register_fake
def _(x, kept, seed):
    return x.new_empty(x.shape)


def _save(ctx: Any, inputs: tuple[Tensor, int, Tensor], output: Tensor) -> None:
    _, ctx.kept, seed = inputs
    ctx.save_for_backward(seed)


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
    return torch.ops.unrolled.dropout(gradient, ctx.kept, *ctx.saved_tensors), None, None


_dropout.register_autograd(_gradients, setup_context=_save)
