"""Dropout for recurrent networks: noise that stays the same over all time steps of a read.

Of a large tensor the mask is computed twice from a seed instead of drawn and kept.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels
from ..errors import ConfigError
from .check import check_tensors

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

    Raises:
        TensorError: x is not floating point.
        ConfigError: p is no probability.
    """
    check_tensors(x=x)
    if not 0 <= p <= 1:
        raise ConfigError("p", "from 0 to 1", p, "Use for example 0.5.")
    if p == 1 or x.dtype != torch.float32 or not kernels.supports(x.device, torch.float32):
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


def locked_dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Drops features of each sequence, the same ones at every time step.

    Source: Gal & Ghahramani 2016.

    Args:
        x: `(T, B, H)`.
        p: Probability of a feature to be dropped.
    """
    if not training or p == 0:
        return x
    return x * F.dropout(x.new_ones(1, *x.shape[1:]), p)


def embedding_dropout(tokens: Tensor, vocab_size: int, p: float, training: bool) -> Tensor | None:
    """Drops whole word types: every occurrence of a dropped type is embedded as zero.

    Source: Gal & Ghahramani 2016.

    Args:
        tokens: `(...)`.
        p: Probability of a type to be dropped.

    Returns:
        What each token's vector is multiplied by, `(...)`; None where nothing is dropped.
    """
    if not training or p == 0:
        return None
    return F.dropout(torch.ones(vocab_size, device=tokens.device), p)[tokens]


def weight_dropout(weight: Tensor, p: float, training: bool) -> Tensor:
    """Drops single recurrent weights, the same ones at every time step.

    Source: Merity et al. 2018 (AWD-LSTM).

    Args:
        weight: `(H, H)` or gates of that shape on top of each other.
        p: Probability of a weight to be dropped.
    """
    if not training or p == 0:
        return weight
    return dropout(weight, p)


def zoneout(new: Tensor, old: Tensor, p: float, training: bool) -> Tensor:
    """A step's new state, in which some units keep the old one: the state is never dropped.

    In evaluation every unit is at its expectation, (1 - p) new + p old.
    Source: Krueger et al. 2017 (arXiv 1606.01305).

    Args:
        new, old: State after and before the step, each `(B, H)`.
        p: Probability of a unit to keep its state.
    """
    if p == 0:
        return new
    if not training:
        return torch.lerp(new, old, p)
    return torch.where(torch.rand_like(new) < p, old, new)
