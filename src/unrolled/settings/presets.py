"""One dial, `size`, and the text set what the user leaves open."""

from dataclasses import replace
from typing import Any

from ..errors import ConfigError
from .kinds import Size, is_unused, kind_row
from .models import (
    SMALL_VOCABULARY,
    ModelConfig,
    NgramConfig,
    OwnConfig,
    RecurrentConfig,
    TransformerConfig,
)
from .own import check_kind, own_class, own_settings
from .training import TrainConfig

LARGE_VOCABULARY = 5000
"""From here on the softmax is most of a step, and a fifth of it serves as well."""

HIDDEN: dict[Size, int] = {"small": 256, "medium": 512, "large": 1024}
TRANSFORMER: dict[Size, tuple[int, int, int]] = {  # width, layers, heads
    "small": (128, 3, 2),
    "medium": (256, 4, 4),
    "large": (384, 6, 6),
}


def model_preset(kind: str, size: Size, vocab_size: int) -> ModelConfig:
    """The settings of a kind of model for a size and a vocabulary.

    Raises:
        ConfigError: there is no such kind or size.
    """
    row = kind_row(check_kind(kind))
    if size not in HIDDEN:
        raise ConfigError("size", f"one of {', '.join(HIDDEN)}", size, "Choose one of these.")
    letters = vocab_size <= SMALL_VOCABULARY  # long n-grams are cheap, embeddings narrow
    if row.family == "own":
        return OwnConfig(kind, own_settings(kind, size, vocab_size))
    if row.family == "ngram":
        return NgramConfig(order=8 if letters else 5)
    if row.family == "transformer":
        width, layers, heads = TRANSFORMER[size]
        return TransformerConfig(hidden_size=width, num_layers=layers, num_heads=heads)
    hidden = HIDDEN[size]
    return RecurrentConfig(
        kind=kind,
        hidden_size=hidden,
        embedding_size=min(hidden // 2, 128 if letters else 256),
        num_layers=row.num_layers,
        connections="residual" if row.num_layers > 1 else "none",
    )


def train_preset(kind: str, vocab_size: int) -> TrainConfig:
    """The training settings of a kind of neural model."""
    row = kind_row(kind)
    chosen: Any = own_class(kind) if row.family == "own" else row
    config = TrainConfig(learning_rate=chosen.learning_rate)
    if row.family == "transformer":  # no step waits for another: fewer rows keep a core as busy
        config = replace(config, batch_size=config.batch_size // 4)
    if vocab_size < LARGE_VOCABULARY:
        return config
    # A word says more than a letter, and a text has fewer of them: more updates per token. The same
    # for all kinds.
    return replace(config, candidates=vocab_size // 5, batch_size=32, sequence_length=48)


FEWEST_ROWS, GOOD_UPDATES = 8, 300
"""Rows are halved down to the first until there are so many updates."""


def rows_for(num_tokens: float, config: TrainConfig) -> int:
    """B for so many tokens to read: few tokens in large batches are too few updates."""
    rows = config.batch_size
    while rows > FEWEST_ROWS and num_tokens < GOOD_UPDATES * rows * config.sequence_length:
        rows //= 2
    return rows


def regularize(config: ModelConfig, num_epochs: float, parameters_per_token: float) -> ModelConfig:
    """Adds dropout by what a model could learn by heart: none up to two passes, then ever more.

    Args:
        num_epochs: How often the text will be read.
        parameters_per_token: Of the model, by tokens of the text. Below 1 there is less to learn
            by heart with, and that much less dropout.
    """
    strength = min(0.5, 0.1 * max(0.0, num_epochs - 2) ** 0.5) * min(1.0, parameters_per_token)
    if isinstance(config, RecurrentConfig):
        return replace(
            config,
            input_dropout=strength / 2,
            hidden_dropout=strength / 2,
            output_dropout=strength,
            weight_dropout=0.0 if is_unused(config.kind, "weight_dropout") else strength / 2,
        )
    if isinstance(config, TransformerConfig):
        return replace(config, dropout=strength / 2)
    if isinstance(config, OwnConfig) and "dropout" in config.settings:
        return replace(config, settings=config.settings | {"dropout": strength / 2})
    return config


def override(config: Any, **values: Any) -> Any:
    """Replaces the fields that the user set (those that are not None) and the config has.

    Raises:
        ConfigError: a field that this kind of model does not have.
    """
    given = {name: value for name, value in values.items() if value is not None}
    kind = getattr(config, "kind", type(config).__name__)
    own = config.settings if isinstance(config, OwnConfig) else None
    for name, value in given.items():
        is_known = hasattr(config, name) if own is None else name in own
        if is_unused(kind, name) or not is_known:
            raise superfluous(name, kind, value)
    return replace(config, **given) if own is None else replace(config, settings=own | given)


def superfluous(name: str, kind: str, value: Any) -> ConfigError:
    """The error for a setting that a kind of model does not have."""
    flag = (f"no-{name}" if value is False else name).replace("_", "-")
    return ConfigError(name, f"left out for {kind}", value, f"Leave --{flag} out.")
