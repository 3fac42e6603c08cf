"""A classifier in training: how it learns, what is kept of it, and going on after a break."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from unrolled.classification import trainee
from unrolled.classification.trainee import worst_shift
from unrolled.errors import CheckpointError
from unrolled.results.events import End, Interrupted, TrainStep, Validation
from unrolled.runs.folder import load_train_state, read_log, save_train_state
from unrolled.settings.training import Budget
from unrolled.system.machine import num_cores
from unrolled.training import loop
from unrolled.training.loop import fit
from unrolled.training.throughput import Pace

from .trainings import make_training


def test_layers_thaw_from_the_output_down():
    fitting = make_training(unfreeze_fraction=0.25, budget=Budget(4, "epochs"), learning_rate=0.1)
    groups = fitting.trainee.model.parameter_groups()
    before = [[value.clone() for value in group] for group in groups]
    moved = []
    for rows in fitting.trainee.train.shuffled(8, 0, 0) * 4:
        fitting.update(rows)
        pairs = zip(before, groups, strict=True)
        moved.append(
            [any(not torch.equal(a, b) for a, b in zip(*pair, strict=True)) for pair in pairs]
        )
    assert moved[3] == [True, False, False, False]
    assert moved[7] == [True, True, False, False]
    assert moved[11] == [True, True, True, False]
    assert moved[15] == [True] * 4


def test_layers_near_the_words_learn_more_slowly():
    fitting = make_training(layer_decay=2.0, weight_decay=0.0)
    groups = fitting.trainee.model.parameter_groups()
    before = [group[0].clone() for group in groups]
    fitting.update(np.arange(8))
    steps = [
        float((group[0] - old).detach().abs().max())
        for group, old in zip(groups, before, strict=True)
    ]
    # Adam's first step is as long as the rate, in every coordinate with a gradient.
    assert steps[0] / steps[1] == pytest.approx(2, rel=0.02)
    assert steps[0] / steps[3] == pytest.approx(8, rel=0.02)


def test_the_worst_shift_has_the_same_size_for_every_text():
    torch.manual_seed(0)
    gradient, words = torch.randn(3, 6, 4), 0.1 * torch.randn(3, 6, 4)
    lengths = torch.tensor([6, 2, 1])
    words[1, 2:], words[2, 1:] = 1e6, 1e6  # padding, which has no size
    gradient[1, 2:], gradient[2] = 0, 0
    shift = worst_shift(gradient, words, lengths, 3.0)
    inside = torch.cat([words[0], words[1, :2], words[2, :1]])
    size = 3 * float(inside.square().mean().sqrt())
    assert shift.flatten(1).norm(dim=1).tolist() == pytest.approx([size, size, 0], rel=1e-5)
    torch.testing.assert_close(shift[0] / size, gradient[0] / gradient[0].norm())
    assert (shift[1, 2:] == 0).all()


def test_a_text_that_weighs_nothing_teaches_nothing():
    kept, dropped = make_training(), make_training()
    weights = np.array([2.0, 0.0] * 16)
    for training, labels in ((kept, [0, 1]), (dropped, [0, 0])):
        targets = replace(training.trainee.targets, labels=np.array(labels * 16), weights=weights)
        trainee = training.trainee
        one = type(trainee)(
            *(trainee.model, trainee.train, targets, trainee.valid, targets, trainee.config)
        )
        torch.manual_seed(0)
        training.loss, _ = one.backward(np.arange(8))
    assert kept.loss == dropped.loss
    for one, other in zip(kept.model.parameters(), dropped.model.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_adversarial_training_adds_the_gradient_at_the_worst_shift(monkeypatch):
    fitting = make_training(adversarial_norm=0.5, clip_norm=1e9)
    fitting.model.config = replace(fitting.model.config, dropout=0.0)
    fitting.model.embedding.word_dropout = 0.0
    for encoder in fitting.model.encoders:
        encoder.hidden_dropout = 0.0
    rows = np.arange(8)
    tokens, lengths = fitting.trainee.train.batch(rows)
    targets = torch.from_numpy(fitting.trainee.targets.labels[rows])
    weight = fitting.model.embedding.weight

    def loss(shift):
        return torch.nn.functional.nll_loss(fitting.model(tokens, lengths, shift), targets)

    nowhere = torch.zeros(*tokens.shape, 4, requires_grad=True)
    clean = loss(nowhere)
    (slope,) = torch.autograd.grad(clean, nowhere, retain_graph=True)
    shift = worst_shift(slope, weight.detach()[tokens], lengths, 0.5)
    worst, mild = loss(shift), loss(shift.flip(0))
    assert worst > max(clean, mild)
    expected = torch.autograd.grad(clean + worst, weight)[0]
    kept = []
    monkeypatch.setattr(fitting.optimizer, "step", lambda: kept.append(weight.grad.clone()))
    fitting.update(rows)
    torch.testing.assert_close(kept[0], expected)
    assert fitting.trainee.losses == [pytest.approx(clean.item())]


def test_the_mean_of_the_weights_since_the_last_look_is_measured_and_kept(monkeypatch):
    fitting = make_training(budget=Budget(5, "epochs"), learning_rate=0.05)
    after, measured, update = [], [], fitting.update
    weight = fitting.model.embedding.weight

    def spy(rows):
        if after:
            assert torch.equal(weight, after[-1])  # training goes on from where it was
        after.append(None)
        learned = update(rows)
        after[-1] = weight.detach().clone()
        return learned

    def loss(*arguments):
        measured.append(weight.detach().clone())
        return 0.1 if len(measured) == 7 else 0.2

    monkeypatch.setattr(fitting, "update", spy)
    monkeypatch.setattr(trainee, "log_loss", loss)
    fit(fitting)
    assert len(after) == 20 and len(measured) == len(fitting.trainee.curve) == 10
    for number, found in enumerate(measured):
        mean = (after[2 * number] + after[2 * number + 1]) / 2
        torch.testing.assert_close(found, mean)
    assert torch.equal(weight, measured[6])


def test_it_stops_when_told():
    with pytest.raises(Interrupted):
        fit(make_training(), stop=lambda: True)


@pytest.mark.parametrize("last", [6, 7])  # at a look, and between two
@pytest.mark.parametrize("settings", [{}, {"unfreeze_fraction": 0.2, "adversarial_norm": 1.0}])
def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path, last, settings):
    settings = settings | {"budget": Budget(3, "epochs")}
    whole = make_training(**settings)
    fit(whole)
    steps = iter(range(100))
    first = make_training(**settings, folder=tmp_path)
    with pytest.raises(Interrupted):
        fit(first, stop=lambda: next(steps) == last - 1)
    second = make_training(**settings, folder=tmp_path)
    torch.manual_seed(99)
    assert second.restore()
    assert second.progress.step == last
    fit(second)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    losses = [[row.valid_loss for row in one.trainee.curve] for one in (whole, second)]
    assert losses[0] == losses[1]
    other = settings | {"budget": Budget(4, "epochs")}
    with pytest.raises(CheckpointError, match="was started with other texts or settings"):
        make_training(**other, folder=tmp_path).restore()
    changed = make_training(**settings, folder=tmp_path)
    targets = changed.trainee.targets
    changed.trainee.targets = replace(targets, labels=1 - targets.labels)
    with pytest.raises(CheckpointError, match="was started with other texts or settings"):
        changed.restore()
    assert not make_training().restore()


def test_what_diverges_keeps_the_best_weights():
    fitting = make_training(budget=Budget(50, "epochs"), learning_rate=1e30, clip_norm=1e30)
    events = []
    fit(fitting, events.append)
    assert [event.kind for event in events[-2:]] == ["diverged", "end"]
    assert events[-2].text.endswith("; the best weights before it are kept. Lower --learning-rate.")
    assert all(value.isfinite().all() for value in fitting.model.state_dict().values())


@pytest.mark.parametrize("fault", ["unknown value", "best", "average"])
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, fault):
    fitting = make_training(folder=tmp_path)
    if fault == "unknown value":
        fitting.progress.__dict__["unknown"] = 1
    else:
        weights = getattr(fitting.weights, fault)
        weights.pop(next(iter(weights)))
    fitting.save()
    with pytest.raises(CheckpointError, match="this training. Delete it to start again"):
        make_training(folder=tmp_path).restore()


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path):
    """Its values had other names, and precision and threads were decided anew."""
    settings = {"budget": Budget(3, "epochs")}
    whole = make_training(**settings)
    fit(whole)
    steps = iter(range(100))
    with pytest.raises(Interrupted):
        fit(make_training(tmp_path, **settings), stop=lambda: next(steps) == 5)
    tensors, values = load_train_state(tmp_path)
    for name in ("precision", "threads", "update_seconds", "evaluation_seconds", "closing_seconds"):
        del values[name]
    old = {new: old for old, new in trainee.RENAMED.items()}
    save_train_state(
        tmp_path, tensors, {old.get(name, name): value for name, value in values.items()}
    )
    again = make_training(tmp_path, **settings)
    assert again.restore() and again.progress.step == 6
    fit(again)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_the_log_has_all_that_happens(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "EVENT_SECONDS", 0.0)
    training, events = make_training(tmp_path, budget=Budget(5, "epochs")), []
    fit(training, events.append)
    assert list(read_log(tmp_path)) == events
    assert {event.unit for event in events} == {"nats/text"}
    steps, looks = (
        [event for event in events if isinstance(event, kind)] for kind in (TrainStep, Validation)
    )
    assert len(steps) == 20 and all(event.gradient_norm > 0 for event in steps)
    curve = training.trainee.curve
    assert [look.accuracy for look in looks] == [point.valid_accuracy for point in curve]
    assert looks[0].train == pytest.approx(np.mean([event.train for event in steps[:2]]))
    assert isinstance(events[-1], End)
    assert events[-1].valid == min(look.valid for look in looks)
    assert events[-1].fraction >= 1


@pytest.mark.parametrize(
    ("budget", "num_steps"), [(Budget(2, "epochs"), 8), (Budget(250, "tokens"), 7)]
)
def test_budgets_that_count_text(budget, num_steps):
    training = make_training(budget=budget)  # 8 texts of 4.75 tokens in an update
    fit(training)
    assert training.progress.step == num_steps
    assert len(training.trainee.curve) == min(10, num_steps)


def test_a_budget_in_seconds_has_the_looks_that_it_can_afford(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock.now))
    training = make_training(budget=Budget(100, "seconds"))
    backward, validate = training.trainee.backward, training.trainee.validate

    def slow_step(batch):
        clock.now += 1
        return backward(batch)

    def slow_look():
        clock.now += 1
        return validate()

    monkeypatch.setattr(training.trainee, "backward", slow_step)
    monkeypatch.setattr(training.trainee, "validate", slow_look)
    fit(training)
    assert 98 <= training.progress.seconds <= 101  # the last look is inside
    assert 4 <= len(training.trainee.curve) <= 5  # each is a hundredth of the budget


def test_precision_and_threads_are_measured_where_they_are_open(monkeypatch):
    seen = []

    def measured(config, step, num_tokens, num_parameters):
        seen.append((num_tokens, num_parameters))
        torch.rand(3)
        step("float32")
        return Pace("float32", 2, 1000.0, num_parameters)

    monkeypatch.setattr(trainee, "find_pace", measured)
    training = make_training()
    by_clock = replace(training.config, budget=Budget(60, "seconds"))
    training.trainee.config = replace(by_clock, precision="auto", threads=0)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    weights = {name: value.clone() for name, value in training.model.state_dict().items()}
    training.trainee.decide()
    assert (training.config.precision, training.config.threads) == ("float32", 2)
    assert seen == [(40, sum(value.numel() for value in training.model.parameters()))]
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads
    assert all(value.grad is None for value in training.model.parameters())
    assert all(
        torch.equal(weights[name], value) for name, value in training.model.state_dict().items()
    )


@pytest.mark.parametrize("budget", [Budget(2, "epochs"), Budget(100, "tokens")])
def test_the_clock_decides_nothing_where_the_budget_is_no_time(monkeypatch, budget):
    monkeypatch.setattr(trainee, "find_pace", lambda *arguments: pytest.fail("measured"))
    training = make_training()
    for threads, expected in ((1, 1), (0, num_cores())):
        config = replace(training.config, budget=budget, precision="auto", threads=threads)
        training.trainee.config = config
        assert training.trainee.decide() is None
        assert (training.config.precision, training.config.threads) == ("float32", expected)
    training.trainee.config = replace(config, precision="bfloat16")
    assert training.trainee.decide() is None and training.config.precision == "bfloat16"


def test_prediction_keeps_to_the_threads_and_few_texts_to_one():
    training = make_training()
    documents, config = training.trainee.train, training.config
    seen = []
    training.trainee.model.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    torch.set_num_threads(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainee, "num_cores", lambda: 2)
        patch.setattr(trainee, "SCORED_TEXTS", 8)
        for threads, expected in ((1, 1), (2, 2), (5, 2), (0, 2)):
            trainee.read(training.trainee.model, documents, replace(config, threads=threads))
            assert set(seen) == {expected}
            seen.clear()
        patch.setattr(trainee, "SCORED_TEXTS", 1)
        trainee.read(training.trainee.model, documents, replace(config, threads=2))
    assert set(seen) == {1}
    assert torch.get_num_threads() == 3
