"""What is held equal between networks: their time, the tokens they read, or their parameters."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import mean

from ..errors import ConfigError
from ..settings.kinds import SIZES
from ..settings.models import ModelConfig, NgramConfig, TransformerConfig
from ..settings.presets import model_preset, override, train_preset
from ..settings.training import Budget
from ..training.language_model import TrainRequest
from ..training.size import num_weights
from ..training.throughput import language_model_pace, without_clock


def equal_tokens(requests: Sequence[TrainRequest], seconds: float, vocab_size: int) -> Budget:
    """The tokens that each of several networks may read so that all take so many seconds together.

    Each is timed as it will be trained: a budget of tokens is trained in float32 with all threads.
    """
    per_token = 0.0
    for request in requests:
        config = override(
            train_preset(request.kind, vocab_size),
            budget=Budget(seconds / len(requests), "seconds"),
            **request.train_settings,
        )
        model_config = _config(request, vocab_size)
        pace = language_model_pace(model_config, without_clock(config), vocab_size)
        per_token += 1 / pace.tokens_per_second
    return Budget(round(seconds / per_token), "tokens")


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
    goal = mean(num_weights(_config(request, vocab_size), vocab_size) for request in requests)
    return [_with_width(request, goal, vocab_size) for request in requests]


def _config(request: TrainRequest, vocab_size: int) -> ModelConfig:
    size = SIZES[0] if request.size == "auto" else request.size
    return override(model_preset(request.kind, size, vocab_size), **request.model_settings)


def _with_width(request: TrainRequest, goal: float, vocab_size: int) -> TrainRequest:
    config = _config(request, vocab_size)
    assert not isinstance(config, NgramConfig)
    step = 2 * config.num_heads if isinstance(config, TransformerConfig) else 8

    def miss(width: int) -> float:
        return abs(num_weights(replace(config, hidden_size=width), vocab_size) - goal)

    low, high = 1, 1
    while num_weights(replace(config, hidden_size=high * step), vocab_size) < goal:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        is_less = num_weights(replace(config, hidden_size=middle * step), vocab_size) < goal
        low, high = (middle, high) if is_less else (low, middle)
    width = min(low * step, high * step, key=miss)
    return replace(request, model_settings=request.model_settings | {"hidden_size": width})
