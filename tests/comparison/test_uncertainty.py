"""How sure differences are, on losses whose spread is known."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from unrolled.comparison.uncertainty import SEED_SPREAD, Trained, difference, seed_spread
from unrolled.results.loss import BITS_PER_NAT


@dataclass
class Results:
    """What is read of a run's results: 10 bytes in each block."""

    block_nats: list[float]
    num_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.num_bytes = 10 * len(self.block_nats)

    @property
    def bits_per_byte(self) -> float:
        return sum(self.block_nats) * BITS_PER_NAT / self.num_bytes


def trained(*seeds: np.ndarray, is_random: bool = True) -> Trained:
    return Trained([Results((10 / BITS_PER_NAT * bits).tolist()) for bits in seeds], is_random)


RANDOM = np.random.default_rng(0)
HARD = RANDOM.normal(2, 0.5, 100)
"""Bits per byte of a model in 100 blocks: the text varies far more than the models differ."""


def test_the_interval_is_that_of_paired_blocks():
    other = HARD + RANDOM.normal(0.05, 0.1, 100)
    found = difference(trained(other, is_random=False), trained(HARD, is_random=False), spread=0.0)
    gaps = other - HARD
    assert found.bits_per_byte == pytest.approx(gaps.mean())
    assert found.margin == pytest.approx(1.96 * gaps.std() / 10, rel=0.1)
    assert not found.is_tie


def test_a_constant_difference_is_sure_whatever_the_text():
    found = difference(trained(HARD + 0.01), trained(HARD), spread=0.0)
    assert (found.bits_per_byte, found.margin) == (pytest.approx(0.01), pytest.approx(0, abs=1e-9))


def test_seeds_widen_the_interval_and_more_of_them_less():
    one = difference(trained(HARD + 0.01), trained(HARD), spread=0.02)
    assert one.margin == pytest.approx(1.96 * 0.02 * 2**0.5) and one.is_tie
    four = difference(trained(*[HARD + 0.01] * 4), trained(*[HARD] * 4), spread=0.02)
    assert four.margin == pytest.approx(one.margin / 2)
    counted = difference(trained(HARD + 0.01), trained(HARD, is_random=False), spread=0.02)
    assert counted.margin == pytest.approx(1.96 * 0.02)


def test_the_spread_is_assumed_until_seeds_show_it():
    alone = seed_spread([trained(HARD), trained(HARD)])
    assert alone == pytest.approx(SEED_SPREAD * HARD.mean() * (8 / 6) ** 0.5)
    shifts = RANDOM.normal(0, 0.1, 200)
    seen = seed_spread([trained(*(HARD + shift for shift in shifts))])
    assert seen == pytest.approx(shifts.std(), rel=0.1)


def test_too_little_text_tells_nothing():
    found = difference(trained(np.array([2.5])), trained(np.array([2.0])), spread=0.0)
    assert math.isinf(found.margin) and found.is_tie
