"""The training loop, the same for all models: update, now and then validate, average and save."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import CheckpointError
from ..results.events import (
    Diverged,
    End,
    GradientNorms,
    Interrupted,
    LoggedEvent,
    OnEvent,
    Standing,
    Stop,
    TrainStep,
    Wait,
    Warned,
    ignore,
    named,
    never,
)
from ..runs.folder import TRAIN_STATE, append_log, load_train_state, save_train_state, trim_log
from ..settings.training import ClassifierTrainConfig, TrainConfig
from .clock import Clock
from .optimizer import clip_gradients, make_optimizer, set_rates
from .state import TrainedWeights
from .trainee import Trainee

Monitor = Callable[[float, float, bool], Iterable[GradientNorms | Warned]]
"""Receives the loss in nats, the gradient norm before clipping and whether it was clipped, after
every update; answers with events to report."""

MakeMonitor = Callable[["Training"], Monitor]
"""Builds what monitors a training."""

EVENT_SECONDS = 0.5
"""Between two events of training steps."""
VALIDATION_SHARE, MOST_VALIDATION = 0.04, 0.15
"""Of a wall-clock budget, that validation takes while training: as a rule, and at most."""
DIVERGED = "Diverged at step {step:,}; the best weights before it are kept. Lower --learning-rate."


@dataclass
class Progress:
    """Where a training stands: the numbers of a checkpoint."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    update_seconds: float = 0.0
    """Of `seconds`, those spent in training steps."""
    next_update_seconds: float = 0.0
    """What the next training step is expected to take: as long as the last."""
    next_evaluation: float = 0.0
    """Part of the budget at which the model is validated next."""
    best_nats: float = math.inf
    num_averaged: int = 0
    evaluation_seconds: float = math.inf
    """What a validation takes; the later ones count more, as the machine may have become busy."""
    closing_seconds: float = 0.0
    """Kept back at the end of a wall-clock budget."""
    budget: float = 0.0
    """Its amount, which may be another when the training goes on; 0: not known."""
    available_seconds: float = 0.0
    """Processor time that there was."""
    others_seconds: float = 0.0
    """What of it went to other processes."""


@dataclass
class Training:
    """One trainee in training: its optimizer, its averaged and best weights, clock, checkpoints."""

    trainee: Trainee[Any, Any]
    run: Path | None
    """Folder of log and checkpoints; None: nothing is written."""
    clock: Clock = field(default_factory=Clock)
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        trainee = self.trainee
        self.model: nn.Module = trainee.model
        self.optimizer = make_optimizer(trainee.parameter_groups(), trainee.betas)
        self.weights = TrainedWeights(self.model, self.optimizer)
        self._saved = time.monotonic()
        if trainee.validates_average:
            self.progress.next_evaluation = 1 / trainee.num_validations[0]

    @property
    def config(self) -> TrainConfig | ClassifierTrainConfig:
        """How it is trained."""
        return self.trainee.config

    @property
    def spent(self) -> float:
        """The budget that is used up, as a part of it; the last update may go beyond 1."""
        budget, progress = self.config.budget, self.progress
        if budget.unit == "seconds":
            available = budget.amount - progress.closing_seconds
            return min(1.0, progress.seconds / available) if available > 0 else 1.0
        if budget.unit == "epochs":
            return self.trainee.fraction_of_epochs(budget.amount, progress.tokens)
        return progress.tokens / budget.amount

    @property
    def fraction(self) -> float:
        """Part of the budget that is used up, at most 1: what the schedule follows."""
        return min(1.0, self.spent)

    @property
    def is_over(self) -> bool:
        """Whether the budget is used up, or one more step would not end inside it."""
        budget, progress = self.config.budget, self.progress
        if budget.unit != "seconds" or self.fraction >= 1:
            return self.fraction >= 1
        end = progress.seconds + progress.next_update_seconds + progress.closing_seconds
        return end > budget.amount

    @property
    def validation_due(self) -> bool:
        """Whether the model is to be validated now."""
        last = self.trainee.validates_average and self.is_over  # what is not validated is lost
        # Not `fraction`: one that is due just beyond 1 is that of the last update.
        return last or self.spent >= self.progress.next_evaluation

    def standing(self) -> Standing:
        """What every event of the log begins with."""
        progress = self.progress
        return {
            "step": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 3),
            "fraction": self.fraction,
            "unit": self.trainee.unit,
        }

    def tick(self) -> None:
        """Brings the clock up to date."""
        self.progress.seconds = self.clock.seconds

    def _look_around(self) -> None:
        """Notes what processor time others took."""
        progress = self.progress
        progress.available_seconds, progress.others_seconds = self.clock.processors()

    def update(self, batch: Any) -> tuple[float, float]:
        """Takes one optimizer step; returns the loss in nats and the norm before clipping."""
        began, fraction, trainee = time.monotonic(), self.fraction, self.trainee
        set_rates(
            self.optimizer, self.config.learning_rate * trainee.rate_factor(fraction), fraction
        )
        self.model.train()
        nats, num_tokens = trainee.backward(batch)
        norm = clip_gradients(self.model, self.config.clip_norm, trainee.clip_value).item()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.progress.step += 1
        self.progress.tokens += num_tokens
        if trainee.validates_average or self.fraction >= 1 - trainee.average_fraction:
            self.progress.num_averaged += 1
            self.weights.add_to_average(self.progress.num_averaged)
        self.progress.next_update_seconds = time.monotonic() - began
        self.progress.update_seconds += self.progress.next_update_seconds
        return nats, norm

    def validate(self) -> float:
        """The loss in nats on validation text; remembers the best weights."""
        self.model.eval()
        nats = self.trainee.validate()
        if nats < self.progress.best_nats:
            self.progress.best_nats = nats
            self.weights.keep_best()
        return nats

    def look(self) -> float:
        """Validates, and sets when to do so again; returns the loss in nats."""
        if not self.trainee.validates_average:
            return self._timed_validation()
        with self.weights.averaged():
            nats = self._timed_validation()
        self.progress.num_averaged = 0
        return nats

    def _timed_validation(self) -> float:
        began = time.monotonic()
        nats = self.validate()
        self.tick()
        self.plan_evaluation(time.monotonic() - began)
        return nats

    def plan_evaluation(self, seconds: float) -> None:
        """Sets when to validate next, so that validation takes a few percent of the budget.

        Args:
            seconds: What the last one took.
        """
        budget, progress = self.config.budget, self.progress
        number, fewest = self.trainee.num_validations
        if math.isfinite(progress.evaluation_seconds):
            seconds = (progress.evaluation_seconds + seconds) / 2
        progress.evaluation_seconds = seconds
        if budget.unit == "seconds":
            affordable = budget.amount / max(seconds, 1e-9)
            number = min(max(VALIDATION_SHARE * affordable, fewest), number)
            number = min(number, MOST_VALIDATION * affordable)
            progress.closing_seconds = self.trainee.closing_seconds(seconds)
        if not self.trainee.validates_average:
            progress.next_evaluation = self.fraction + 1 / number
            return
        # Evenly, so that the last one is at the end: what is averaged later is lost.
        number = max(1, math.floor(number))
        following = (math.floor(self.fraction * number + 1e-9) + 1) / number
        progress.next_evaluation = min(1.0, following)

    def finish(self) -> float:
        """Loads the better of the averaged and the best validated weights; returns its nats.

        The model is then without dropout, ready for use.
        """
        self.model.eval()
        if self.progress.num_averaged and not self.trainee.validates_average:
            self.model.load_state_dict(self.weights.average)
            self.validate()
        self.model.load_state_dict(self.weights.best)
        self._look_around()
        return self.progress.best_nats

    def save_best(self) -> None:
        """Writes the best weights so far: the run can be used while it trains."""
        if self.run is not None:
            self.trainee.save_best(self.run, self.weights.best)

    def save(self) -> None:
        """Writes a checkpoint from which training goes on to the same weights."""
        self._look_around()
        self.progress.budget = self.config.budget.amount
        self._saved = time.monotonic()
        if self.run is None:
            return
        self.save_best()
        tensors, values = self.trainee.state()
        tensors |= self.weights.to_tensors()
        if signature := self.trainee.signature():
            values["of"] = signature
        save_train_state(self.run, tensors, vars(self.progress) | values)
        self._saved = time.monotonic()

    def wait(self, wait: Wait) -> None:
        """Waits for its turn; that counts neither for the budget nor as time without saving."""
        with self.clock.stopped():
            wait(self.fraction)
        self._saved = time.monotonic()

    def restore(self) -> bool:
        """Goes back to the last checkpoint; False: there is none.

        Raises:
            CheckpointError: it is damaged, or of another training.
        """
        if self.run is None or not (self.run / TRAIN_STATE).is_file():
            return False
        tensors, values = load_train_state(self.run)
        if values.pop("of", "") != self.trainee.signature():
            remedy = "Repeat the command that started it, or choose another --out."
            raise CheckpointError(self.run, "was started with other texts or settings", remedy)
        try:
            self.progress = Progress(**self.trainee.restore(tensors, values))
            self.weights.from_tensors(tensors)
        except (KeyError, RuntimeError, TypeError, ValueError):
            path = self.run / TRAIN_STATE
            raise CheckpointError(path, *self.trainee.does_not_fit) from None
        progress = self.progress
        self.clock.set(progress.seconds, progress.available_seconds, progress.others_seconds)
        if progress.budget not in (0.0, self.config.budget.amount):  # what was planned was for that
            progress.next_evaluation = self.fraction
            if self.fraction < 1 - self.trainee.average_fraction:
                progress.num_averaged = 0
        trim_log(self.run, self.progress.step)
        return True

    @property
    def checkpoint_due(self) -> bool:
        """Whether the last checkpoint is older than the configuration allows."""
        return time.monotonic() - self._saved >= self.config.checkpoint_seconds


@dataclass(frozen=True)
class Callbacks:
    """What a training calls: `on_event`, `stop`, the monitor and `wait`."""

    on_event: OnEvent = ignore
    stop: Stop = never
    monitor: MakeMonitor | None = None
    wait: Wait | None = None

    def named(self, run: str) -> "Callbacks":
        """The same, with every event saying which training it is of."""
        return replace(self, on_event=named(self.on_event, run))

    def fit(self, training: Training) -> float:
        """See `fit`."""
        monitor = self.monitor(training) if self.monitor else None
        return fit(training, self.on_event, self.stop, monitor, self.wait)


def fit(
    training: Training,
    on_event: OnEvent = ignore,
    stop: Stop = never,
    monitor: Monitor | None = None,
    wait: Wait | None = None,
) -> float:
    """Trains until the budget is used up; the model then has the best weights.

    Args:
        on_event: Receives every event that also goes into the log.
        stop: Asked after every step; once true, a checkpoint is written and training ends.
        monitor: Looks at every update; its events are reported like all others.
        wait: Called after every validation, when a checkpoint is written; the clock stands.

    Returns:
        The loss on validation text in nats.

    Raises:
        Interrupted: `stop` said so.
    """
    trainee, progress = training.trainee, training.progress

    def report(event: LoggedEvent) -> None:
        if training.run is not None:
            append_log(training.run, event)
        on_event(event)

    if progress.step == 0:
        if not progress.next_evaluation:  # what only does harm is not kept: the start is better
            valid_nats = training.look()
            report(trainee.validation_event(training.standing(), None, valid_nats))
        training.save()
    reported = time.monotonic()
    while not training.is_over:
        nats, norm = training.update(trainee.next_batch())
        training.tick()
        if not math.isfinite(nats):
            report(Diverged(**training.standing(), text=DIVERGED.format(step=progress.step)))
            break
        for event in monitor(nats, norm, norm > training.config.clip_norm) if monitor else ():
            report(event)
        if time.monotonic() - reported > EVENT_SECONDS:
            reported, train = time.monotonic(), trainee.in_unit(nats, "train")
            report(TrainStep(**training.standing(), train=train, gradient_norm=norm))
        if training.validation_due:
            valid_nats = training.look()
            report(trainee.validation_event(training.standing(), nats, valid_nats))
            paced = trainee.keep_pace(training.standing(), progress.update_seconds)
            if paced is not None:
                report(paced)
            if wait is not None:
                training.save()
                training.wait(wait)
        if stop():
            training.save()
            raise Interrupted
        if training.checkpoint_due:
            training.save()
            training.tick()
    valid_nats = training.finish()
    training.tick()
    report(End(**training.standing(), valid=trainee.in_unit(valid_nats, "valid")))
    return valid_nats
