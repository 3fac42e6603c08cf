"""Trains a recurrent classifier: update, look at held-out texts, keep the best."""

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from .. import kernels
from ..errors import CheckpointError
from ..models.classifier import RecurrentClassifier
from ..runs.folder import TRAIN_STATE, load_train_state, save_train_state
from ..settings.training import ClassifierTrainConfig
from ..system.machine import num_cores
from ..training.loop import Interrupted, Listener, autocast
from ..training.state import TrainedWeights, clone_weights
from .documents import Documents
from .ensemble import fit_weights, mix
from .metrics import Labels, LogProbs, accuracy, log_loss

WARMUP = 0.1
LOOKS = 10
"""At the held-out texts, evenly over the budget. What is measured, and kept if it is the best, is
the mean of the weights since the last look: single weights jump about. Source: Izmailov et al. 2018
(stochastic weight averaging), Kaddour 2022 (of a window)."""
DIVERGED = "Diverged; the best weights before it are kept. Lower --learning-rate."
CHECKPOINT_SECONDS = 60
"""At most so much work is lost when the process is killed."""
TINY = 1e-30
"""A gradient of zero points nowhere, and shifts nothing."""
SCORED_TEXTS = 256
"""Texts read side by side where no gradient is needed."""


@dataclass
class Progress:
    """Where a training stands."""

    epoch: int = 0
    position: int = 0
    steps: int = 0
    texts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    next_look: float = 1 / LOOKS
    num_averaged: int = 0
    best_loss: float = math.inf
    losses: list[float] = field(default_factory=list)
    """Of the batches since the last look."""
    curve: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Fitting:
    """One classifier in training."""

    model: RecurrentClassifier
    train: Documents
    labels: Labels
    valid: Documents
    valid_labels: Labels
    config: ClassifierTrainConfig
    folder: Path | None = None
    """Where checkpoints are written; None: nowhere."""
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.groups = self.model.parameter_groups()
        self.optimizer = _optimizer(self.groups, self.config)
        self.weights = TrainedWeights(self.model, self.optimizer)
        self.earlier_seconds = 0.0
        """Of trainings that were interrupted."""
        self._began = self._saved = time.monotonic()

    @property
    def fraction(self) -> float:
        """Part of the budget that is used up."""
        budget, progress = self.config.budget, self.progress
        if budget.unit == "seconds":
            return progress.seconds / budget.amount
        if budget.unit == "tokens":
            return progress.tokens / budget.amount
        return progress.texts / (budget.amount * len(self.train))

    def run(self, listener: Listener, stop: Callable[[], bool]) -> None:
        """Trains until the budget is used up; the model then has the best weights.

        Raises:
            Interrupted: `stop` said so.
        """
        while self.fraction < 1:
            batches = self.train.shuffled(
                self.config.batch_size, self.config.seed, self.progress.epoch
            )
            for rows in batches[self.progress.position :]:
                self.update(rows)
                if not math.isfinite(self.progress.losses[-1]):
                    listener({"kind": "valid", "text": DIVERGED})
                    return self.finish()
                if self.fraction >= min(self.progress.next_look, 1):
                    self.look()
                    listener({"kind": "valid", "text": _heard(self.progress.curve[-1])})
                if stop():
                    self.save()
                    raise Interrupted
                if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
                    self.save()
                if self.fraction >= 1:
                    break
            else:
                self.progress.epoch, self.progress.position = self.progress.epoch + 1, 0
        self.save()
        return self.finish()

    def finish(self) -> None:
        """Takes the best weights: the model is ready for use."""
        self.model.load_state_dict(self.weights.best)
        self.model.eval()

    def update(self, rows: np.ndarray) -> None:
        """One optimizer step on the texts `rows (B,)`."""
        self._unfreeze()
        rate = self.config.learning_rate * _schedule(self.fraction)
        for depth, group in enumerate(self.optimizer.param_groups):
            group["lr"] = rate / self.config.layer_decay**depth
        self.model.train()
        tokens, lengths = self.train.batch(rows)
        loss = self._backward(tokens, lengths, torch.from_numpy(self.labels[rows]))
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        progress = self.progress
        progress.steps, progress.position = progress.steps + 1, progress.position + 1
        progress.texts, progress.tokens = (
            progress.texts + len(rows),
            progress.tokens + int(lengths.sum()),
        )
        progress.losses.append(loss)
        progress.num_averaged += 1
        self.weights.add_to_average(progress.num_averaged)
        self._tick()

    def _backward(self, tokens: Tensor, lengths: Tensor, targets: Tensor) -> float:
        """Adds the gradients of a batch, and those of its adversarial twin; returns the loss."""
        if not self.config.adversarial_norm:
            return self._backward_shifted(tokens, lengths, targets, None)
        words = self.model.embedding.embed(tokens).detach()
        shift = torch.zeros_like(words, requires_grad=True)
        loss = self._backward_shifted(tokens, lengths, targets, shift)
        assert shift.grad is not None
        worst = worst_shift(shift.grad, words, lengths, self.config.adversarial_norm)
        self._backward_shifted(tokens, lengths, targets, worst)
        return loss

    def _backward_shifted(
        self, tokens: Tensor, lengths: Tensor, targets: Tensor, shift: Tensor | None
    ) -> float:
        with autocast(self.config.precision):
            log_probs = self.model(tokens, lengths, shift)
        loss = nn.functional.nll_loss(log_probs, targets)
        loss.backward()
        return loss.item()

    def save(self) -> None:
        """Writes a checkpoint from which training goes on to the same weights."""
        self._saved = time.monotonic()
        if self.folder is None:
            return
        values = vars(self.progress) | {"of": self._signature()}
        save_train_state(self.folder, self.weights.to_tensors(), values)

    def restore(self) -> bool:
        """Goes back to the last checkpoint; tells whether there is one.

        Raises:
            CheckpointError: it is damaged, or belongs to other texts or settings.
        """
        if self.folder is None or not (self.folder / TRAIN_STATE).exists():
            return False
        tensors, values = load_train_state(self.folder)
        if values.pop("of", None) != self._signature():
            remedy = "Repeat the command that began it, or choose another --out."
            raise CheckpointError(self.folder, "was begun with other texts or settings", remedy)
        try:
            self.progress = Progress(**values)
            self.weights.from_tensors(tensors)
        except (KeyError, RuntimeError, TypeError, ValueError):
            path = self.folder / TRAIN_STATE
            problem = "does not fit this training"
            raise CheckpointError(path, problem, "Remove it to begin anew.") from None
        self.earlier_seconds = self.progress.seconds
        self._began = time.monotonic()
        return True

    def _signature(self) -> str:
        """What a checkpoint has to fit: settings and texts."""
        config = replace(self.config, precision="auto", threads=0)  # decided anew each time
        digest = hashlib.sha256(repr((config, self.model.config)).encode())
        for part in (self.train.ids, self.train.starts, self.labels, self.valid.ids):
            digest.update(part.tobytes())
        return digest.hexdigest()

    def _unfreeze(self) -> None:
        """Lets one more group learn after each `unfreeze_fraction` of the budget.

        Source: Howard & Ruder 2018 (gradual unfreezing).
        """
        step = self.config.unfreeze_fraction
        for depth, group in enumerate(self.groups):
            for parameter in group:
                parameter.requires_grad_(self.fraction >= depth * step)

    def look(self) -> None:
        """Measures the loss of held-out texts with averaged weights, for the learning curve too."""
        current = clone_weights(self.model)
        self.model.load_state_dict(self.weights.average)
        loss, right = self._measure()
        self.model.load_state_dict(current)
        progress = self.progress
        progress.num_averaged = 0
        self._tick()
        point = {"seconds": progress.seconds, "epoch": progress.texts / len(self.train)}
        point |= {"train_loss": float(np.mean(progress.losses)), "valid_loss": loss}
        progress.curve.append(point | {"valid_accuracy": right})
        progress.losses.clear()
        progress.next_look = (math.floor(self.fraction * LOOKS + 1e-9) + 1) / LOOKS

    def _measure(self) -> tuple[float, float]:
        """Loss and accuracy of held-out texts; remembers the best weights.

        The loss is that after calibration: weights that are right more often, but too sure of
        themselves, are the better ones.
        """
        found = read(self.model, self.valid, self.config)
        calibrated = mix([found], fit_weights([found], self.valid_labels))
        loss = log_loss(calibrated, self.valid_labels)
        if loss < self.progress.best_loss:
            self.progress.best_loss = loss
            self.weights.keep_best()
        return loss, accuracy(found, self.valid_labels)

    def _tick(self) -> None:
        now = time.monotonic()
        self.progress.seconds, self._began = self.progress.seconds + now - self._began, now


def worst_shift(gradient: Tensor, words: Tensor, lengths: Tensor, norm: float) -> Tensor:
    """The change of word vectors, `(B, T, E)`, that raises the loss of each text most.

    Source: Miyato, Dai & Goodfellow 2017, equation 4, which brings the coordinates of word vectors
    to variance 1; here `norm` is multiplied by what they have.

    Args:
        gradient: of the loss by the words' vectors, `(B, T, E)`.
        words: the vectors, `(B, T, E)`.
        norm: of the change of a whole text, in units of the vectors' root mean square.
    """
    inside = torch.arange(words.shape[1]) < lengths[:, None]
    size = words[inside].square().mean().sqrt()
    length = torch.linalg.vector_norm(gradient, dim=(1, 2), keepdim=True)
    return gradient * (norm * size / length.clamp_min(TINY))


def decide(config: ClassifierTrainConfig) -> ClassifierTrainConfig:
    """Settles precision and threads on this machine."""
    auto = "bfloat16" if kernels.bfloat16_is_faster() else "float32"
    precision = auto if config.precision == "auto" else config.precision
    return replace(config, precision=precision, threads=config.threads or num_cores())


@torch.inference_mode()
def read(
    model: RecurrentClassifier, documents: Documents, config: ClassifierTrainConfig
) -> LogProbs:
    """Log-probabilities of each text, `(D, K)`."""
    model.eval()
    found = np.zeros((len(documents), model.config.num_classes))
    for rows in documents.in_order(SCORED_TEXTS):
        with autocast(config.precision):
            found[rows] = model(*documents.batch(rows)).double().numpy()
    return found


def _heard(point: dict[str, float]) -> str:
    return (
        f"{point['seconds']:5.0f} s, {point['epoch']:.1f} epochs: "
        f"loss {point['train_loss']:.3f}, held out {point['valid_loss']:.3f}, "
        f"{100 * point['valid_accuracy']:.2f} % right"
    )


def _schedule(fraction: float) -> float:
    return max(0.0, min(fraction / WARMUP + 0.01, (1 - fraction) / (1 - WARMUP)))


def _optimizer(
    groups: list[list[nn.Parameter]], config: ClassifierTrainConfig
) -> torch.optim.Optimizer:
    settings = [{"params": group} for group in groups]
    return torch.optim.AdamW(
        settings, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
