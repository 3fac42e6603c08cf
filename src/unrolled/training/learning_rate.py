"""Which learning rate: short trainings of equal updates, and the one that ends lowest."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

from ..results.comparison import TriedRate
from ..results.events import Interrupted, Stop, never
from ..settings.training import Budget, TrainConfig
from .batches import batch_shape
from .loop import Training

SEARCH_SHARE = 0.15
"""Part of the budget that the search takes."""
FIRST_SHARE = 0.04
"""Of a wall-clock budget, for the first rate; the others get as many updates, in what is left."""
FACTORS = (1.0, 0.4, 2.5)
"""Rates to try, as multiples of the preset's."""
FEWEST_UPDATES = 20
"""Of a trial: after fewer the rates cannot be told apart."""


def search_learning_rate(
    config: TrainConfig,
    start: Callable[[TrainConfig], Training],
    tokens_per_second: float,
    tokens_per_epoch: int,
    stop: Stop = never,
) -> tuple[TrainConfig, list[TriedRate]]:
    """Trains briefly at each rate and takes the one with the lowest validation loss.

    Only trials of equally many updates are compared. In a budget of tokens or epochs they get an
    equal part of it. By the clock, the first trial decides how many updates there are; a trial
    that does not finish them before the search's time is spent is left out.

    Args:
        start: Builds a training that writes nothing from its settings.
        tokens_per_second, tokens_per_epoch: What to expect.

    Returns:
        The settings with the best rate and the rest of the budget; what every rate reached. Where
        the budget has too few updates for a search, the settings as they were and no rates.

    Raises:
        Interrupted: `stop` returned true.
    """
    began, trial = time.monotonic(), _trial_budget(config.budget)
    tokens = {"seconds": tokens_per_second, "epochs": tokens_per_epoch, "tokens": 1}[trial.unit]
    shape = batch_shape(tokens_per_epoch, config.batch_size, config.sequence_length)
    fewest_tokens = FEWEST_UPDATES * math.prod(shape)
    if trial.amount * tokens < fewest_tokens:
        return config, []
    by_clock = config.budget.unit == "seconds"
    end = began + SEARCH_SHARE * config.budget.amount if by_clock else math.inf
    tried: list[TriedRate] = []
    for factor in FACTORS:
        rate = config.learning_rate * factor
        training = start(replace(config, budget=trial, learning_rate=rate))
        nats = _try(training, end, stop)
        if nats is None:  # the machine has become slower since the first
            break
        tried.append(TriedRate(rate, training.trainee.in_unit(nats, "valid")))
        if by_clock and math.isfinite(nats):
            if training.progress.step < FEWEST_UPDATES:
                return config, []
            trial = Budget(training.progress.tokens, "tokens")
    if not by_clock:  # a clock runs on by itself
        rest = (1 - SEARCH_SHARE) * config.budget.amount
        config = replace(config, budget=replace(config.budget, amount=rest))
    best = min(tried, key=_loss, default=None)
    return (config if best is None else replace(config, learning_rate=best.learning_rate)), tried


def _trial_budget(budget: Budget) -> Budget:
    by_clock = budget.unit == "seconds"
    share = FIRST_SHARE if by_clock else SEARCH_SHARE / len(FACTORS)
    return replace(budget, amount=share * budget.amount)


def _loss(tried: TriedRate) -> float:
    bits = tried.bits_per_byte
    return math.inf if bits is None else bits


def _try(training: Training, end: float, stop: Stop) -> float | None:
    """The validation loss in nats after a trial; infinite if it diverged, None if time ran out."""
    while not training.is_over:
        nats, _ = training.update(training.trainee.next_batch())
        training.tick()
        if stop():
            raise Interrupted
        if not math.isfinite(nats):
            return math.inf
        if time.monotonic() > end:
            return None
    if not training.progress.num_averaged:
        training.validate()
    return training.finish()
