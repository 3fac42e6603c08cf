"""What is held equal between networks."""

from dataclasses import replace

import pytest

from unrolled.comparison import matching
from unrolled.comparison.matching import TRAINING_SHARE, equal_parameters, equal_tokens
from unrolled.errors import ConfigError
from unrolled.settings.data import DataConfig
from unrolled.settings.presets import model_preset
from unrolled.settings.training import Budget
from unrolled.training import size
from unrolled.training.pace import Pace
from unrolled.training.request import TrainRequest
from unrolled.training.size import num_weights

V = 65
KINDS = ("rnn", "gru", "lstm", "mingru", "transformer")
REQUESTS = [TrainRequest(kind, DataConfig(("text",)), "small") for kind in KINDS]


def test_widths_at_which_networks_have_equally_many_weights():
    found = equal_parameters(REQUESTS, V)
    weights = {}
    for request in found:
        config = replace(model_preset(request.kind, "small", V), **request.model_settings)
        weights[request.kind] = num_weights(config, V)
    presets = [num_weights(model_preset(kind, "small", V), V) for kind in KINDS]
    mean = sum(presets) / len(presets)
    assert weights == pytest.approx(dict.fromkeys(KINDS, mean), rel=0.05)
    assert max(presets) > 4 * min(presets)  # they were not equal by themselves
    assert [request.kind for request in found] == list(KINDS)


def test_a_width_of_the_users_is_not_matched():
    wanted = [replace(REQUESTS[0], model_settings={"hidden_size": 64})]
    with pytest.raises(ConfigError, match="hidden_size must be left out where parameters"):
        equal_parameters(wanted, V)


def test_equal_tokens_take_the_whole_time(monkeypatch):
    speeds = {"rnn": 4000.0, "gru": 2000.0, "lstm": 1000.0}

    def pace(model_config, config, vocab_size):
        assert config.precision == "float32" and config.threads > 0  # as it will be trained
        return Pace("float32", 1, speeds[model_config.kind], 1)

    monkeypatch.setattr(matching, "language_model_pace", pace)
    found, budget = equal_tokens(REQUESTS[:3], 70.0, 10**6, V)
    assert budget == Budget(TRAINING_SHARE * 40_000, "tokens")
    assert sum(budget.amount / speed for speed in speeds.values()) == TRAINING_SHARE * 70.0
    assert found == REQUESTS[:3]


def test_open_sizes_are_decided_before_they_are_timed(monkeypatch):
    monkeypatch.setattr(size, "choose_size", lambda *_: ("medium", 16))
    widths = []

    def pace(model_config, config, vocab_size):
        widths.append((model_config.hidden_size, config.batch_size))
        return Pace("float32", 1, 1000.0, 1)

    monkeypatch.setattr(matching, "language_model_pace", pace)
    (found,), _ = equal_tokens([replace(REQUESTS[1], size="auto")], 60.0, 10**6, V)
    assert (found.size, found.train_settings, widths) == ("medium", {"batch_size": 16}, [(512, 16)])
