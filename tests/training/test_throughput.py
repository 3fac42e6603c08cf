"""The fastest way to train is measured and said."""

from dataclasses import replace

import pytest
import torch

from unrolled.models.build import build
from unrolled.settings.models import RecurrentConfig, TransformerConfig
from unrolled.settings.training import Budget, TrainConfig
from unrolled.training import throughput
from unrolled.training.pace import Pace, PaceWatch
from unrolled.training.throughput import language_model_pace, without_clock

LSTM = RecurrentConfig(kind="lstm", hidden_size=8, embedding_size=4)
CONFIG = TrainConfig(batch_size=4, sequence_length=10)


@pytest.fixture
def timed(monkeypatch):
    """Steps take given seconds: `timed({("float32", 2): 0.3})`; returns what will be timed."""

    def measure(seconds, num_cores=2):
        asked = []

        def step_seconds(step, limit):
            (precision,) = step.args
            asked.append((precision, torch.get_num_threads()))
            return [seconds[asked[-1]]] * 2

        monkeypatch.setattr(throughput, "_step_seconds", step_seconds)
        monkeypatch.setattr(throughput, "num_cores", lambda: num_cores)
        return asked

    return measure


def test_long_steps_are_timed_in_both_precisions(timed):
    asked = timed({("bfloat16", 2): 0.2, ("float32", 2): 0.5})
    found = language_model_pace(LSTM, CONFIG, 11)
    assert asked == [("float32", 2), ("bfloat16", 2)]
    others = ("float32 with 2 threads takes 2.5x as long",)
    assert found == Pace("bfloat16", 2, 40 / 0.2, build(LSTM, 11).num_parameters(), others)
    assert str(found) == f"bfloat16, 2 threads ({others[0]})"
    assert torch.get_num_threads() == 2


def test_short_steps_are_also_timed_with_one_thread(timed):
    seconds = {("bfloat16", 2): 0.08, ("float32", 2): 0.06}
    asked = timed(seconds | {("bfloat16", 1): 0.05, ("float32", 1): 0.04})
    found = language_model_pace(LSTM, CONFIG, 11)
    assert len(asked) == 4
    assert (found.precision, found.threads) == ("float32", 1)
    assert found.tokens_per_second == pytest.approx(40 / 0.04)
    assert torch.get_num_threads() == 1


def test_what_is_given_is_not_timed(timed):
    asked = timed({("float32", 1): 0.01})
    found = language_model_pace(LSTM, replace(CONFIG, precision="float32", threads=1), 11)
    assert asked == [("float32", 1)]
    assert str(found) == "float32, 1 thread"


def test_measuring_ends_with_its_part_of_the_budget(timed):
    asked = timed({("float32", 2): 0.06, ("bfloat16", 2): 0.05, ("float32", 1): 0.01})
    found = language_model_pace(LSTM, replace(CONFIG, budget=Budget(4, "seconds")), 11)
    assert asked == [("float32", 2), ("bfloat16", 2)]  # two steps each: 0.22 s of 0.2
    assert (found.precision, found.threads) == ("bfloat16", 2)


def test_a_step_that_takes_long_is_timed_once():
    steps = []
    assert len(throughput._step_seconds(lambda: steps.append(1), limit=1e-12)) == 1
    assert len(throughput._step_seconds(lambda: steps.append(1), limit=60.0)) == 2
    assert len(steps) == 3


def test_without_the_clock_nothing_is_open():
    found = without_clock(TrainConfig(budget=Budget(1, "epochs")))
    assert (found.precision, found.threads) == ("float32", throughput.num_cores())
    given = TrainConfig(budget=Budget(1, "epochs"), precision="bfloat16", threads=1)
    assert without_clock(given) == given


def test_one_core_is_timed_once(timed):
    asked = timed({("bfloat16", 1): 0.02, ("float32", 1): 0.01}, num_cores=1)
    assert language_model_pace(LSTM, CONFIG, 11).threads == 1
    assert len(asked) == 2


@pytest.mark.parametrize(
    "model_config",
    [LSTM, TransformerConfig(hidden_size=8, num_layers=1, num_heads=2, context=16)],
)
@pytest.mark.parametrize("candidates", [0, 5])
def test_a_step_is_timed_as_training_does_it(model_config, candidates, monkeypatch):
    model = build(model_config, 11)
    times = iter([0.0, 5.0, 10.0, 12.0])
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: next(times))
    monkeypatch.setattr(throughput, "build", lambda *arguments: model)
    shapes, score = [], model.score
    monkeypatch.setattr(throughput, "_wake", lambda model: None)

    def spy(tokens, targets, state, given):
        shapes.append(tuple(tokens.shape))
        assert (given is not None) == (candidates > 0)
        assert model.training and torch.is_autocast_enabled("cpu")
        return score(tokens, targets, state, given)

    model.score = spy
    config = replace(CONFIG, precision="bfloat16", candidates=candidates, threads=1)
    assert language_model_pace(model_config, config, 11).tokens_per_second == 40 / 2.0
    assert shapes == [(4, 10)] * 2
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_transformer_is_timed_with_a_full_window():
    config = TransformerConfig(hidden_size=8, num_layers=1, num_heads=2, context=16)
    _, counts = throughput._carried(build(config, 11), config, torch.zeros(3, 5, dtype=torch.int64))
    assert counts.tolist() == [16, 16, 16]


def test_attention_over_past_states_is_timed_with_a_full_window():
    config = replace(LSTM, attention=16)
    state = throughput._carried(build(config, 11), config, torch.zeros(3, 5, dtype=torch.int64))
    assert state[-1].tolist() == [16, 16, 16] and state[1].shape == (3, 16, 1, 8)


def test_only_a_speed_that_has_changed_for_long_is_measured_again():
    paces = iter([Pace("bfloat16", 1, 20.0, 1), Pace("float32", 2, 100.0, 1)])
    watch = PaceWatch(100.0, lambda: next(paces))
    tokens, seconds, found = 0, 0.0, []
    for speed in (90, 30, 90, 30, 30, 30, 20, 25, 90, 90, 90, 90):
        tokens, seconds = tokens + speed, seconds + 1
        found.append(watch.look(tokens, seconds))
    slow, fast = (30.0, Pace("bfloat16", 1, 20.0, 1)), (90.0, Pace("float32", 2, 100.0, 1))
    # Once it is measured, a change has to last twice as long: four looks.
    assert found == [None] * 4 + [slow] + [None] * 6 + [fast]
    assert watch.expected == 100.0


def test_measuring_leaves_the_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    language_model_pace(LSTM, replace(CONFIG, threads=1, precision="float32"), 11)
    assert torch.equal(torch.rand(3), expected)
