"""Softmax over a random part of a large vocabulary: cheaper steps, the same goal.

K candidates are drawn without replacement, v with probability pi(v), and the normalizer
sum_v exp(logit(v)) is estimated without bias as

    exp(logit(target)) + sum over drawn v, not the target, of exp(logit(v)) / pi(v)

with pi(v) = min(1, a sqrt(p(v))) for the unigram p: frequent tokens, which make up most of the sum,
are always there. Source: importance sampling of Bengio & Senecal 2008, with systematic sampling
(Madow 1949): always exactly K, since a new size of matrix costs more than its product.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .embedding import embedding
from .linear_log_probs import linear_log_probs

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
    """
    ids = candidates.ids
    places = torch.searchsorted(ids, targets).clamp(max=len(ids) - 1)
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
