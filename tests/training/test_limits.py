"""Budgets, checkpoints, stopping and going on."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from unrolled.errors import CheckpointError
from unrolled.models.build import build
from unrolled.results.events import Interrupted
from unrolled.runs import folder
from unrolled.settings.training import Budget
from unrolled.training.state import clone_weights

from .trainings import CONFIG, MODEL, Time, V, assert_weights, run


def test_budget_in_tokens(start):
    training = start()
    run(training)
    per_step = 8 * 20  # a step takes at most 16 + 4 tokens of each lane
    assert 4096 <= training.progress.tokens < 4096 + per_step


def test_budget_in_epochs(start):
    training = start(replace(CONFIG, budget=Budget(2, "epochs")))
    run(training)
    assert training.progress.tokens == 2 * training.trainee.batches.tokens_per_epoch == 4000
    assert (training.trainee.batches.epoch, training.trainee.batches.position) == (2, 0)


def test_budget_in_seconds(start, monkeypatch):
    clock = Time(monkeypatch)
    training = start(replace(CONFIG, budget=Budget(100, "seconds")))
    training.spend(7)  # before the loop
    update, look = training.update, training.validate
    rates = []

    def slow(batch):
        clock.now += 1
        result = update(batch)
        rates.append(training.optimizer.param_groups[0]["lr"])
        return result

    def slow_look():
        clock.now += 0.25
        return look()

    monkeypatch.setattr(training, "update", slow)
    monkeypatch.setattr(training, "validate", slow_look)
    _, records = run(training)
    # The last look, half a second of writing and one more step are kept back.
    assert 98 <= training.progress.seconds <= 100
    assert records[-1].seconds == training.progress.seconds
    assert training.progress.step == len(rates) < 92
    looks = sum(record.kind == "valid" for record in records)
    assert 10 <= looks <= 16  # a look takes a quarter of a second: one every 6.25 s
    assert rates[-1] < 0.03 * CONFIG.learning_rate


def test_time_for_the_last_evaluation_is_kept_back(start, monkeypatch):
    Time(monkeypatch)
    training = start(replace(CONFIG, budget=Budget(100, "seconds")))
    training.trainee.closing_tokens = 2000
    training.plan_evaluation(seconds=1.0)  # 200 tokens a second
    assert training.progress.closing_seconds == 2 + 1.5 * 10 + 0.5
    training.progress.seconds = 41.25
    assert training.fraction == 41.25 / 82.5
    training.plan_evaluation(seconds=4.0)  # slower than it can be: nothing changes
    assert training.progress.closing_seconds == 2 + 1.5 * 10 + 0.5


def test_checkpoints_come_as_often_as_asked(start, monkeypatch):
    clock = Time(monkeypatch)
    training = start(replace(CONFIG, checkpoint_seconds=5.0))
    saved, update, save = [], training.update, training.save

    def slow(batch):
        clock.now += 1
        return update(batch)

    def spy():
        saved.append(training.progress.step)
        save()

    monkeypatch.setattr(training, "update", slow)
    monkeypatch.setattr(training, "save", spy)
    run(training)
    assert saved[:4] == [0, 5, 10, 15]


def test_the_same_seed_gives_the_same_weights(start):
    finals = []
    for seed in (0, 0, 1):
        training = start(replace(CONFIG, seed=seed))
        run(training)
        finals.append(clone_weights(training.model))
    first, same, other = finals
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("candidates", [0, 4])
def test_stopped_and_restored_it_ends_at_the_same_weights(start, candidates):
    config = replace(CONFIG, candidates=candidates, average_fraction=0.6)
    whole = start(config)
    expected, _ = run(whole)
    for stop_at in (1, 20):  # before and within the averaged tail
        training = start(config)
        with pytest.raises(Interrupted):
            run(training, stop=lambda: training.progress.step == stop_at)  # noqa: B023
        torch.manual_seed(99)
        restored = start(config)
        torch.manual_seed(99)
        restored.restore()
        assert restored.progress.step == stop_at
        assert run(restored)[0] == expected
        assert_weights(restored.model, whole.model.state_dict())
        assert all(
            torch.equal(restored.weights.average[name], whole.weights.average[name])
            for name in whole.weights.average
        )
        assert restored.progress.tokens == whole.progress.tokens


def test_time_goes_on_after_a_break(start, monkeypatch):
    clock = Time(monkeypatch)
    training = start()
    clock.now += 30
    training.tick()
    training.save()
    clock.now += 10_000
    restored = start()
    restored.restore()
    clock.now += 5
    restored.tick()
    assert restored.progress.seconds == 35


def test_a_run_can_be_used_while_it_trains(start):
    training = start()
    with pytest.raises(Interrupted):
        run(training, stop=lambda: True)
    saved = load_file(training.run / folder.MODEL)
    assert all(torch.equal(saved[name], value) for name, value in training.weights.best.items())


def test_too_large_a_state_for_the_model(start):
    training = start()
    training.save()
    other = start()
    other.model = other.weights.model = build(replace(MODEL, hidden_size=4), V)
    with pytest.raises(CheckpointError) as caught:
        other.restore()
    assert str(caught.value) == (
        f"{training.run / folder.TRAIN_STATE} does not fit config.json. Train the run again."
    )
