"""The bootstrap against normal theory, and ends that are beyond all that was measured."""

import json

import numpy as np
import pytest

from unrolled.results.interval import RESAMPLES, Interval, bootstrap, resamples


def of_mean(values, seed: int = 0) -> Interval:
    return bootstrap(len(values), lambda drawn: drawn @ values / drawn.sum(), seed)


def width(interval: Interval) -> float:
    assert interval.low is not None and interval.high is not None
    return interval.high - interval.low


def test_a_mean_has_the_interval_of_normal_theory():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    found, error = of_mean(values), 1.96 * values.std() / 400**0.5
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_it_covers_the_truth_about_nineteen_times_of_twenty():
    generator, inside = np.random.default_rng(2), 0
    for _ in range(200):
        found = of_mean(generator.exponential(1.0, 60))
        assert found.low is not None and found.high is not None
        inside += found.low <= 1.0 <= found.high
    assert 0.89 <= inside / 200 <= 0.98


def test_four_times_as_many_halve_it():
    values = np.random.default_rng(3).normal(0.0, 1.0, 1600)
    assert width(of_mean(values)) / width(of_mean(values[:400])) == pytest.approx(0.5, rel=0.15)


def test_what_is_paired_stays_paired():
    values = np.random.default_rng(4).normal(0.0, 1.0, 100)
    pairs = np.stack([values, values + 0.25], 1)
    found = bootstrap(100, lambda drawn: float(np.diff(drawn @ pairs)[0] / drawn.sum()))
    assert found.low == pytest.approx(0.25) and found.high == pytest.approx(0.25)


def test_a_seed_gives_one_interval():
    values = np.random.default_rng(5).normal(0.0, 1.0, 50)
    assert of_mean(values, 1) == of_mean(values, 1) != of_mean(values, 2)


def test_things_are_drawn_with_replacement():
    drawn = np.stack(list(resamples(7)))
    assert drawn.shape == (RESAMPLES, 7) and (drawn.sum(1) == 7).all()
    assert (drawn == 0).any(1).mean() > 0.9  # all seven are drawn once in 7! / 7^7 of the cases


def test_ends_are_percentiles_and_none_is_beyond_all_numbers():
    assert Interval.of(range(1001)) == Interval(25.0, 975.0)
    assert Interval.of([*range(970), *[None] * 31]) == Interval(25.0, None)
    assert Interval.of([*range(20), *[None] * 981]) == Interval(None, None)
    assert Interval.of([float("inf"), 3.0, float("nan")]) == Interval(3.0, None)
    assert Interval.of([2]) == Interval(2.0, 2.0)


@pytest.mark.parametrize("interval", [Interval(1.5, 2.0), Interval(1.0, None)])
def test_json_and_back(interval):
    assert Interval.from_json(json.loads(json.dumps(interval.to_json()))) == interval
