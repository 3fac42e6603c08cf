"""The search: trials of equal updates, within their time."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from unrolled.results.events import Interrupted
from unrolled.settings.training import Budget, TrainConfig
from unrolled.training.learning_rate import FEWEST_UPDATES, search_learning_rate
from unrolled.training.loop import Callbacks

from .trainings import Time

CONFIG = TrainConfig(learning_rate=0.01, batch_size=2, sequence_length=5)
STEP_TOKENS = 10


class Trial:
    """A training whose updates take `seconds(rate)` and which ends at `nats(rate)`."""

    def __init__(self, config, clock, seconds, nats):
        self.config, self.clock = config, clock
        self.seconds, self.nats = seconds, nats
        self.progress = SimpleNamespace(step=0, tokens=0, num_averaged=1)
        self.began = clock.now
        in_unit = lambda nats, split: nats if split == "valid" else None  # noqa: E731
        self.trainee = SimpleNamespace(next_batch=lambda: None, in_unit=in_unit)

    @property
    def is_over(self):
        budget = self.config.budget
        spent = self.clock.now - self.began if budget.unit == "seconds" else self.progress.tokens
        return spent >= budget.amount * (1000 if budget.unit == "epochs" else 1)

    def update(self, batch):
        self.clock.now += self.seconds(self.config.learning_rate)
        self.progress.step += 1
        self.progress.tokens += STEP_TOKENS
        nats = self.nats(self.config.learning_rate)
        return (math.nan if math.isinf(nats) else nats), 1.0

    def tick(self):
        pass

    def finish(self):
        return self.nats(self.config.learning_rate)


@pytest.fixture
def search(monkeypatch):
    """Searches; returns the settings, what was tried and the trainings."""

    def search_with(
        budget, nats=lambda rate: rate, seconds=lambda rate: 0.01, trials=None, **kwargs
    ):
        time, trials = Time(monkeypatch), [] if trials is None else trials
        began = time.now

        def start(config):
            trials.append(Trial(config, time, seconds, nats))
            return trials[-1]

        config = replace(CONFIG, budget=budget)
        chosen, tried = search_learning_rate(config, start, 1000.0, 1000, **kwargs)
        return chosen, tried, trials, time.now - began

    return search_with


@pytest.mark.parametrize("best", [0.004, 0.01, 0.025])
def test_the_rate_with_the_lowest_loss_is_taken(search, best):
    chosen, tried, _, _ = search(Budget(9000, "tokens"), lambda rate: 1 + abs(rate - best))
    assert chosen.learning_rate == pytest.approx(best)
    assert sorted(row.learning_rate for row in tried) == pytest.approx([0.004, 0.01, 0.025])
    assert min(tried, key=lambda row: row.bits_per_byte).learning_rate == pytest.approx(best)


@pytest.mark.parametrize(("unit", "amount"), [("tokens", 9000), ("epochs", 9)])
def test_search_and_training_share_the_budget(search, unit, amount):
    chosen, _, trials, _ = search(Budget(amount, unit))
    budgets = [*(one.config.budget for one in trials), chosen.budget]
    assert {budget.unit for budget in budgets} == {unit}
    shares = [amount / 20] * 3 + [0.85 * amount]
    assert [budget.amount for budget in budgets] == pytest.approx(shares)
    assert {one.progress.step for one in trials} == {45}


def test_by_the_clock_trials_have_as_many_updates_as_the_first(search):
    """Equal seconds would give the rate that is tried on a quiet machine more of them."""
    chosen, tried, trials, spent = search(
        Budget(60, "seconds"),
        nats=lambda rate: 1 + abs(rate - 0.025),
        seconds=lambda rate: 0.01 if rate == 0.01 else 0.013,  # it becomes busier
    )
    assert len({one.progress.step for one in trials}) == 1 and len(tried) == 3
    assert trials[0].progress.step == pytest.approx(0.04 * 60 / 0.01, abs=1)
    assert spent <= 0.15 * 60
    assert (chosen.learning_rate, chosen.budget) == (pytest.approx(0.025), Budget(60, "seconds"))


def test_a_trial_that_the_time_does_not_suffice_for_is_left_out(search):
    chosen, tried, trials, spent = search(
        Budget(60, "seconds"),
        nats=lambda rate: 1 / rate,
        seconds=lambda rate: 0.05 if rate > 0.02 else 0.01,
    )
    assert len(trials) == 3
    assert [row.learning_rate for row in tried] == pytest.approx([0.01, 0.004])
    assert chosen.learning_rate == 0.01
    assert spent <= 0.15 * 60 + 0.05  # not more than one update late


@pytest.mark.parametrize(
    "budget", [Budget(20 * 199, "tokens"), Budget(3.9, "epochs"), Budget(4.9, "seconds")]
)
def test_too_few_updates_are_not_searched(search, budget):
    chosen, tried, trials, spent = search(budget)
    assert (trials, tried, spent) == ([], [], 0)
    assert (chosen.learning_rate, chosen.budget) == (0.01, budget)


def test_a_machine_slower_than_expected_ends_the_search_at_its_first_trial(search):
    chosen, tried, trials, spent = search(Budget(60, "seconds"), seconds=lambda rate: 1.0)
    assert len(trials) == 1 and trials[0].progress.step < FEWEST_UPDATES
    assert (chosen.learning_rate, tried) == (0.01, [])
    assert spent <= 0.04 * 60 + 1


def test_a_rate_that_diverged_is_not_taken(search):
    chosen, tried, trials, _ = search(
        Budget(9000, "tokens"), lambda rate: math.inf if rate < 0.02 else 9.0
    )
    assert chosen.learning_rate == pytest.approx(0.025)
    assert [row.bits_per_byte for row in tried] == [math.inf, math.inf, 9.0]
    assert trials[0].progress.step == 1


def test_it_stops_when_asked(search):
    with pytest.raises(Interrupted):
        search(Budget(9000, "tokens"), callbacks=Callbacks(stop=lambda: True))


@pytest.mark.parametrize("budget", [Budget(60, "seconds"), Budget(9000, "tokens")])
def test_each_trial_is_a_turn_and_waiting_costs_nothing(search, budget):
    """The others train for an hour meanwhile; the trials are the same as without."""
    waits, trials = [], []

    def wait(fraction):
        waits.append(fraction)
        trials[-1].clock.now += 3600

    _, _, alone, _ = search(budget)
    _, tried, _, _ = search(budget, callbacks=Callbacks(wait=wait), trials=trials)
    assert [one.progress.step for one in trials] == [one.progress.step for one in alone]
    assert waits == pytest.approx([0.05, 0.1, 0.15])
    assert len(tried) == 3
