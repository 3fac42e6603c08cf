"""The training loop: take a batch, update, now and then evaluate, average and save."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import CheckpointError
from ..inference.evaluation import num_validation_tokens, to_bits_per_byte, validation_nats
from ..models.base import State, detach_state, state_from_tensors, state_to_tensors
from ..models.neural import NeuralModel
from ..ops.sampled_log_probs import make_sampler
from ..runs.folder import MODEL, TRAIN_STATE, append_log, load_train_state, save_train_state
from ..settings.training import TrainConfig
from ..system.files import write_atomically
from ..text.store import TokenStore
from .batches import Batch, BatchStream
from .state import TrainedWeights

Listener = Callable[[dict[str, Any]], None]
"""Hears every record: what the log has, the progress bar shows and diagnosis measures."""
Watching = Callable[[float, float, bool], Iterable[dict[str, Any]]]
"""Hears nats per token, the norm before clipping and whether it was clipped, after every update;
answers with records to report."""

EVALUATIONS, FEWEST_EVALUATIONS = 20, 8
DIVERGED = "Diverged at step {step:,}; the best weights before it are kept. Lower --learning-rate."


class Interrupted(Exception):
    """The listener asked to stop; everything up to here is saved."""


@dataclass
class Progress:
    """Where a training stands: the numbers of a checkpoint."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    update_seconds: float = 0.0
    """Of `seconds`, those spent in training steps."""
    epoch: int = 0
    position: int = 0
    next_evaluation: float = 0.0
    best_nats: float = math.inf
    num_averaged: int = 0
    evaluation_seconds: float = math.inf
    """Of the fastest evaluation so far."""
    closing_seconds: float = 0.0
    """Kept back at the end of a wall-clock budget for the last evaluation."""


@dataclass
class Training:
    """One model in training: all that changes, and how it is saved and restored."""

    run: Path
    model: NeuralModel
    store: TokenStore
    config: TrainConfig
    unigram: Tensor
    """Log-probabilities of the tokens on their own, `(V,)`."""
    closing_tokens: int = 0
    """Tokens to be scored after the last step, inside the budget."""
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        config = self.config
        self.batches = BatchStream(
            *(self.store, "train", config.batch_size, config.sequence_length, config.seed),
            length_variation=config.length_variation,
        )
        self.sampler = make_sampler(self.unigram, config.candidates)
        self.optimizer = make_optimizer(self.model, config)
        self.weights = TrainedWeights(self.model, self.optimizer)
        self.carried: State = self.model.initial_state(self.batches.batch_size)
        self._resumed_seconds, self._started = 0.0, time.monotonic()
        self._saved = self._started

    def spend(self, seconds: float) -> None:
        """Counts time that the run took before the loop began."""
        self._resumed_seconds += seconds

    @property
    def fraction(self) -> float:
        """Part of the budget that is used up: what the schedule follows."""
        budget, progress = self.config.budget, self.progress
        if budget.unit == "seconds":
            return progress.seconds / max(budget.amount - progress.closing_seconds, 1e-9)
        if budget.unit == "epochs":
            return progress.tokens / (budget.amount * self.batches.tokens_per_epoch)
        return progress.tokens / budget.amount

    def standing(self) -> dict[str, float]:
        """What every record of the log begins with."""
        progress = self.progress
        return {
            "step": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 3),
            "fraction": self.fraction,
        }

    def tick(self) -> None:
        """Brings the clock up to date."""
        self.progress.seconds = self._resumed_seconds + time.monotonic() - self._started

    def update(self, batch: Batch) -> tuple[float, float]:
        """Takes one optimizer step; returns nats per token and the norm before clipping.

        The nats are those of the next tokens, without what else is minimized.
        """
        began = time.monotonic()
        if batch.starts_epoch or not self.config.carry_state:
            self.carried = self.model.initial_state(self.batches.batch_size)
        rate = self.config.learning_rate * schedule(self.fraction, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        candidates = self.sampler.draw() if self.sampler else None
        with autocast(self.config.precision):
            loss, main, state = self.model.loss(
                batch.tokens, batch.targets, self.carried, candidates
            )
        loss.backward()
        self.carried = detach_state(state)
        norm = clip_gradients(self.model, self.config)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.progress.step += 1
        self.progress.tokens += batch.tokens.numel()
        self.progress.epoch, self.progress.position = self.batches.epoch, self.batches.position
        if self.fraction >= 1 - self.config.average_fraction:
            self._average()
        self.progress.update_seconds += time.monotonic() - began
        return main.item(), norm.item()

    def _average(self) -> None:
        """Uniform running mean of the weights of the tail."""
        self.progress.num_averaged += 1
        self.weights.add_to_average(self.progress.num_averaged)

    def validate(self) -> float:
        """Nats per token on a part of the validation split; remembers the best weights."""
        self.model.eval()
        with autocast(self.config.precision):
            nats = validation_nats(self.model, self.store)
        if nats < self.progress.best_nats:
            self.progress.best_nats = nats
            self.weights.keep_best()
        return nats

    def look(self) -> float:
        """Validates, and sets when to do so again; returns nats per token."""
        if math.isinf(self.progress.evaluation_seconds):
            self.validate()  # the first look is slower than all others, by what it warms up
        began = time.monotonic()
        nats = self.validate()
        self.tick()
        self.plan_evaluation(time.monotonic() - began)
        return nats

    def plan_evaluation(self, seconds: float) -> None:
        """Sets when to evaluate next, so that evaluations take a few percent of the budget.

        Args:
            seconds: What the last evaluation took. The fastest counts.
        """
        budget, progress = self.config.budget, self.progress
        gap = 1 / EVALUATIONS
        seconds = min(seconds, progress.evaluation_seconds)
        progress.evaluation_seconds = seconds
        if budget.unit == "seconds":
            gap = min(max(gap, 25 * seconds / budget.amount), 1 / FEWEST_EVALUATIONS)
            rate = num_validation_tokens(self.store) / seconds
            # Two candidates are validated at the end, then the splits are scored in float32.
            closing = 1.5 * self.closing_tokens / rate + 0.5 if self.closing_tokens else 0.0
            progress.closing_seconds = 2 * seconds + closing
        progress.next_evaluation = self.fraction + gap

    def finish(self) -> float:
        """Loads the better of the averaged and the best validated weights; returns its nats.

        The model is then without dropout, ready for use.
        """
        self.model.eval()
        if self.progress.num_averaged:
            self.model.load_state_dict(self.weights.average)
            self.validate()
        self.model.load_state_dict(self.weights.best)
        return self.progress.best_nats

    def save_best(self) -> None:
        """Writes the best weights so far: the run can be used while it trains."""
        write_atomically(self.run / MODEL, lambda path: save_file(self.weights.best, path))

    def save(self) -> None:
        """Writes a checkpoint from which training goes on to the same weights."""
        self.save_best()
        tensors = self.weights.to_tensors() | state_to_tensors(self.carried, "carried")
        save_train_state(self.run, tensors, vars(self.progress))
        self._saved = time.monotonic()

    def restore(self) -> None:
        """Goes back to the last checkpoint.

        Raises:
            CheckpointError: there is none, or it is damaged or of another model.
        """
        tensors, values = load_train_state(self.run)
        try:
            self._restore(tensors, values)
        except (KeyError, RuntimeError, TypeError, ValueError):
            path = self.run / TRAIN_STATE
            problem = "does not fit config.json"
            raise CheckpointError(path, problem, "Train the run again.") from None

    def _restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        self.progress = Progress(**values)
        self.batches.epoch, self.batches.position = self.progress.epoch, self.progress.position
        self.weights.from_tensors(tensors)
        self.carried = state_from_tensors(self.carried, tensors, "carried")
        self._resumed_seconds, self._started = self.progress.seconds, time.monotonic()

    @property
    def checkpoint_due(self) -> bool:
        """Whether the last checkpoint is older than the configuration allows."""
        return time.monotonic() - self._saved >= self.config.checkpoint_seconds


def unwatched(nats: float, norm: float, clipped: bool) -> tuple[()]:
    """Has nothing to report about an update."""
    return ()


def fit(
    training: Training,
    listener: Listener,
    stop: Callable[[], bool] = lambda: False,
    watch: Watching = unwatched,
) -> float:
    """Trains until the budget is used up; the model then has the best weights.

    Args:
        listener: Receives every record that also goes into the log.
        stop: Asked after every step; once true, a checkpoint is written and training ends.
        watch: Hears every update; its records are reported like all others.

    Returns:
        Nats per token on the first validation tokens.

    Raises:
        Interrupted: `stop` said so.
    """
    progress = training.progress
    train_info, valid_info = (training.store.split(name) for name in ("train", "valid"))

    def report(kind: str, **values: Any) -> None:
        record = {"kind": kind, **training.standing(), **values}
        append_log(training.run, record)
        listener(record)

    if progress.step == 0:
        training.save()
    heard = time.monotonic()
    while training.fraction < 1:
        batch = training.batches.take()
        nats, norm = training.update(batch)
        training.tick()
        if not math.isfinite(nats):
            report("diverged", text=DIVERGED.format(step=progress.step))
            break
        for record in watch(nats, norm, norm > training.config.clip_norm):
            report(**record)
        if time.monotonic() - heard > 0.5:
            heard = time.monotonic()
            report("train", train=to_bits_per_byte(nats, train_info), gradient_norm=norm)
        if training.fraction >= progress.next_evaluation:
            valid = to_bits_per_byte(training.look(), valid_info)
            report("valid", train=to_bits_per_byte(nats, train_info), valid=valid)
        if stop():
            training.save()
            raise Interrupted
        if training.checkpoint_due:
            training.save()
            training.tick()
    valid = training.finish()
    training.tick()
    report("end", valid=to_bits_per_byte(valid, valid_info))
    return valid


def schedule(fraction: float, config: TrainConfig) -> float:
    """Trapezoid over the used part of the budget: linearly up, flat, linearly down to zero."""
    up = fraction / config.warmup_fraction if config.warmup_fraction else 1.0
    down = (1 - fraction) / config.decay_fraction if config.decay_fraction else 1.0
    return max(0.0, min(1.0, max(up, 0.05), down))


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW; weight decay on matrices only, not on biases and norms."""
    matrices = [value for value in model.parameters() if value.dim() > 1]
    vectors = [value for value in model.parameters() if value.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    betas = (config.beta1, config.beta2)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


def clip_gradients(model: nn.Module, config: TrainConfig) -> Tensor:
    """Clips the gradient, single entries first, then its norm; returns the norm before either.

    Source: Mikolov 2012 (entries), Pascanu et al. 2013 (norm).
    """
    if not config.clip_value:
        return nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    grads = [value.grad for value in model.parameters() if value.grad is not None]
    norm = nn.utils.get_total_norm(grads)
    nn.utils.clip_grad_value_(model.parameters(), config.clip_value)
    nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    return norm


def autocast(precision: str) -> torch.autocast:
    """Matrix products in bfloat16 where the run decided for it."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
