"""What `size` and the text decide."""

import pytest

from unrolled.errors import ConfigError
from unrolled.settings.kinds import COMPARED, KINDS
from unrolled.settings.models import NgramConfig, RecurrentConfig, TransformerConfig
from unrolled.settings.presets import (
    model_preset,
    override,
    regularize,
    superfluous,
    train_preset,
)
from unrolled.settings.training import Budget, TrainConfig

DROPOUTS = ("input_dropout", "hidden_dropout", "output_dropout", "weight_dropout")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ngram"])
@pytest.mark.parametrize("vocab_size", [70, 10_000])
def test_networks_grow_with_size(kind, vocab_size):
    sizes = [model_preset(kind, size, vocab_size) for size in ("small", "medium", "large")]
    assert [config.kind for config in sizes] == [kind] * 3
    widths = [config.hidden_size for config in sizes]
    assert widths == sorted(set(widths))


def test_letters_have_long_ngrams_and_narrow_embeddings():
    assert model_preset("ngram", "medium", 1000) == NgramConfig(order=8)
    assert model_preset("ngram", "medium", 1001) == NgramConfig(order=5)
    assert model_preset("lstm", "medium", 1000).embedding_size == 128
    assert model_preset("lstm", "medium", 1001).embedding_size == 256
    assert model_preset("lstm", "small", 1001).embedding_size == 128


def test_heads_divide_the_width():
    for size in ("small", "medium", "large"):
        config = model_preset("transformer", size, 70)
        assert config.hidden_size % config.num_heads == 0


def test_large_vocabularies_are_sampled():
    assert train_preset("lstm", 4999).candidates == 0
    assert train_preset("lstm", 5000).candidates == 1000


def test_a_step_of_a_transformer_reads_less():
    steps = {
        (kind, size): (preset.batch_size, preset.sequence_length)
        for kind in ("lstm", "transformer")
        for size in (4999, 5000)
        for preset in [train_preset(kind, size)]
    }
    assert steps["lstm", 4999] == (64, 64) and steps["transformer", 4999] == (16, 64)
    assert steps["lstm", 5000] == steps["transformer", 5000] == (32, 48)


def test_dropout_grows_with_the_epochs_expected():
    plain = RecurrentConfig(kind="gru", hidden_size=7)
    assert regularize(plain, 0.1, 1) == regularize(plain, 2, 1) == plain
    configs = [regularize(plain, epochs, 3) for epochs in (2.1, 3, 10, 20)]
    for name in DROPOUTS:
        values = [getattr(config, name) for config in configs]
        assert values == sorted(set(values)) and values[0] > 0
    assert configs[1].output_dropout == pytest.approx(0.1)
    assert configs[1].input_dropout == configs[1].weight_dropout == pytest.approx(0.05)
    assert {config.hidden_size for config in configs} == {7}
    endless = regularize(plain, 1e9, 1)
    assert (endless.output_dropout, endless.weight_dropout) == (0.5, 0.25)
    small = regularize(plain, 1e9, 0.2)  # five tokens for each parameter
    assert (small.output_dropout, small.weight_dropout) == (pytest.approx(0.1), pytest.approx(0.05))


def test_dropout_of_the_other_kinds():
    assert regularize(TransformerConfig(), 2, 1).dropout == 0
    assert regularize(TransformerConfig(), 6, 1).dropout == pytest.approx(0.1)
    assert regularize(NgramConfig(), 100, 1) == NgramConfig()


def test_mingru_is_deep_residual_and_has_no_recurrent_weights_to_drop():
    config = model_preset("mingru", "small", 70)
    assert (config.num_layers, config.connections) == (3, "residual")
    regular = regularize(config, 20, 1)
    assert regular.weight_dropout == 0 and regular.output_dropout > 0
    assert model_preset("lstm", "small", 70).num_layers == 1


def test_compared_are_the_kinds_of_the_first_version():
    assert COMPARED == ("ngram", "rnn", "gru", "lstm", "transformer")
    assert set(KINDS) - set(COMPARED) == {"mingru"}


def test_override_replaces_what_is_given():
    config = override(RecurrentConfig(), hidden_size=9, num_layers=None, input_dropout=0.0)
    assert config == RecurrentConfig(hidden_size=9)
    budget = Budget(1, "epochs")
    assert override(TrainConfig(), budget=budget).budget == budget
    assert override(RecurrentConfig(kind="rnn"), nonlinearity="relu").nonlinearity == "relu"


@pytest.mark.parametrize(
    ("config", "name", "value", "sentence"),
    [
        (RecurrentConfig(), "order", 3, "order must be left out for lstm, got 3."),
        (RecurrentConfig(), "context", 9, "context must be left out for lstm, got 9."),
        (
            RecurrentConfig(kind="gru"),
            "nonlinearity",
            "relu",
            "nonlinearity must be left out for gru, got relu.",
        ),
        (
            RecurrentConfig(kind="mingru"),
            "weight_dropout",
            0.3,
            "weight_dropout must be left out for mingru, got 0.3.",
        ),
        (
            RecurrentConfig(kind="rnn"),
            "gate_init",
            "chrono",
            "gate_init must be left out for rnn, got chrono.",
        ),
        (NgramConfig(), "hidden_size", 9, "hidden_size must be left out for ngram, got 9."),
        (
            TransformerConfig(),
            "embedding_size",
            9,
            "embedding_size must be left out for transformer, got 9.",
        ),
    ],
)
def test_settings_of_another_kind_are_refused(config, name, value, sentence):
    with pytest.raises(ConfigError) as caught:
        override(config, **{name: value})
    assert str(caught.value) == f"{sentence} Leave --{name.replace('_', '-')} out."


def test_superfluous_names_the_flag():
    assert str(superfluous("learning_rate", "ngram", 0.1)) == (
        "learning_rate must be left out for ngram, got 0.1. Leave --learning-rate out."
    )


@pytest.mark.parametrize(
    ("kind", "size", "sentence"),
    [
        (
            "mamba",
            "medium",
            "model must be one of ngram, rnn, gru, lstm, mingru, transformer, or module:Class, "
            "got mamba. Choose one of these.",
        ),
        (
            "lstm",
            "huge",
            "size must be one of small, medium, large, got huge. Choose one of these.",
        ),
    ],
)
def test_unknown_kind_or_size(kind, size, sentence):
    with pytest.raises(ConfigError) as caught:
        model_preset(kind, size, 70)
    assert str(caught.value) == sentence
