"""The one loop: what it trains, budgets, checkpoints, stopping and going on."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from unrolled.errors import CheckpointError
from unrolled.models.build import build
from unrolled.results.events import Interrupted
from unrolled.results.loss import BITS_PER_NAT
from unrolled.runs import folder
from unrolled.settings.training import Budget
from unrolled.training import trainee
from unrolled.training.optimizer import trapezoid
from unrolled.training.state import clone_weights

from .trainings import CONFIG, MODEL, Time, V, assert_weights, run, snapshots


def test_a_periodic_text_is_learned(start):
    training = start(replace(CONFIG, budget=Budget(20_000, "tokens")))
    assert training.validate() == pytest.approx(math.log(V), abs=0.6)
    nats, records = run(training)
    assert nats < 0.05  # only the boundaries, one token of two hundred, are news
    assert records[-1].kind == "end"
    # One byte a token.
    assert records[-1].valid == pytest.approx(nats * BITS_PER_NAT)


def test_carried_state_reaches_across_batches(start):
    training = start()
    training.update(training.trainee.batches.take())
    carried = training.trainee.carried[0]
    assert not carried.requires_grad and carried.abs().max() > 0
    seen = []
    score = training.model.score
    training.model.score = lambda *args: (seen.append(args[2]), score(*args))[1]
    training.update(training.trainee.batches.take())
    assert seen[0][0] is carried
    while training.trainee.batches.position:
        training.update(training.trainee.batches.take())
    training.update(training.trainee.batches.take())  # a new epoch begins elsewhere
    assert seen[-1][0].abs().max() == 0 and seen[-2][0].abs().max() > 0


def test_the_rate_follows_the_schedule(start):
    training = start()
    for _ in range(8):
        fraction = training.fraction
        training.update(training.trainee.batches.take())
        rates = {group["lr"] for group in training.optimizer.param_groups}
        assert rates == {CONFIG.learning_rate * trapezoid(fraction, 0.03, 0.5)}


def test_the_norm_is_the_one_before_clipping(start):
    training = start(replace(CONFIG, clip_norm=1e-3))
    training.optimizer.zero_grad = lambda: None  # keeps the clipped gradient to look at
    batch = training.trainee.batches.take()
    twin = start(replace(CONFIG, clip_norm=1e-3))
    torch.manual_seed(5)  # of dropout
    nats, norm = training.update(batch)
    torch.manual_seed(5)
    twin.model.train()
    scores, _ = twin.model.score(batch.tokens, batch.targets, twin.trainee.carried)
    (-scores.mean()).backward()
    squares = sum(float(value.grad.square().sum()) for value in twin.model.parameters())
    assert norm == pytest.approx(math.sqrt(squares), rel=1e-5) and norm > 0.01
    assert nats == pytest.approx(-scores.mean().item(), rel=1e-6)
    clipped = sum(float(value.grad.square().sum()) for value in training.model.parameters())
    assert math.sqrt(clipped) == pytest.approx(1e-3, rel=1e-3)


def test_entries_are_clipped_before_the_norm(start):
    plain, clipped = start(), start(replace(CONFIG, clip_value=1e-3, clip_norm=1e-2))
    batch, norms = plain.trainee.batches.take(), []
    for training in (plain, clipped):
        training.optimizer.zero_grad = lambda: None  # keeps the gradient to look at
        torch.manual_seed(5)  # of dropout
        norms.append(training.update(batch)[1])
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)  # the one before all clipping
    expected = start()
    torch.manual_seed(5)
    expected.model.train()
    scores, _ = expected.model.score(batch.tokens, batch.targets, expected.trainee.carried)
    (-scores.mean()).backward()
    cut = [value.grad.clamp(-1e-3, 1e-3) for value in expected.model.parameters()]
    norm = math.sqrt(sum(float(grad.square().sum()) for grad in cut))
    assert norm > 1e-2  # so that the norm is clipped too
    for grad, value in zip(cut, clipped.model.parameters(), strict=True):
        torch.testing.assert_close(value.grad, grad * 1e-2 / norm, rtol=1e-4, atol=1e-8)


def test_without_carried_state_every_piece_begins_anew(start):
    training, seen = start(replace(CONFIG, carry_state=False)), []
    score = training.model.score
    training.model.score = lambda *args: (seen.append(args[2]), score(*args))[1]
    for _ in range(3):
        training.update(training.trainee.batches.take())
    assert [h.abs().max() + c.abs().max() for h, c in seen] == [0, 0, 0]


def test_the_loss_that_is_told_is_the_main_one(start):
    training = start()
    batch = training.trainee.batches.take()
    parts = (torch.tensor(7.0, requires_grad=True), torch.tensor(2.0), training.trainee.carried)
    training.model.loss = lambda *args: parts
    assert training.update(batch)[0] == 2.0
    assert parts[0].grad == 1  # and what is minimized is the whole


def test_pieces_vary_as_the_configuration_says(start):
    training = start(replace(CONFIG, length_variation=0.0))
    assert {training.trainee.batches.take().tokens.shape[1] for _ in range(5)} == {16}


def test_the_log_has_the_norm_before_clipping(start, monkeypatch):
    clock = Time(monkeypatch)
    training = start(replace(CONFIG, clip_norm=1e-3))
    updated, update = [], training.update

    def slow(batch):
        clock.now += 1
        updated.append(update(batch))
        return updated[-1]

    monkeypatch.setattr(training, "update", slow)
    _, records = run(training)
    trained = [record for record in records if record.kind == "train"]
    assert [row.gradient_norm for row in trained] == [norm for _, norm in updated]
    bits = [row.train for row in trained]
    assert bits == pytest.approx([nats * BITS_PER_NAT for nats, _ in updated])
    assert list(folder.read_log(training.run)) == records


def test_matrices_decay_and_vectors_do_not(start):
    training = start(replace(CONFIG, weight_decay=0.3))
    model, groups = training.model, training.optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert {value.dim() for value in groups[0]["params"]} == {2}
    assert {value.dim() for value in groups[1]["params"]} == {1}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


def test_the_average_is_the_uniform_mean_of_the_tail(start, monkeypatch):
    training = start(replace(CONFIG, average_fraction=0.25))
    seen = snapshots(training, monkeypatch)
    run(training)
    number = training.progress.num_averaged
    assert number / len(seen) == pytest.approx(0.25, abs=0.05) and number > 3
    for name, value in training.weights.average.items():
        expected = torch.stack([weights[name] for weights in seen[-number:]]).mean(0)
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("best", [2, 5, "average"])
def test_the_best_weights_are_kept(start, monkeypatch, best):
    """Validation is told which look is the best: an early one, a later one, or the average."""
    training, looks = start(), []
    seen = snapshots(training, monkeypatch)

    def told(model, store, num_tokens):
        assert not model.training
        looks.append(clone_weights(model))
        averaged = training.progress.num_averaged > 1 and all(
            torch.equal(looks[-1][name], training.weights.average[name]) for name in looks[-1]
        )
        return 1.0 if (averaged if best == "average" else len(looks) == best) else 2.0 + len(looks)

    monkeypatch.setattr(trainee, "validation_nats", told)
    nats, _ = run(training)
    assert nats == training.progress.best_nats == 1.0
    expected = training.weights.average if best == "average" else looks[best - 1]
    assert_weights(training.model, expected)
    assert any(torch.equal(seen[-1][name], expected[name]) is False for name in expected)
    training.save_best()
    assert_weights(training.model, load_file(training.run / folder.MODEL))
    assert not training.model.training


def test_divergence_is_reported_and_leaves_the_best(start, monkeypatch):
    training = start()
    looks, update, validate = [], training.update, training.validate

    def breaks(batch):
        if training.progress.step == 10:
            with torch.no_grad():
                training.model.embedding.weight.fill_(math.nan)
        return update(batch)

    def look():
        looks.append((validate(), clone_weights(training.model)))
        return looks[-1][0]

    monkeypatch.setattr(training, "update", breaks)
    monkeypatch.setattr(training, "validate", look)
    nats, records = run(training)
    assert [record.kind for record in records[-2:]] == ["diverged", "end"]
    assert records[-2].text == (
        "Diverged at step 11; the best weights before it are kept. Lower --learning-rate."
    )
    assert (nats, training.progress.step) == (min(looks, key=lambda look: look[0])[0], 11)
    assert_weights(training.model, min(looks, key=lambda look: look[0])[1])
    assert not training.model.training  # without dropout: the figures that follow are right


def test_divergence_in_the_tail_spoils_no_average(start, monkeypatch):
    training = start(replace(CONFIG, average_fraction=1.0))
    update = training.update

    def breaks(batch):
        if training.progress.step == 10:
            with torch.no_grad():
                training.model.embedding.weight.fill_(math.nan)
        return update(batch)

    monkeypatch.setattr(training, "update", breaks)
    nats, _ = run(training)
    assert math.isfinite(nats)
    assert all(value.isfinite().all() for value in training.model.state_dict().values())


def test_budget_in_tokens(start):
    training = start()
    run(training)
    per_step = 8 * 20  # a step takes at most 16 + 4 tokens of each lane
    assert 4096 <= training.progress.tokens < 4096 + per_step


def test_the_last_update_is_validated_where_it_goes_beyond_the_budget(start, monkeypatch):
    """After eight updates of 128 tokens the next look is due at 1.016 of the budget."""
    budget = Budget(1060, "tokens")
    training = start(replace(CONFIG, budget=budget, average_fraction=0.0, length_variation=0.0))
    better = iter(range(100, 0, -1))
    monkeypatch.setattr(trainee, "validation_nats", lambda *args: float(next(better)))
    seen = snapshots(training, monkeypatch)
    _, records = run(training)
    assert len(seen) == 9
    assert [each.step for each in records if each.kind == "valid"][-1] == 9
    assert max(each.fraction for each in records) == 1.0
    assert_weights(training.model, seen[-1])


def test_budget_in_epochs(start):
    training = start(replace(CONFIG, budget=Budget(2, "epochs")))
    run(training)
    assert training.progress.tokens == 2 * training.trainee.batches.tokens_per_epoch == 4000
    assert (training.trainee.batches.epoch, training.trainee.batches.position) == (2, 0)


def test_budget_in_seconds(start, monkeypatch):
    clock = Time(monkeypatch)
    training = start(replace(CONFIG, budget=Budget(100, "seconds")))
    training.spend(7)  # before the loop
    backward, look = training.trainee.backward, training.validate
    rates = []

    def slow(batch):
        clock.now += 1
        rates.append(training.optimizer.param_groups[0]["lr"])
        return backward(batch)

    def slow_look():
        clock.now += 0.25
        return look()

    monkeypatch.setattr(training.trainee, "backward", slow)
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
    training.plan_evaluation(seconds=3.0)  # the machine has become busy
    assert training.progress.closing_seconds == 2 * (2 + 1.5 * 10) + 0.5


@pytest.mark.parametrize(("update_seconds", "validation_seconds"), [(30, 1), (1, 20), (9, 9)])
def test_a_budget_in_seconds_is_kept_where_something_takes_long(
    start, monkeypatch, update_seconds, validation_seconds
):
    clock = Time(monkeypatch)
    training = start(replace(CONFIG, budget=Budget(100, "seconds")))
    training.progress.next_update_seconds = update_seconds  # as it was measured before
    validate = training.validate

    def slow_update(batch):
        clock.now += update_seconds
        return 1.0, 1

    def slow_look():
        clock.now += validation_seconds
        return validate()

    monkeypatch.setattr(training.trainee, "backward", slow_update)
    monkeypatch.setattr(training, "validate", slow_look)
    _, records = run(training)
    early = update_seconds + 2 * validation_seconds  # two candidates may come at the end
    assert 100 - early <= training.progress.seconds <= 100
    looks = [record for record in records if record.kind == "valid"]
    assert (len(looks) - 1) * validation_seconds <= 16  # besides the one before the first update
    assert all(0 <= record.fraction <= 1 for record in records)


def test_where_the_last_evaluation_takes_it_all_nothing_is_trained(start, monkeypatch):
    Time(monkeypatch)
    training = start(replace(CONFIG, budget=Budget(1, "seconds")))
    training.trainee.closing_tokens = 10**9
    monkeypatch.setattr(training, "look", lambda: training.plan_evaluation(1.0) or 2.0)
    _, records = run(training)
    assert training.progress.step == 0
    assert [record.fraction for record in records] == [1.0, 1.0]


def test_a_rate_that_only_does_harm_leaves_the_start(start):
    training = start(replace(CONFIG, learning_rate=10.0, budget=Budget(1500, "tokens")))
    before = clone_weights(training.model)
    untrained = training.validate()
    nats, records = run(training)
    assert nats == untrained == training.progress.best_nats
    assert_weights(training.model, before)
    first, *others = [record for record in records if record.kind == "valid"]
    assert (first.step, first.train) == (0, None) and first.valid < min(o.valid for o in others)


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
