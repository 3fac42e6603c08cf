"""A small search for the learning rate: comparing models at rates that suit only one misleads."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..results.comparison import TriedRate
from ..settings.training import TrainConfig
from .loop import Training, fit

SEARCH_SHARE = 0.15
"""Part of the budget that the search takes."""
FACTORS = (0.4, 1.0, 2.5)
"""Rates to try, as multiples of the preset's."""


def search_learning_rate(
    config: TrainConfig, folder: Path, start: Callable[[Path, TrainConfig], Training]
) -> tuple[TrainConfig, list[TriedRate]]:
    """Trains briefly at each rate and takes the one with the lowest validation loss.

    Args:
        folder: Where the short trainings may write.
        start: Builds a training from a run folder and its settings.

    Returns:
        The settings with the best rate and the rest of the budget; what every rate reached.
    """
    short = _shortened(config, SEARCH_SHARE / len(FACTORS))
    tried = []
    for factor in FACTORS:
        rate = config.learning_rate * factor
        with tempfile.TemporaryDirectory(dir=folder, prefix=".search-") as run:
            training = start(Path(run), replace(short, learning_rate=rate))
            nats = fit(training)
        tried.append((training.trainee.in_unit(nats, "valid"), rate))
    _, best = min(tried, key=lambda row: row[0])
    # A wall-clock budget runs on by itself.
    rest = config if config.budget.unit == "seconds" else _shortened(config, 1 - SEARCH_SHARE)
    return replace(rest, learning_rate=best), [TriedRate(rate, bits) for bits, rate in tried]


def _shortened(config: TrainConfig, share: float) -> TrainConfig:
    return replace(config, budget=replace(config.budget, amount=config.budget.amount * share))
