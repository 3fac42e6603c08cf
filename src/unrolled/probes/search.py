"""One trial: three learning rates raced, the best goes on, and stops once the task is solved."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from zlib import crc32

import torch
from torch import Generator, nn

from ..results.probes import TriedRate
from .model import ProbeModel, build
from .request import Variant
from .tasks import Task, solved

FACTORS = (1.0, 1 / 3, 3.0)
"""Rates to race, as multiples of the one to begin with."""
RACE_SHARE = 0.06
"""Part of a trial's budget that each of them gets."""
MARGIN = 0.03
"""By what part another rate must be better than the first: on a plateau all look alike."""
WARMUP_STEPS = 20
FALL = 1 / 3
"""Last part of what follows the race, in which the rate falls to zero."""
CLIP_NORM = 1.0
RECENT = 10
"""Training batches over which the score is averaged; every batch is new, so it is a fair one."""
HELD_OUT = 512
"""Sequences, at least, that decide whether a task is solved."""


@dataclass(frozen=True)
class Limit:
    """How long a trial may train: until a time of `time.monotonic`, or for so many steps."""

    steps: float = math.inf
    seconds: float = math.inf

    def used(self, steps: int, seconds: float) -> float:
        """The part of it that so much takes, 1 or more where nothing is left."""
        by_time = seconds / self.seconds if self.seconds > 0 else math.inf
        return max(steps / self.steps, by_time)


@dataclass(frozen=True)
class Found:
    """What a trial came to."""

    score: float
    """On held-out sequences."""
    solved: bool
    learning_rate: float
    tried: list[TriedRate]
    steps: int
    """Of the model that was kept; the race took more."""
    seconds: float
    """Of everything."""
    model: ProbeModel = field(repr=False)


Progress = Callable[[float, float], None]
"""Hears the part of the budget that is used, and the present score."""


class Run:
    """A model in training at one learning rate."""

    def __init__(self, task: Task, model: ProbeModel, rate: float, batch_size: int, seed: int):
        self.task, self.model, self.rate, self.batch_size = task, model, rate, batch_size
        self.seed = seed
        self.rng = generator(seed, task, "train")
        self.optimizer = torch.optim.Adam(model.parameters(), rate, fused=True)
        self.steps = 0
        self.losses: deque[float] = deque(maxlen=RECENT)
        self.scores: deque[float] = deque(maxlen=RECENT)
        self.found: float | None = None
        """Held-out score, once the task is solved."""

    def step(self, part: float = 1.0) -> None:
        """One update on new sequences, at this part of the learning rate."""
        batch = self.task.batch(self.rng, self.batch_size)
        targets = batch.targets[batch.mask]
        outputs = self.model(batch.inputs, batch.mask)
        loss = self.task.loss(outputs, targets)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * part * min(1.0, (self.steps + 1) / WARMUP_STEPS)
        self.optimizer.step()
        self.steps += 1
        self.losses.append(loss.item())
        self.scores.append(self.task.score(outputs.detach(), targets))

    def train(self, limit: Limit, fall: float = 0.0, progress: Progress | None = None) -> None:
        """Trains to the limit, or until the task is solved, or no number comes out any more.

        Args:
            fall: Last part of the limit in which the learning rate falls to zero.
            progress: Heard from now and then.
        """
        began, first = time.monotonic(), self.steps
        while self.found is None:
            used = limit.used(self.steps - first, time.monotonic() - began)
            if used >= 1 and self.steps > first:
                return
            self.step(min(1.0, max(0.0, 1 - used) / fall) if fall else 1.0)
            if not math.isfinite(self.losses[-1]):
                return
            if self.steps % RECENT == 0:
                if progress:
                    progress(used, self.score)
                if solved(self.task, self.score):
                    score = self.held_out()
                    self.found = score if solved(self.task, score) else None

    @property
    def loss(self) -> float:
        """Mean of the last batches; infinite where no number comes out."""
        mean = sum(self.losses) / max(len(self.losses), 1)
        return mean if self.losses and math.isfinite(mean) else math.inf

    @property
    def score(self) -> float:
        """Mean of the last batches."""
        return sum(self.scores) / max(len(self.scores), 1)

    @torch.no_grad()
    def held_out(self) -> float:
        """Score on sequences that training never draws."""
        rng = generator(self.seed, self.task, "held out")
        total, num_batches = 0.0, math.ceil(HELD_OUT / self.batch_size)
        for _ in range(num_batches):
            batch = self.task.batch(rng, self.batch_size)
            outputs = self.model(batch.inputs, batch.mask)
            total += self.task.score(outputs, batch.targets[batch.mask])
        return total / num_batches


def search(
    task: Task,
    variant: Variant,
    rate: float,
    limit: Limit,
    num_parameters: int = 70_000,
    batch_size: int = 64,
    seed: int = 0,
    progress: Progress | None = None,
) -> Found:
    """Trains one kind of layer on a task, its learning rate found on the way.

    Three rates start from the same weights on the same data with a small share each, then the best
    goes on with what is left, from where it is, and falls in the last third. With a limit in steps
    the same call gives the same numbers.

    Args:
        rate: The middle one of the three; it is kept unless another is clearly better.
        limit: Of the race and what follows it together.
    """
    began = time.monotonic()
    runs: list[Run] = []
    share = Limit(math.ceil(limit.steps * RACE_SHARE) if limit.steps < math.inf else math.inf)
    share = Limit(share.steps, limit.seconds * RACE_SHARE)
    for factor in FACTORS:
        model = build(task, variant, num_parameters, seed)
        run = Run(task, model, rate * factor, batch_size, seed)
        run.train(share)
        runs.append(run)
        if run.found is not None:
            break
        share = Limit(runs[0].steps)  # the others as many steps as the first
    tried: list[TriedRate] = [TriedRate(run.rate, run.loss) for run in runs]
    best = _best(runs)
    taken = time.monotonic() - began
    rest = Limit(limit.steps - sum(run.steps for run in runs), limit.seconds - taken)
    if best.found is None and math.isfinite(best.loss) and rest.steps > 0 and rest.seconds > 0:
        best.train(rest, FALL, progress)
    score = best.held_out() if best.found is None else best.found
    return Found(
        score,
        solved(task, score),
        best.rate,
        tried,
        best.steps,
        time.monotonic() - began,
        best.model,
    )


def _best(runs: list[Run]) -> Run:
    """The one that solved the task, or the lowest loss where it is clearly lower than the first."""
    if runs[-1].found is not None:
        return runs[-1]
    best = min(runs, key=lambda run: run.loss)
    return best if best.loss < (1 - MARGIN) * runs[0].loss else runs[0]


def generator(seed: int, task: Task, purpose: str) -> Generator:
    """Random numbers of their own for each seed, task, length and purpose."""
    return Generator().manual_seed(crc32(f"{seed} {task.name} {task.length} {purpose}".encode()))
