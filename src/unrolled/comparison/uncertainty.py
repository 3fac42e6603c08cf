"""How sure a difference between two models is: by the text it was measured on, and by the seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from ..results.comparison import Difference
from ..results.interval import resamples
from ..results.loss import BITS_PER_NAT
from ..results.run import RunResults

NORMAL = 1.96
"""Standard deviations on each side that hold 95 %."""
SEED_SPREAD = 0.004
"""Standard deviation over seeds, as a part of the loss, that is assumed before any was seen;
measured by benchmarks/ties.py."""
SEED_WEIGHT = 8
"""Seeds that the assumption is worth beside those that were trained."""


@dataclass(frozen=True)
class Trained:
    """A model's results, one for each seed."""

    seeds: Sequence[RunResults]
    is_random: bool
    """Whether another seed would give another model; not so of an n-gram."""

    @property
    def bits_per_byte(self) -> float:
        """Mean over the seeds."""
        return mean(each.bits_per_byte for each in self.seeds)


def difference(model: Trained, other: Trained, spread: float) -> Difference:
    """What `model` needs more than `other`, with the half-width of its 95 % interval.

    The text's part is that of a paired bootstrap (Efron 1979; Koehn 2004) over the blocks of the
    text that both were scored on: neighbouring tokens stay together. The seeds' part is added to
    it as if both were normal.

    Args:
        spread: See `seed_spread`.
    """
    gap = model.bits_per_byte - other.bits_per_byte
    seeds = sum(1 / len(each.seeds) for each in (model, other) if each.is_random)
    variance = _variance_by_text(model, other) + seeds * spread**2
    return Difference(gap, NORMAL * math.sqrt(variance))


def seed_spread(models: Sequence[Trained]) -> float:
    """Standard deviation over seeds in bits per byte: what was seen, and what is assumed.

    Widened as the t distribution is beside the normal one, for an estimate from few seeds.
    """
    assumed = SEED_SPREAD * mean(model.bits_per_byte for model in models)
    squares, freedom = SEED_WEIGHT * assumed**2, SEED_WEIGHT
    for model in models:
        if model.is_random:
            squares += sum((s.bits_per_byte - model.bits_per_byte) ** 2 for s in model.seeds)
            freedom += len(model.seeds) - 1
    return math.sqrt(squares / (freedom - 2))


def _variance_by_text(model: Trained, other: Trained) -> float:
    gaps = _bits_by_block(model) - _bits_by_block(other)
    if len(gaps) < 2:
        return math.inf
    return float(np.var([drawn @ gaps / len(gaps) for drawn in resamples(len(gaps))]))


def _bits_by_block(model: Trained) -> np.ndarray:
    """Bits per byte of each block, the mean of the seeds; blocks have equally many tokens."""
    nats = np.mean([each.block_nats for each in model.seeds], axis=0)
    return nats * BITS_PER_NAT * len(nats) / model.seeds[0].num_bytes
