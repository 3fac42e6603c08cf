"""Settings: what users write, what is saved, what is refused."""

import json

import pytest

from unrolled.errors import ConfigError
from unrolled.settings.models import (
    ModelConfig,
    NgramConfig,
    RecurrentConfig,
    TransformerConfig,
)
from unrolled.settings.training import Budget, ClassifierTrainConfig, TrainConfig
from unrolled.system.records import from_json


@pytest.mark.parametrize(
    ("text", "amount", "unit", "shown"),
    [
        ("90s", 90, "seconds", "90s"),
        ("10m", 600, "seconds", "10m"),
        (" 1.5 h ", 5400, "seconds", "90m"),
        ("2h", 7200, "seconds", "2h"),
        (".5s", 0.5, "seconds", "0.5s"),
        ("2000000tokens", 2e6, "tokens", "2,000,000 tokens"),
        ("1token", 1, "tokens", "1 tokens"),
        ("500ktokens", 5e5, "tokens", "500,000 tokens"),
        ("2Mtokens", 2e6, "tokens", "2,000,000 tokens"),
        ("2.5 M tokens", 2.5e6, "tokens", "2,500,000 tokens"),
        ("3epochs", 3, "epochs", "3 epochs"),
        ("0.5 epoch", 0.5, "epochs", "0.5 epochs"),
    ],
)
def test_budget(text, amount, unit, shown):
    budget = Budget.parse(text)
    assert budget == Budget(amount, unit)
    assert str(budget) == shown


WRONG_BUDGETS = ["", "10", "m", "10 days", "-5m", "0s", "0epochs", "1.2.3s", ".s", "5M", "1e3s"]


@pytest.mark.parametrize("text", [*WRONG_BUDGETS, "9" * 400 + "s"])
def test_wrong_budget(text):
    with pytest.raises(ConfigError) as caught:
        Budget.parse(text)
    assert str(caught.value) == (
        f"budget must be a time, tokens or epochs above zero, got {text!r}. "
        'Write for example "90s", "10m", "1h", "2Mtokens" or "3epochs".'
    )


@pytest.mark.parametrize(
    "config",
    [
        NgramConfig(order=3),
        RecurrentConfig(kind="rnn", nonlinearity="relu", hidden_size=3),
        RecurrentConfig(kind="gru", weight_dropout=0.25),
        RecurrentConfig(kind="lstm", num_layers=2),
        TransformerConfig(context=7, dropout=0.1),
    ],
)
def test_model_settings_survive_json(config):
    assert from_json(ModelConfig, json.loads(json.dumps(config.to_json())), "model") == config


def test_train_settings_survive_json():
    config = TrainConfig(budget=Budget(3, "epochs"), learning_rate=0.1, seed=7, threads=2)
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_classifier_is_written_as_before_where_checkpoints_come_as_a_rule():
    assert "checkpoint_seconds" not in ClassifierTrainConfig().to_json()
    config = ClassifierTrainConfig(checkpoint_seconds=5.0)
    assert ClassifierTrainConfig.from_json(config.to_json()) == config
    assert repr(config) == repr(ClassifierTrainConfig())  # checkpoints go by it


def test_unknown_kind_of_model():
    with pytest.raises(ConfigError) as caught:
        from_json(ModelConfig, {"kind": "mamba"}, "model")
    assert str(caught.value) == (
        "model must be one of ngram, rnn, gru, lstm, mingru, transformer, or module:Class, "
        "got mamba. Choose one of these."
    )


def test_setting_of_another_version():
    with pytest.raises(ValueError, match="model has an unknown field 'pruning'"):
        from_json(ModelConfig, {"kind": "ngram", "order": 3, "pruning": 1}, "model")


COUNTED = "Use for example 2, or 0 to let them be measured."


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("learning_rate", 0.0, "must be above 0, got 0.0. Use for example 0.003."),
        ("learning_rate", float("nan"), "must be above 0, got nan. Use for example 0.003."),
        ("clip_norm", -1.0, "must be above 0, got -1.0. Use for example 0.5."),
        ("batch_size", 0, "must be 1 or more, got 0. Use for example 64."),
        ("sequence_length", 0, "must be 1 or more, got 0. Use for example 64."),
        ("candidates", -1, "must be 0 or more, got -1. Use for example 0."),
        ("weight_decay", -0.1, "must be 0 or more, got -0.1. Use for example 0.01."),
        ("threads", 5000, f"must be from 0 to 512, got 5000. {COUNTED}"),
        ("checkpoint_seconds", -1.0, "must be 0 or more, got -1.0. Use for example 60.0."),
        ("seed", -1, "must be from 0 to 4294967295, got -1. Use for example 0."),
        ("beta1", 1.0, "must be at least 0 and below 1, got 1.0. Use for example 0.9."),
        ("beta2", -0.1, "must be at least 0 and below 1, got -0.1. Use for example 0.99."),
        ("warmup_fraction", 2.0, "must be from 0 to 1, got 2.0. Use for example 0.03."),
        ("decay_fraction", 1.5, "must be from 0 to 1, got 1.5. Use for example 0.5."),
        ("average_fraction", -0.5, "must be from 0 to 1, got -0.5. Use for example 0.1."),
    ],
)
def test_training_settings_out_of_range(name, value, sentence):
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{name: value})
    assert str(caught.value) == f"{name} {sentence}"
