"""What is held equal between networks: their time, the tokens they read, or their parameters."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

from ..errors import ConfigError
from ..settings.models import NgramConfig, OwnConfig, TransformerConfig
from ..settings.presets import override, train_preset
from ..settings.training import Budget
from ..training.batches import fitted
from ..training.request import TrainRequest
from ..training.size import num_weights, sized
from ..training.throughput import language_model_pace, without_clock

TRAINING_SHARE = 0.8
"""Of a time, that goes into updates; the rest into starting, validation and the last evaluation."""


def equal_tokens(
    requests: Sequence[TrainRequest], seconds: float, num_tokens: int, vocab_size: int
) -> tuple[list[TrainRequest], Budget]:
    """The tokens that each of several networks may read so that all take so many seconds together.

    Each is timed as it will be trained: a budget of tokens is trained in float32 with all threads.

    Args:
        num_tokens: Of the training text.

    Returns:
        The requests, with the sizes that were open; the tokens of each.
    """
    share = Budget(seconds / len(requests), "seconds")
    requests = [sized(request, share, num_tokens, vocab_size) for request in requests]
    per_token = 0.0
    for request in requests:
        preset = train_preset(request.kind, vocab_size)
        config = without_clock(override(preset, budget=share, **request.train_settings))
        model_config = request.model_config(vocab_size)
        pace = language_model_pace(model_config, fitted(config, num_tokens), vocab_size)
        per_token += 1 / pace.tokens_per_second
    return requests, Budget(round(TRAINING_SHARE * seconds / per_token), "tokens")


def equal_parameters(requests: Sequence[TrainRequest], vocab_size: int) -> list[TrainRequest]:
    """The requests with widths at which the networks have as many weights as nearly as may be.

    Counted are the weights outside the embedding; the goal is the mean of the presets.

    Raises:
        ConfigError: the user has decided the width.
    """
    for request in requests:
        if (width := request.model_settings.get("hidden_size")) is not None:
            remedy = "Leave --hidden-size out, or hold something else equal."
            raise ConfigError("hidden_size", "left out where parameters are matched", width, remedy)
    goal = mean(num_weights(request.model_config(vocab_size), vocab_size) for request in requests)
    return [_with_width(request, goal, vocab_size) for request in requests]


def _with_width(request: TrainRequest, goal: float, vocab_size: int) -> TrainRequest:
    config = request.model_config(vocab_size)
    assert not isinstance(config, NgramConfig)
    if isinstance(config, OwnConfig) and "hidden_size" not in config.settings:
        rule = "time or tokens for a model without the setting hidden_size"
        raise ConfigError("match", rule, "parameters", f"Or leave {config.kind} out.")
    step = 2 * config.num_heads if isinstance(config, TransformerConfig) else 8

    def miss(width: int) -> float:
        return abs(num_weights(override(config, hidden_size=width), vocab_size) - goal)

    low, high = 1, 1
    while num_weights(override(config, hidden_size=high * step), vocab_size) < goal:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        is_less = num_weights(override(config, hidden_size=middle * step), vocab_size) < goal
        low, high = (middle, high) if is_less else (low, middle)
    width = min(low * step, high * step, key=miss)
    return replace(request, model_settings=request.model_settings | {"hidden_size": width})
