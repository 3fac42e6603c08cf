"""Rows of an embedding, each with a factor of its own, in the type that the next layer reads.

One pass takes the place of several: looking up, scaling, leaving out words, rounding; and on the
way back the gradients of the tokens are added where they belong without being copied first.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels
from ..errors import ShapeError, TensorError
from .check import check_ids, check_shape, check_tensors, check_whole

MANY_TOKENS = 64
"""For fewer, and without gradients, torch is as fast."""


def embedding_reference(tokens: Tensor, weight: Tensor, factors: Tensor | None = None) -> Tensor:
    """Row `weight[token]` times its factor for each token, from torch's own functions.

    Args:
        tokens: Token ids, `(...)`.
        weight: `(V, E)`.
        factors: `(...)` as tokens, or None for 1; no gradient flows into them.

    Returns:
        `(..., E)`.
    """
    rows = F.embedding(tokens, weight)
    return rows if factors is None else rows * factors[..., None]


def embedding(
    tokens: Tensor,
    weight: Tensor,
    factors: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """The same, fast; see `embedding_reference`.

    Args:
        dtype: Of the result where the weights are float32: that or bfloat16. Gradients are summed
            in float32.

    Raises:
        IndexError: a token is not from 0 to V - 1.
        ShapeError: weights are no matrix, or factors do not belong to the tokens.
        TensorError: tokens are not int64 or int32, the others not floating point or elsewhere.
    """
    check_tensors(weight=weight)
    check_whole("tokens", tokens, weight.device, (torch.int64, torch.int32))
    if weight.dim() != 2:
        raise ShapeError("weight", "(V, E)", tuple(weight.shape))
    if factors is not None:
        check_tensors(weight=weight, factors=factors)
        check_shape("factors", factors, tokens.shape, "that of the tokens")
    if weight.dtype != torch.float32:
        return embedding_reference(tokens, weight, factors)
    if dtype not in (torch.float32, torch.bfloat16):
        raise TensorError("dtype", "torch.float32 or torch.bfloat16", dtype, "Convert the result.")
    few = not torch.is_grad_enabled() and tokens.numel() < MANY_TOKENS
    if few or not kernels.supports(weight.device, torch.float32):
        return embedding_reference(tokens, weight, factors).to(dtype)
    ids = tokens.flatten().long()
    flat = None if factors is None else factors.flatten().float()
    run = kernels.operator(torch.ops.unrolled.embedding, _forward)
    return run(ids, weight, flat, dtype).view(*tokens.shape, weight.shape[1])


def _forward(tokens: Tensor, weight: Tensor, factors: Tensor | None, dtype: torch.dtype) -> Tensor:
    """The kernel, for `tokens (N,)`."""
    check_ids(tokens, len(weight), "tokens")
    y = _empty(tokens, weight, factors, dtype)
    sizes, given = (len(tokens), weight.shape[1]), _contiguous(tokens, factors)
    kernels.call("embedding_forward", dtype, *sizes, *given, weight.contiguous(), y)
    return y


def _empty(tokens: Tensor, weight: Tensor, factors: Tensor | None, dtype: torch.dtype) -> Tensor:
    return weight.new_empty(tokens.shape[0], weight.shape[1], dtype=dtype)


def _contiguous(tokens: Tensor, factors: Tensor | None) -> tuple[Tensor, Tensor | None]:
    return tokens.contiguous(), None if factors is None else factors.contiguous()


_embedding = torch.library.custom_op("unrolled::embedding", _forward, mutates_args=())
_embedding.register_fake(_empty)


@torch.library.custom_op("unrolled::embedding_backward", mutates_args=())
def _backward(tokens: Tensor, factors: Tensor | None, gradient: Tensor, vocab_size: int) -> Tensor:
    """The gradient of the weights `(V, E)`."""
    grad_weight = gradient.new_empty(vocab_size, gradient.shape[1], dtype=torch.float32)
    sizes = *gradient.shape, vocab_size
    given = *_contiguous(tokens, factors), gradient.contiguous()
    kernels.call("embedding_backward", gradient.dtype, *sizes, *given, grad_weight)
    return grad_weight


@_backward.register_fake
def _(tokens, factors, gradient, vocab_size):
    return gradient.new_empty(vocab_size, gradient.shape[1], dtype=torch.float32)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    tokens, weight, factors, _ = inputs
    ctx.save_for_backward(tokens, factors)
    ctx.vocab_size = len(weight)


def _gradients(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    tokens, factors = ctx.saved_tensors
    if torch.is_grad_enabled():  # these can be differentiated once more
        rows = gradient.float() if factors is None else gradient.float() * factors[:, None]
        grad_weight = rows.new_zeros(ctx.vocab_size, rows.shape[1]).index_add(0, tokens, rows)
        return None, grad_weight, None, None
    backward = torch.ops.unrolled.embedding_backward
    return None, backward(tokens, factors, gradient, ctx.vocab_size), None, None


_embedding.register_autograd(_gradients, setup_context=_save)
