"""The search for a learning rate."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from unrolled.results.loss import BITS_PER_NAT
from unrolled.settings.training import Budget, TrainConfig
from unrolled.training import learning_rate
from unrolled.training.learning_rate import search_learning_rate


@pytest.fixture
def try_rates(tmp_path, monkeypatch):
    """Searches with trainings that reach a given loss: `try_rates(config, nats_of_rate)`."""

    def search_with(config, nats_of_rate):
        started = []

        def start(run, tried):
            assert run.parent == tmp_path and run.is_dir()
            started.append(tried)
            in_unit = lambda nats, split: BITS_PER_NAT * nats if split == "valid" else None  # noqa: E731
            return SimpleNamespace(config=tried, trainee=SimpleNamespace(in_unit=in_unit))

        def fit(training):
            return nats_of_rate(training.config.learning_rate)

        monkeypatch.setattr(learning_rate, "fit", fit)
        chosen, tried = search_learning_rate(config, tmp_path, start)
        assert not list(tmp_path.glob(".search-*"))
        return chosen, tried, started

    return search_with


@pytest.mark.parametrize("best", [0.004, 0.01, 0.025])
def test_the_rate_with_the_lowest_loss_is_taken(try_rates, best):
    config = TrainConfig(learning_rate=0.01, budget=Budget(1000, "tokens"))
    chosen, tried, _ = try_rates(config, lambda rate: 1 + abs(rate - best))
    assert chosen.learning_rate == pytest.approx(best)
    assert [row.learning_rate for row in tried] == pytest.approx([0.004, 0.01, 0.025])
    assert min(tried, key=lambda row: row.bits_per_byte).learning_rate == (pytest.approx(best))
    assert min(row.bits_per_byte for row in tried) == pytest.approx(1.4427, abs=1e-4)


@pytest.mark.parametrize("unit", ["tokens", "epochs"])
def test_search_and_training_share_the_budget(try_rates, unit):
    config = TrainConfig(learning_rate=0.01, budget=Budget(1000, unit))
    chosen, _, started = try_rates(config, lambda rate: rate)
    assert [one.budget for one in started] == [Budget(pytest.approx(50), unit)] * 3
    assert chosen == replace(config, learning_rate=0.004, budget=Budget(850, unit))


def test_a_wall_clock_runs_on_by_itself(try_rates):
    config = TrainConfig(learning_rate=0.01, budget=Budget(600, "seconds"))
    chosen, _, started = try_rates(config, lambda rate: rate)
    assert [one.budget for one in started] == [Budget(pytest.approx(30), "seconds")] * 3
    assert chosen.budget == Budget(600, "seconds")


def test_a_rate_that_diverged_is_not_taken(try_rates):
    config = TrainConfig(learning_rate=0.01, budget=Budget(1000, "tokens"))
    chosen, _, _ = try_rates(config, lambda rate: float("inf") if rate < 0.02 else 9.0)
    assert chosen.learning_rate == pytest.approx(0.025)
