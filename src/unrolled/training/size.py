"""`--size auto`: how large a network is, and how many rows it reads, for what the budget allows."""

from dataclasses import replace
from typing import Any

import torch

from ..models.build import build
from ..settings.kinds import SIZES, KindName, Size
from ..settings.models import ModelConfig, OwnConfig
from ..settings.presets import model_preset, override, rows_for, train_preset
from ..settings.training import Budget, TrainConfig
from .batches import fitted
from .request import TrainRequest
from .throughput import AGAIN, language_model_pace, without_clock

TOKENS_PER_PARAMETER = 4.0
"""Tokens to read for each weight outside the embedding: with fewer, a smaller network learns more.
Measured by benchmarks/sizes.py."""
WORTHWHILE_EPOCHS = 16
"""A text that is read more often than that teaches little more (Muennighoff et al. 2023)."""


def choose_size(
    kind: KindName,
    budget: Budget,
    num_tokens: int,
    vocab_size: int,
    model_settings: dict[str, Any],
    train_settings: dict[str, Any],
) -> tuple[Size, int]:
    """The largest size that the budget suffices for, and the rows it is trained with.

    By the clock each size is timed until one is too large; else nothing is.

    Args:
        num_tokens: Of the training text.
        model_settings, train_settings: What is decided. Where the width is, the first size is
            taken for the rest.

    Returns:
        The size; B, lanes of text read side by side.
    """
    config = override(train_preset(kind, vocab_size), budget=budget, **train_settings)
    config = fitted(config, num_tokens)
    chosen, to_read = SIZES[0], 0.0
    for size in SIZES[:1] if "hidden_size" in model_settings else SIZES:
        model_config = override(model_preset(kind, size, vocab_size), **model_settings)
        is_larger = size != SIZES[0]
        # A larger network reads no more than a smaller one: most need not be built to be timed.
        if is_larger and not _suffices(to_read, num_tokens, model_config, vocab_size):
            break
        tokens = _tokens_to_read(model_config, config, num_tokens, vocab_size)
        if is_larger and not _suffices(tokens, num_tokens, model_config, vocab_size):
            break
        chosen, to_read = size, tokens
    return chosen, rows_for(to_read, config)


def sized(request: TrainRequest, budget: Budget, num_tokens: int, vocab_size: int) -> TrainRequest:
    """The request with the size and the rows that suit a budget, where they are open."""
    if request.size != "auto":
        return request
    if request.kind == "ngram":
        return replace(request, size=SIZES[0])
    settings = request.model_settings, request.train_settings
    size, rows = choose_size(request.kind, budget, num_tokens, vocab_size, *settings)
    return replace(request, size=size, train_settings={"batch_size": rows} | request.train_settings)


def _tokens_to_read(
    model_config: ModelConfig, config: TrainConfig, num_tokens: int, vocab_size: int
) -> float:
    budget = config.budget
    if budget.unit == "tokens":
        return budget.amount
    if budget.unit == "epochs":
        return budget.amount * num_tokens
    short = replace(config, budget=replace(budget, amount=AGAIN * budget.amount))
    if short.precision == "auto":  # which of the two is faster is measured once the size is known
        short = without_clock(short)
    return budget.amount * language_model_pace(model_config, short, vocab_size).tokens_per_second


def _suffices(tokens: float, num_tokens: int, model_config: ModelConfig, vocab_size: int) -> bool:
    weights = num_weights(model_config, vocab_size)
    return min(tokens, WORTHWHILE_EPOCHS * num_tokens) >= TOKENS_PER_PARAMETER * weights


def num_weights(config: ModelConfig, vocab_size: int) -> int:
    """Trained numbers outside the embedding: those that compute (Kaplan et al. 2020)."""
    # Who knows what a constructor of the user's does with its tensors.
    with torch.device("cpu" if isinstance(config, OwnConfig) else "meta"):
        model = build(config, vocab_size)
    return model.num_parameters() - model.embedding.weight.numel()
