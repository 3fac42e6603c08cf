"""What settings may be."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ConfigError

RULES: tuple[tuple[tuple[str, ...], str, Callable[[float], bool]], ...] = (
    (("learning_rate", "clip_norm", "layer_decay"), "above 0", lambda value: 0 < value < math.inf),
    (("batch_size", "sequence_length", "max_tokens"), "1 or more", lambda value: value >= 1),
    (
        (
            *("candidates", "weight_decay", "clip_value", "adversarial_norm"),
            *("threads", "checkpoint_seconds", "seed"),
        ),
        "0 or more",
        lambda value: 0 <= value < math.inf,
    ),
    (("beta1", "beta2"), "at least 0 and below 1", lambda value: 0 <= value < 1),
    (
        (
            *("warmup_fraction", "decay_fraction", "average_fraction"),
            *("length_variation", "unfreeze_fraction"),
        ),
        "from 0 to 1",
        lambda value: 0 <= value <= 1,
    ),
)
"""What settings of training may be, in language models and classifiers; None is always allowed."""


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raises ConfigError unless a setting is one of some names."""
    if value not in choices:
        raise ConfigError(name, f"one of {', '.join(choices)}", value, "Choose one of these.")


def check_training(config: Any) -> None:
    """Raises ConfigError where a setting of a training is out of its range."""
    check_choice("precision", config.precision, ("auto", "float32", "bfloat16"))
    for names, rule, holds in RULES:
        for name in names:
            value = getattr(config, name, None)
            if value is not None and not holds(value):
                default = getattr(type(config), name)
                remedy = f"Use for example {default}." if default is not None else "Leave it out."
                raise ConfigError(name, rule, value, remedy)
