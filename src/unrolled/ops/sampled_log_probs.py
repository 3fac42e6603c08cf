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
    own = (hidden * F.embedding(targets, weight)).sum(1) + bias[targets]
    others = F.linear(hidden, F.embedding(ids, weight)) + (bias[ids] - candidates.log_inclusion)
    # A target that was drawn too stands for itself once.
    places = torch.searchsorted(ids, targets).clamp(max=len(ids) - 1)[:, None]
    drawn = ids[places] == targets[:, None]
    others = others.scatter(1, places, others.gather(1, places).masked_fill(drawn, -1e9))
    return own - torch.logaddexp(others.logsumexp(1), own)
