"""Watching a training: what it says, when, at what price, and that it changes nothing."""

import math
import re
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import unrolled
from unrolled.cli.options import ModelOptions, TrainOptions
from unrolled.diagnosis import monitor
from unrolled.diagnosis.monitor import GradientMonitor, Trend, look, sample, with_flow
from unrolled.models.build import build
from unrolled.results.diagnosis import Flow
from unrolled.results.events import Event, GradientFlow, GradientNorms, Warned
from unrolled.runs.folder import MODEL, append_log, read_log
from unrolled.settings.data import DataConfig
from unrolled.settings.models import RecurrentConfig, TransformerConfig
from unrolled.settings.training import Budget, TrainConfig
from unrolled.training import language_model
from unrolled.training.loop import Training, fit
from unrolled.training.request import TrainRequest
from unrolled.training.trainee import LanguageModelTrainee

from ..classification.trainings import make_training

V = 8
CONFIG = TrainConfig(
    learning_rate=0.02,
    batch_size=8,
    sequence_length=16,
    precision="float32",
    threads=1,
)
LSTM = RecurrentConfig(kind="lstm", hidden_size=16, embedding_size=8, output_dropout=0.1)
RNN = RecurrentConfig(kind="rnn", hidden_size=16, embedding_size=8)


def flow(shares, layer=1, path="hidden"):
    """A curve as diagnosis/flow.py describes it."""
    gone = next((lag for lag, share in enumerate(shares) if share < 0.01), None)
    rate = math.log(shares[-1]) / len(shares)
    return Flow(layer, path, list(range(len(shares))), list(shares), 1.5, rate, gone)


FALLING = flow(0.5 ** np.arange(128))
SLOW = flow(0.99 ** np.arange(128))
GROWING = flow(1.1 ** np.arange(128))


@pytest.fixture
def start(make_store, tmp_path):
    """Builds a training of a tiny model: `start(model, config, num_tokens=)`."""

    def build_training(model=LSTM, num_tokens=3000, budget=1e6) -> Training:
        config = replace(CONFIG, budget=Budget(budget, "tokens"))
        ids = np.random.default_rng(0).integers(1, V, num_tokens)
        store = make_store(V, train=ids, valid=ids[:300])
        torch.manual_seed(config.seed)
        unigram = torch.full((V,), -math.log(V))
        trainee = LanguageModelTrainee(build(model, V), store, config, unigram)
        return Training(trainee, tmp_path)

    return build_training


def stand(training: Training, seconds: float, whole: float = 1000.0) -> None:
    """Puts the training so far into its budget, of which a tenth is spent on other things."""
    part = seconds / whole
    training.progress.seconds, training.progress.update_seconds = seconds, 0.9 * seconds
    training.progress.tokens = int(part * training.config.budget.amount)


class Looks:
    """Stands for `gradient_flow`: takes time, and says what it is told."""

    def __init__(self, monkeypatch, flows=(SLOW,), seconds: float = 0.0) -> None:
        self.flows, self.seconds, self.now, self.num = list(flows), seconds, 0.0, 0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(monitor, "time", clock)

    def __call__(self, model, tokens, warm_up):
        assert not model.training
        self.num += 1
        self.now += self.seconds
        return self.flows


def monitored(training, looks, seconds, updates=((2.0, 0.3, False),), whole=1000.0) -> list[Event]:
    """What a monitor says at these seconds of the training, after the same updates each time."""
    watch, events = GradientMonitor(training, looks), []
    for now in (1.0, *seconds):
        stand(training, now, whole)
        for update in updates:
            events += watch(*update)
    return events


def times(events: list[Event], kind: str) -> list[float]:
    return [event.seconds for event in events if event.kind == kind]


def test_the_weights_are_the_same_with_watching(start):
    finals, kinds = [], []
    for watching_on in (False, True):
        trained = start(budget=3000)
        if watching_on:
            watch, records = GradientMonitor(trained), []
            watch.began = 0.0, -1.0
            watch._due, watch._can_afford = lambda: True, lambda cost: True  # after every update
            fit(trained, records.append, monitor=watch)
            kinds = [record.kind for record in records]
            assert all(isinstance(row, GradientFlow) for row in records if row.kind == "gradient")
        else:
            fit(trained)
        finals.append({**trained.model.state_dict(), "rng": torch.get_rng_state()})
    assert kinds.count("gradient") == trained.progress.step > 15
    for name, value in finals[0].items():
        assert torch.equal(value, finals[1][name]), name


def test_a_look_leaves_no_trace(start):
    model = start().model.train()
    model.score(
        torch.zeros(2, 5, dtype=torch.long),
        torch.ones(2, 5, dtype=torch.long),
        model.initial_state(2),
    )[0].sum().backward()
    model.embedding.bias.requires_grad_(False)
    before = {name: value.grad.clone() for name, value in model.named_parameters()}
    rng = torch.get_rng_state()

    def careless(model, tokens, warm_up):
        torch.rand(3)
        assert not any(value.requires_grad for value in model.parameters())
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        look(model, torch.ones(2, 193, dtype=torch.long), careless)
    assert torch.equal(torch.get_rng_state(), rng)
    assert all(module.training for module in model.modules())
    for name, value in model.named_parameters():
        assert torch.equal(value.grad, before[name])
        assert value.requires_grad == (name != "embedding.bias")


def test_the_sample_is_running_text(start):
    training = start()
    store = training.trainee.store
    rows, text = sample(store), store.tokens("train")
    assert rows.shape == (16, 193)
    assert rows[0].tolist() == text[:193].tolist() and rows[-1].tolist() == text[-193:].tolist()
    assert sample(start(num_tokens=100).trainee.store).shape == (16, 100)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "rnn", "nonlinearity": "relu", "recurrent_init": "identity", "layer_norm": True},
        {"kind": "gru", "num_layers": 2, "connections": "residual", "state_dropout": 0.2},
        {"kind": "lstm", "attention": 5, "zoneout": 0.1, "weight_dropout": 0.2},
        {"kind": "lstm", "lookahead": 0.5, "embedding_dropout": 0.1, "connections": "sum"},
        {"kind": "mingru", "num_layers": 2, "gate_init": "chrono"},
    ],
)
def test_every_recurrent_model_can_be_looked_at(start, changes):
    """An error in a look would end the training."""
    trained = start(replace(LSTM, output_dropout=0.0, **changes))
    trained.update(trained.trainee.next_batch())
    flows = look(trained.model, sample(trained.trainee.store))
    assert len(flows) == trained.model.stack.num_states * len(trained.model.stack.layers)
    assert all(math.isfinite(share) for flow in flows for share in flow.shares)
    assert isinstance(monitor.judged(flows, trained), list)


def test_a_short_text_is_looked_at_as_far_as_it_goes(start):
    training = start(num_tokens=100)
    (hidden, cell) = look(training.model, sample(training.trainee.store))
    assert hidden.lags == cell.lags == list(range(99 - 33))


def test_norms_are_those_since_the_last_record(start, monkeypatch):
    training, looks = start(), Looks(monkeypatch)
    watch = GradientMonitor(training, looks)
    stand(training, 1)
    for norm in (0.1, 0.2, 0.9):
        assert watch(2.0, norm, norm > 0.5) == []
    stand(training, 60)
    (record,) = watch(2.0, math.inf, True)
    assert (record.norm_median, record.norm_greatest) == (0.2, 0.9)
    assert record.clip_rate == 0.5
    watch(2.0, 0.4, False)
    stand(training, 200)
    (record,) = watch(2.0, 0.6, True)
    assert (record.norm_median, record.norm_greatest) == (0.5, 0.6)
    assert record.clip_rate == 0.5


def test_when_records_come(start, monkeypatch):
    looks = Looks(monkeypatch)
    every = range(1, 1000)
    said = times(monitored(start(), looks, every), "gradient")
    assert 50 <= said[0] <= 53  # after 5 %
    assert {b - a for a, b in zip(said, said[1:], strict=False)} <= {25, 26}  # 40 in all
    assert looks.num == len(said)
    short = times(monitored(start(), Looks(monkeypatch), range(1, 60), whole=60.0), "gradient")
    assert short == [4, 17, 29, 41, 54]


def test_looks_take_a_hundredth_of_the_training(start, monkeypatch):
    looks = Looks(monkeypatch, seconds=1.5)
    records = monitored(start(), looks, range(1, 1000))
    looked = [row for row in records if isinstance(row, GradientFlow)]
    assert looked[0].seconds <= 53 and looked[0].look_seconds == 1.5
    assert looks.num == len(looked) == 5  # 1.5 s each of 900 s in updates
    assert len(times(records, "gradient")) > 30  # norms cost nothing


def test_a_look_that_is_too_dear_is_not_tried(start, monkeypatch):
    for budget, expected in ((145_000, 5), (135_000, 0)):  # of which 193 x 8 are about 1 %
        looks = Looks(monkeypatch)
        records = monitored(start(budget=budget), looks, range(1, 60), whole=60.0)
        assert looks.num == expected and len(times(records, "gradient")) == 5
        assert sum(isinstance(record, GradientFlow) for record in records) == expected


def test_a_transformer_has_norms_only(start):
    model = TransformerConfig(hidden_size=16, num_layers=1, num_heads=2, context=16)
    records = monitored(start(model), look, (60, 120))
    assert [type(record) for record in records] == [GradientNorms] * 2
    assert records[0].norm_greatest == 0.3


def test_the_longest_path_goes_into_the_log(start, monkeypatch):
    best = flow(0.9 ** np.arange(128), layer=2, path="cell")
    records = monitored(start(), Looks(monkeypatch, [FALLING, best, FALLING]), (60,))
    (record,) = [row for row in records if row.kind == "gradient"]
    assert record.lags == [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 127]
    assert record.shares == pytest.approx([0.9**lag for lag in record.lags], rel=1e-3)
    assert (record.layer, record.path) == (2, "cell")
    assert record.half_life == 1.5 and record.horizon == 44


def thinned(flow) -> list[int]:
    at = {"step": 1, "tokens": 1, "seconds": 1.0, "fraction": 0.5}
    norms = GradientNorms(**at, norm_median=1.0, norm_greatest=1.0, clip_rate=0.0)
    return with_flow(norms, flow, 0.1).lags


def test_few_lags_are_kept_as_they_are():
    assert thinned(flow([1.0, 0.5])) == [0, 1]
    assert thinned(flow([1.0, 0.5, 0.2, 0.1, 0.05])) == [0, 1, 2, 3, 4]


def test_gradients_that_are_no_numbers_are_left_out(start, monkeypatch):
    broken = replace(SLOW, shares=[1.0, math.nan])
    records = monitored(start(), Looks(monkeypatch, [broken]), (60,))
    assert [type(row) for row in records] == [GradientNorms]


@pytest.mark.parametrize("model", [RNN, LSTM], ids=["rnn", "lstm"])
def test_vanishing_is_said_once_and_not_too_early(start, monkeypatch, model):
    looks = Looks(monkeypatch, [FALLING])
    records = monitored(start(model), looks, range(1, 1000))
    warnings = [record for record in records if record.kind == "warning"]
    assert len(warnings) == 1 and 200 <= warnings[0].seconds < 230
    remedy = {
        "rnn": "Use --model gru or lstm.",
        "lstm": "Try --forget-bias 3 or --gate-init chrono.",
    }[model.kind]
    assert warnings[0].text == (
        "Gradients vanish: after 7 steps less than 1 % is left, so hardly anything further "
        f"back is learned. {remedy}"
    )
    assert warnings[0].condition == "vanishing"


def test_one_path_that_keeps_the_gradient_is_enough(start, monkeypatch):
    records = monitored(start(), Looks(monkeypatch, [FALLING, SLOW]), range(1, 1000))
    assert not times(records, "warning")


def test_exploding_is_said_at_the_first_look(start, monkeypatch):
    records = monitored(start(RNN), Looks(monkeypatch, [GROWING]), range(1, 1000))
    (warning,) = [record for record in records if record.kind == "warning"]
    assert warning.seconds <= 53
    assert warning.text == (
        "Gradients explode: in layer 1 they grow 180,664 times on the way back. "
        "Lower --learning-rate to 0.007, or use --model gru or lstm."
    )


@pytest.mark.parametrize(
    ("norm", "clipped", "num", "warned"),
    [(6, 60, 60, True), (4, 60, 60, False), (6, 55, 60, False), (6, 20, 20, False)],
)
def test_large_gradients(start, monkeypatch, norm, clipped, num, warned):
    """Above ten times the clip of 0.5, in more than 95 % of fifty updates or more."""
    updates = [(2.0, float(norm), index < clipped) for index in range(num)]
    training = start()
    watch = GradientMonitor(training, Looks(monkeypatch))
    stand(training, 1)
    assert not [record for update in updates for record in watch(*update)]
    stand(training, 60)
    texts = [row.text for row in watch(2.0, float(norm), True) if row.kind == "warning"]
    expected = "Gradients are large: 100% of the updates are clipped, at 12 times --clip-norm. "
    expected += "Lower --learning-rate to 0.007, or raise --clip-norm."
    assert texts == [expected] * warned


def test_a_rising_loss_is_said_at_once(start, monkeypatch):
    training = start()
    watch = GradientMonitor(training, Looks(monkeypatch))
    stand(training, 1)
    assert not [row for _ in range(100) for row in watch(2.0, 0.1, False)]
    said = [(step, row) for step in range(100) for row in watch(8.0, 0.1, False)]
    ((step, record),) = said
    assert 5 < step < 30  # the smoothed loss passes twice its lowest
    assert record.condition == "diverging"
    assert record.text == (
        "The loss rises: 4.01 nats per token after 2.00. If it does not fall again, "
        "lower --learning-rate to 0.007."
    )


def test_one_bad_batch_is_no_divergence():
    trend = Trend()
    for nats in [2.0] * 60 + [12.0] + [2.0] * 60:
        trend.add(nats)
        assert not trend.diverges
    assert trend.value == pytest.approx(2, abs=0.1)
    small = Trend()
    for nats in [0.01] * 60 + [0.2] * 200:
        small.add(nats)
        assert not small.diverges  # many times as much, but still next to nothing


def test_a_resumed_run_does_not_begin_anew(start, monkeypatch):
    training = start()
    at = {"step": 5, "tokens": 9, "seconds": 300.0, "fraction": 0.3}
    norms = GradientNorms(**at, norm_median=1.0, norm_greatest=1.0, clip_rate=0.0)
    append_log(training.run, with_flow(norms, SLOW, 4.0))
    append_log(training.run, Warned(**at, condition="vanishing", text=""))
    looks = Looks(monkeypatch, [FALLING], seconds=4.0)
    watch, records = GradientMonitor(training, looks), []
    for now in range(301, 1000):
        stand(training, now)
        records += watch(2.0, 0.1, False)
    assert not times(records, "warning")
    looked = [row.seconds for row in records if isinstance(row, GradientFlow)]
    assert len(looked) == 1 and looked[0] >= 888  # 8 s are a hundredth of what then is used up


def test_the_flags_that_warnings_name_exist(start):
    names = {field.name for kind in (ModelOptions, TrainOptions) for field in fields(kind)}
    at = {"step": 1, "tokens": 1, "seconds": 1.0, "fraction": 0.5}
    norms = GradientNorms(**at, norm_median=6.0, norm_greatest=6.0, clip_rate=1.0)
    texts = []
    for training in (start(RNN), start(LSTM)):
        texts += [monitor.vanishing(5, training), monitor.exploding(1, 20.0, training)]
        texts += [monitor.large(norms, training), monitor.diverging(Trend(), training)]
    flags = {flag for event in texts for flag in re.findall("--([a-z-]+)", event.text)}
    assert {flag.replace("-", "_") for flag in flags} - {"model"} <= names
    assert {"learning-rate", "forget-bias", "clip-norm"} <= flags


def test_the_public_train_monitors_and_the_weights_are_the_same_without(tmp_path, english):
    settings = {"batch_size": 4, "sequence_length": 32, "precision": "float32", "threads": 1}
    request = TrainRequest(
        "lstm",
        DataConfig((english,)),
        budget=Budget(20_000, "tokens"),
        model_settings={"hidden_size": 16, "embedding_size": 8},
        train_settings=settings,
    )
    weights = []
    for train in (unrolled.train, language_model.train):
        run, events = tmp_path / train.__module__, []
        trained = train(run, request, events.append)
        assert repr(trained).startswith(f"lstm in {run}: ")
        looked = [row for row in read_log(run) if row.kind == "gradient"]
        assert bool(looked) == (train is unrolled.train)
        assert [row for row in events if row.kind == "gradient"] == looked
        weights.append(load_file(run / MODEL))
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_classifier_is_monitored_too():
    """Norms, and a loss that rises, in its own unit; there is no gradient through time."""
    fitting = make_training(budget=Budget(10, "epochs"))
    events = GradientMonitor(fitting)
    fitting.trainee.losses.append(0.5)
    events.began = 0.0, -1.0
    said = events(0.5, 2.0, True)
    assert [type(event) for event in said] == [GradientNorms]
    assert (said[0].norm_median, said[0].clip_rate, said[0].unit) == (2.0, 1.0, "nats/text")
    for _ in range(100):
        events(0.5, 2.0, True)
    said = [row for _ in range(60) for row in events(4.0, 2.0, True) if row.kind == "warning"]
    assert (
        said[0].text.startswith("The loss rises: ") and " nats per text after 0.50" in said[0].text
    )
