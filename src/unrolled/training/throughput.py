"""How fast a model trains on this machine, measured before the training begins."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ..models.base import NeuralModel, State
from ..models.build import build
from ..ops.linear_log_probs import make_sampler
from ..settings.models import ModelConfig, RecurrentConfig, TransformerConfig
from ..settings.training import ClassifierTrainConfig, Precision, TrainConfig
from ..system.machine import num_cores
from .trainee import Config, autocast

MEASURING_SHARE = 0.05
"""Of a wall-clock budget; what is not measured within it is not tried."""
SMALL_STEP_SECONDS = 0.1
"""Below this one thread may be faster than all: what the others save they lose in waiting."""


@dataclass(frozen=True)
class Pace:
    """The fastest way to train a model on this machine."""

    precision: Precision
    threads: int
    tokens_per_second: float
    num_parameters: int
    others: tuple[str, ...] = ()
    """What was slower, in words."""

    def __str__(self) -> str:
        chosen = f"{self.precision}, {_threads(self.threads)}"
        return f"{chosen} ({'; '.join(self.others)})" if self.others else chosen


def find_pace(
    config: TrainConfig | ClassifierTrainConfig,
    step: Callable[[Precision], object],
    num_tokens: int,
    num_parameters: int,
) -> Pace:
    """Times training steps with each precision and thread count that the settings leave open.

    Torch then has the number of threads that was fastest. At least one step is timed.

    Args:
        step: Goes forward and backward once; it must leave no trace.
        num_tokens: Read in a step.
    """
    auto = config.precision == "auto"
    precisions: tuple[Precision, ...] = ("float32", "bfloat16") if auto else (config.precision,)
    seconds: dict[tuple[Precision, int], float] = {}
    budget = config.budget
    left = MEASURING_SHARE * budget.amount if budget.unit == "seconds" else math.inf

    def time_with(threads: int) -> None:
        nonlocal left
        torch.set_num_threads(threads)
        for precision in precisions:
            if left > 0:
                times = _step_seconds(partial(step, precision), left)
                seconds[precision, threads], left = min(times), left - sum(times)

    time_with(config.threads or num_cores())
    if not config.threads and num_cores() > 1 and min(seconds.values()) < SMALL_STEP_SECONDS:
        time_with(1)
    (precision, threads), best = min(seconds.items(), key=lambda item: item[1])
    torch.set_num_threads(threads)
    others = tuple(
        f"{name} with {_threads(number)} takes {value / best:.1f}x as long"
        for (name, number), value in seconds.items()
        if (name, number) != (precision, threads)
    )
    return Pace(precision, threads, num_tokens / best, num_parameters, others)


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number > 1)}"


def _step_seconds(step: Callable[[], object], limit: float) -> list[float]:
    """Of two steps, the first of which warms up; of one, if it takes longer than the limit."""
    times: list[float] = []
    while len(times) < 2 and sum(times) <= limit:
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return times


def without_clock(config: Config) -> Config:
    """Settles what is open so that the same settings give the same weights: nothing is timed.

    Both precision and threads change the last digits of every sum.
    """
    precision: Precision = "float32" if config.precision == "auto" else config.precision
    return replace(config, precision=precision, threads=config.threads or num_cores())


def language_model_pace(model_config: ModelConfig, config: TrainConfig, vocab_size: int) -> Pace:
    """How fast a language model trains, from a state such as training carries."""
    torch.manual_seed(0)
    model = build(model_config, vocab_size).train()
    size = (config.batch_size, config.sequence_length)
    tokens = torch.randint(vocab_size, size, generator=torch.Generator().manual_seed(0))
    state = _carried(model, model_config, tokens)
    sampler = make_sampler(torch.zeros(vocab_size), config.candidates)
    candidates = sampler.draw() if sampler else None

    def step(precision: Precision) -> None:
        with autocast(precision):
            loss, _, _ = model.loss(tokens, tokens, state, candidates)
        loss.backward()
        model.zero_grad()

    return find_pace(config, step, tokens.numel(), model.num_parameters())


def _carried(model: NeuralModel, model_config: ModelConfig, tokens: Tensor) -> State:
    """An empty state, or attention's full window: that is what most steps cost."""
    state = model.initial_state(len(tokens))
    if isinstance(model_config, RecurrentConfig) and model_config.attention:
        *others, counts = state
        return *others, counts + model_config.attention
    if isinstance(model_config, TransformerConfig):
        layers, counts = state
        return layers, counts + model_config.context
    return state
