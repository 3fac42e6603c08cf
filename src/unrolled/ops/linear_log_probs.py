"""Softmax over a vocabulary, for the log-probability of one given token per row.

    log p(target) = logit(target) - log sum_v exp(logit(v)),   logits = hidden W^T + bias

With V in the thousands the logits are most of a training step's memory and time. They are kept
once, in the precision of the matrix products; everything else happens a few rows at a time, so that
it stays in the cache: in a kernel, or with torch's functions where none runs.

Sampled, over a random part of a large vocabulary, steps are cheaper and the goal is the same.
K candidates are drawn without replacement, v with probability pi(v), and the normalizer
sum_v exp(logit(v)) is estimated without bias as

    exp(logit(target)) + sum over drawn v, not the target, of exp(logit(v)) / pi(v)

with pi(v) = min(1, a sqrt(p(v))) for the unigram p: frequent tokens, which make up most of the sum,
are always there. Source: importance sampling of Bengio & Senecal 2008, with systematic sampling
(Madow 1949): always exactly K, since a new size of matrix costs more than its product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import kernels
from ..errors import ShapeError
from .check import check_ids, check_one_type, check_shape, check_tensors, check_whole
from .embedding import embedding

MANY_ROWS = 256
LOGITS_IN_CACHE = 1 << 22
"""Logits worked on at a time: 16 MB of float32."""


def linear_log_probs(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Log-probability of each row's target, in nats.

    Args:
        hidden: `(N, E)`.
        weight, bias: `(V, E)` and `(V,)`.
        targets: Token ids, `(N,)` int64.

    Returns:
        `(N,)`, differentiable in hidden, weight and bias. Under autocast the products are in
        bfloat16, sums and exponentials in float32.

    Raises:
        IndexError: a target is not from 0 to V - 1.
        ShapeError: the arguments do not belong together.
        TensorError: targets are not int64, the others not floating point, or on another device.
    """
    _check(hidden, weight, bias, targets)
    if kernels.forward_mode():
        return linear_log_probs_reference(hidden, weight, bias, targets)
    dtype = kernels.precision(hidden, weight, bias)
    # For a few rows packing the weights would cost more than the products.
    if dtype is not None and (torch.is_grad_enabled() or hidden.shape[0] >= MANY_ROWS):
        return _with_kernel(hidden, weight, bias, targets, dtype)
    if torch.is_grad_enabled():
        return _LinearLogProbs.apply(hidden, weight, bias, targets)
    dtype = _product_type(hidden)
    return _score(hidden.to(dtype), weight.to(dtype), bias, targets, None)[0]


def _check(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> None:
    """Raises TensorError or ShapeError where an argument does not fit: a kernel does not check."""
    check_tensors(hidden=hidden, weight=weight, bias=bias)
    check_whole("targets", targets, hidden.device, (torch.int64,))
    check_one_type(weight=weight, bias=bias)
    if weight.dim() != 2 or 0 in weight.shape:
        raise ShapeError("weight", "(V, E) with V, E >= 1", tuple(weight.shape))
    if hidden.dim() != 2 or hidden.shape[1] != weight.shape[1]:
        raise ShapeError("hidden", f"(N, {weight.shape[1]})", tuple(hidden.shape))
    check_shape("bias", bias, weight.shape[:1], "(V,)")
    check_shape("targets", targets, hidden.shape[:1], "(N,)")


def linear_log_probs_reference(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor
) -> Tensor:
    """The same from torch's own functions."""
    return -F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="none")


def _with_kernel(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype
) -> Tensor:
    train = torch.is_grad_enabled()
    run = kernels.operator(torch.ops.unrolled.linear_log_probs, _forward)
    return run(kernels.even(hidden.to(dtype), dtype), weight, bias, targets, train)[0]


def _forward(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, train: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The kernel; `train` keeps the logits `(N, V)` for the way back, and the normalizers."""
    check_ids(targets, len(weight), "targets")
    scores, normalizers, logits = _empty(hidden, weight, bias, targets, train)
    packed = kernels.pack("linear_log_probs", weight, hidden.dtype)
    sizes = len(hidden), hidden.shape[1], len(weight)
    given = hidden.contiguous(), packed, bias.contiguous(), targets.contiguous()
    kept = logits if train else None
    kernels.call(
        "linear_log_probs_forward", hidden.dtype, *sizes, *given, kept, scores, normalizers
    )
    return scores, normalizers, logits


def _empty(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, train: bool
) -> tuple[Tensor, Tensor, Tensor]:
    num_rows = hidden.shape[0]
    logits = hidden.new_empty(num_rows if train else 0, weight.shape[0])
    return bias.new_empty(num_rows), bias.new_empty(num_rows), logits


_operator = torch.library.custom_op("unrolled::linear_log_probs", _forward, mutates_args=())
_operator.register_fake(_empty)


@torch.library.custom_op("unrolled::linear_log_probs_backward", mutates_args=())
def _backward(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    logits: Tensor,
    normalizers: Tensor,
    gradient: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of hidden, weight and bias."""
    padded = kernels.even(weight, hidden.dtype)
    sizes = len(hidden), hidden.shape[1], len(weight)
    grads = hidden.new_empty(hidden.shape), padded.new_empty(padded.shape)
    grad_bias = weight.new_empty(len(weight))
    given = hidden.contiguous(), padded, targets.contiguous(), logits, normalizers
    called = *given, gradient.contiguous(), *grads, grad_bias
    kernels.call("linear_log_probs_backward", hidden.dtype, *sizes, *called)
    return grads[0], grads[1][:, : weight.shape[1]], grad_bias


@_backward.register_fake
def _(hidden, weight, targets, logits, normalizers, gradient):
    shaped = (tensor.new_empty(tensor.shape) for tensor in (hidden, weight))
    return *shaped, weight.new_empty(len(weight))


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    hidden, weight, bias, targets, _ = inputs
    _, normalizers, logits = output
    ctx.save_for_backward(bias, hidden, weight, targets, logits, normalizers)
    ctx.set_materialize_grads(False)


def _gradients(ctx: Any, gradient: Tensor, *_: None) -> tuple[Tensor | None, ...]:
    bias, hidden, weight, targets, *kept = ctx.saved_tensors
    if torch.is_grad_enabled():
        return *_gradients_by_torch((hidden, weight, bias), targets, gradient), None, None
    grads = torch.ops.unrolled.linear_log_probs_backward(hidden, weight, targets, *kept, gradient)
    return *grads, None, None


def _gradients_by_torch(
    inputs: tuple[Tensor, Tensor, Tensor], targets: Tensor, gradient: Tensor
) -> list[Tensor | None]:
    """Gradients of hidden, weight and bias that can be differentiated once more."""

    def run(hidden: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor]:
        hidden = hidden[:, : weight.shape[1]].to(weight.dtype)  # without the column of `even`
        with torch.autocast("cpu", enabled=False):
            return [linear_log_probs_reference(hidden, weight, bias, targets)]

    return kernels.gradients_by_torch(run, inputs, [gradient])


_operator.register_autograd(_gradients, setup_context=_save)


class _LinearLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        dtype = _product_type(hidden)
        rows, columns = hidden.to(dtype), weight.to(dtype)
        kept = rows.new_empty(len(rows), len(columns))
        scores, normalizers = _score(rows, columns, bias, targets, kept)
        ctx.save_for_backward(hidden, weight, bias, targets, normalizers)
        ctx.kept = kept
        return scores

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[Tensor | None, ...]:
        (gradient,) = grad_outputs
        hidden, weight, bias, targets, normalizers = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *_gradients_by_torch((hidden, weight, bias), targets, gradient), None
        kept, ctx.kept = ctx.kept, None
        if kept is None:
            raise RuntimeError("linear_log_probs keeps its logits for one backward pass only")
        rows, columns = hidden.to(kept.dtype), weight.to(kept.dtype)
        grad_bias = torch.zeros_like(bias)
        for part in _parts(len(rows), len(columns)):
            # d log p(target) / d logit(v) = [v is target] - p(v), written over the logits.
            slope = ((kept[part] + bias) - normalizers[part, None]).exp_()
            slope.mul_(-gradient[part, None])
            slope.scatter_add_(1, targets[part, None], gradient[part, None])
            grad_bias += slope.sum(0)
            kept[part] = slope
        grad_hidden, grad_weight = kept @ columns, kept.t() @ rows
        return grad_hidden.to(hidden.dtype), grad_weight.to(weight.dtype), grad_bias, None


def _score(
    rows: Tensor, columns: Tensor, bias: Tensor, targets: Tensor, kept: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Log-probabilities and normalizers, `(N,)`; fills `kept` with the logits, without bias."""
    check_ids(targets, len(columns), "targets")
    normalizers, scores = bias.new_empty(len(rows)), bias.new_empty(len(rows))
    for part in _parts(len(rows), len(columns)):
        if kept is None:
            products = rows[part] @ columns.t()
        else:
            products = torch.mm(rows[part], columns.t(), out=kept[part])
        logits = products + bias
        normalizers[part] = logits.logsumexp(1)
        scores[part] = logits.gather(1, targets[part, None])[:, 0] - normalizers[part]
    return scores, normalizers


def _parts(num_rows: int, width: int) -> Iterator[slice]:
    size = max(1, LOGITS_IN_CACHE // width)
    for start in range(0, num_rows, size):
        yield slice(start, start + size)


def _product_type(hidden: Tensor) -> torch.dtype:
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    return hidden.dtype


NEGLIGIBLE = -40.0
"""A logit far below the logarithm of any normalizer."""


@dataclass(frozen=True)
class Candidates:
    """Tokens that stand for the whole vocabulary in one step."""

    ids: Tensor  # (K,) int64, ascending
    log_inclusion: Tensor  # (K,), log pi


class CandidateSampler:
    """Draws candidates for a unigram distribution.

    Args:
        log_probs: Unigram, `(V,)` in nats.
        num_candidates: K, below V.
    """

    def __init__(self, log_probs: Tensor, num_candidates: int) -> None:
        root = (0.5 * log_probs.double()).exp()
        low, high = 0.0, num_candidates / float(root.min())
        for _ in range(100):  # bisection for a
            middle = (low + high) / 2
            few = (middle * root).clamp(max=1).sum() < num_candidates
            low, high = (middle, high) if few else (low, middle)
        self.inclusion = (high * root).clamp(max=1)
        self.upper = self.inclusion.cumsum(0)
        self.steps = torch.arange(num_candidates)

    def draw(self) -> Candidates:
        """Draws from torch's random numbers.

        Each token owns a piece of length pi on a line of length K; a comb of K teeth, one apart,
        is laid on it at random.
        """
        teeth = self.steps + torch.rand((), dtype=torch.float64)
        ids = torch.searchsorted(self.upper, teeth, right=True).clamp(max=len(self.upper) - 1)
        return Candidates(ids, self.inclusion[ids].log().float())


def make_sampler(log_probs: Tensor, num_candidates: int) -> CandidateSampler | None:
    """The sampler of a setting: None where 0 or the whole vocabulary, `(V,)`, is asked for."""
    sampled = 0 < num_candidates < len(log_probs)
    return CandidateSampler(log_probs, num_candidates) if sampled else None


def sampled_log_probs(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, candidates: Candidates
) -> Tensor:
    """Estimates the log-probability of each row's target, in nats, for training.

    Args:
        hidden: `(N, E)`.
        weight, bias: `(V, E)` and `(V,)`.
        targets: Token ids, `(N,)` int64.
        candidates: At least one.

    Raises:
        As `linear_log_probs`.
    """
    _check(hidden, weight, bias, targets)
    ids = candidates.ids
    places = torch.searchsorted(ids, targets.contiguous()).clamp(max=len(ids) - 1)
    drawn, log_inclusion = ids[places] == targets, candidates.log_inclusion[places]
    # One more candidate of known logit, for rows whose target was not drawn: it tells their sum.
    rows = embedding(torch.cat((ids, targets)), weight)
    columns = F.pad(rows[: len(ids)], (0, 0, 0, 1))
    offsets = F.pad(bias[ids] - candidates.log_inclusion, (0, 1), value=NEGLIGIBLE)
    found = linear_log_probs(hidden, columns, offsets, torch.where(drawn, places, len(ids)))
    # A target that was drawn stands for itself once, not 1 / pi times.
    of_drawn = found + log_inclusion - torch.log1p(found.exp() * log_inclusion.expm1())
    own = (hidden * rows[len(ids) :]).sum(1) + bias[targets]
    return torch.where(drawn, of_drawn, own - torch.logaddexp(NEGLIGIBLE - found, own))
