"""A recurrent classifier as what the loop trains: labelled texts, and the best mean of weights."""

import hashlib
import math
from copy import deepcopy
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models.classifier import RecurrentClassifier
from ..results.classification import Look
from ..results.events import LossUnit, Standing, Validation
from ..settings.training import ClassifierTrainConfig, Precision
from ..system.machine import num_cores, threads_for, using_threads
from ..training.optimizer import ParameterGroup, triangle
from ..training.throughput import Pace, find_pace, without_clock
from ..training.trainee import Trainee, autocast
from .documents import Documents, Labelled
from .ensemble import fit_weights, mix
from .metrics import LogProbs, accuracy, log_loss

WARMUP = 0.1
"""Part of the budget over which the learning rate rises."""
TINY = 1e-30
"""A gradient of zero points nowhere, and shifts nothing."""
SCORED_TEXTS = 256
"""Texts read side by side where no gradient is needed."""
RENAMED = {"steps": "step", "next_look": "next_evaluation", "best_loss": "best_nats"}
"""Values of a checkpoint that an earlier version called otherwise."""


class ClassifierTrainee(Trainee[RecurrentClassifier, ClassifierTrainConfig]):
    """A recurrent classifier that reads labelled texts.

    What is validated, and kept if it is the best, is the mean of the weights since the last
    validation: single weights jump about. Source: Izmailov et al. 2018 (stochastic weight
    averaging), Kaddour 2022 (of a window).
    """

    unit: ClassVar[LossUnit] = "nats/text"
    validates_average: ClassVar[bool] = True
    num_validations: ClassVar[tuple[int, int]] = (10, 4)
    does_not_fit: ClassVar[tuple[str, str]] = (
        "does not fit this training",
        "Delete it to start again.",
    )

    def __init__(
        self,
        model: RecurrentClassifier,
        train: Documents,
        targets: Labelled,
        valid: Documents,
        valid_targets: Labelled,
        config: ClassifierTrainConfig,
    ) -> None:
        """Takes encoded texts, and the labels and weights of each."""
        self.model, self.config = model, config
        self.train, self.targets = train, targets
        self.valid, self.valid_targets = valid, valid_targets
        self.weights = torch.from_numpy(targets.each_weight).float()  # (D,)
        self.epoch = self.position = self.num_texts = 0
        """Passes over the texts, batches of this one, texts of all."""
        self.losses: list[float] = []
        """Of the batches since the last validation."""
        self.accuracy = math.nan
        """At the last validation."""
        self.curve: list[Look] = []
        self._batches: tuple[int, list[NDArray[np.int64]]] = -1, []
        """Number of a pass, and its batches."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """From the output to the words: each learns more slowly and later than the one before."""
        config = self.config
        return [
            {
                "params": group,
                "weight_decay": config.weight_decay,
                "slower": config.layer_decay**depth,
                "thaws_at": depth * config.unfreeze_fraction,
            }
            for depth, group in enumerate(self.model.parameter_groups())
        ]

    def rate_factor(self, fraction: float) -> float:
        """Up, then down at once."""
        return triangle(fraction, WARMUP)

    def next_batch(self) -> NDArray[np.int64]:
        """The texts of the next update, `(B,)`."""
        if self._batches[0] != self.epoch:
            config = self.config
            batches = self.train.shuffled(config.batch_size, config.seed, self.epoch)
            self._batches = self.epoch, batches
        if self.position == len(self._batches[1]):
            self.epoch, self.position = self.epoch + 1, 0
            return self.next_batch()
        self.position += 1
        return self._batches[1][self.position - 1]

    def backward(self, batch: NDArray[np.int64]) -> tuple[float, int]:
        """With adversarial training the gradients are also those of the changed texts."""
        tokens, lengths = self.train.batch(batch)
        norm, places = self.config.adversarial_norm, torch.from_numpy(batch)
        if norm:
            words = self.model.embedding.embed(tokens).detach()
            shift = torch.zeros_like(words, requires_grad=True)
            loss = self._backward_shifted(tokens, lengths, places, shift)
            assert shift.grad is not None
            worst = worst_shift(shift.grad, words, lengths, norm)
            self._backward_shifted(tokens, lengths, places, worst)
        else:
            loss = self._backward_shifted(tokens, lengths, places, None)
        self.num_texts += len(batch)
        self.losses.append(loss)
        return loss, int(lengths.sum())

    def _backward_shifted(
        self, tokens: Tensor, lengths: Tensor, places: Tensor, shift: Tensor | None
    ) -> float:
        with autocast(self.config.precision):
            log_probs = self.model(tokens, lengths, shift)
        targets = torch.from_numpy(self.targets.labels)[places]
        losses = nn.functional.nll_loss(log_probs, targets, reduction="none")
        loss = (losses * self.weights[places]).mean()
        loss.backward()
        return loss.item()

    def validate(self) -> float:
        """Nats per held-out text, after calibration.

        Weights that are right more often, but too sure of themselves, are the better ones.
        """
        log_probs = read(self.model, self.valid, self.config)
        labels, weights = self.valid_targets.labels, self.valid_targets.each_weight
        calibrated = mix([log_probs], fit_weights([log_probs], labels, weights))
        self.accuracy = accuracy(log_probs, labels)
        return log_loss(calibrated, labels, weights)

    def fraction_of_epochs(self, num_epochs: float, num_tokens: int) -> float:
        """The part of so many passes over the texts that is read."""
        return self.num_texts / (num_epochs * len(self.train))

    def validation_event(
        self, standing: Standing, nats: float | None, valid_nats: float
    ) -> Validation:
        """The training loss is the mean since the last validation."""
        train = float(np.mean(self.losses))
        self.losses.clear()
        epoch = self.num_texts / len(self.train)
        self.curve.append(Look(standing["seconds"], epoch, train, valid_nats, self.accuracy))
        figures = {"train": train, "valid": valid_nats, "accuracy": self.accuracy}
        return Validation(**standing, **figures)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The place in the texts, the curve, and what the checkpoint belongs to."""
        return {}, {
            "epoch": self.epoch,
            "position": self.position,
            "texts": self.num_texts,
            "losses": self.losses,
            "curve": [look.to_json() for look in self.curve],
            "precision": self.config.precision,
            "threads": self.config.threads,
        }

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> dict[str, Any]:
        """Takes them back, and the precision and threads that it was started with."""
        values = {RENAMED.get(name, name): value for name, value in values.items()}
        self.epoch, self.position = values.pop("epoch"), values.pop("position")
        self.num_texts, self.losses = values.pop("texts"), values.pop("losses")
        self.curve = [Look.from_json(look) for look in values.pop("curve")]
        usual = without_clock(self.config)
        precision = values.pop("precision", usual.precision)
        threads = values.pop("threads", usual.threads)
        self.config = replace(self.config, precision=precision, threads=threads)
        return values

    def signature(self) -> str:
        """What a checkpoint has to fit: settings and texts."""
        config = replace(self.config, precision="auto", threads=0)
        digest = hashlib.sha256(repr((config, self.model.config)).encode())
        labels, weights = self.targets.labels, self.targets.weights
        for part in (self.train.ids, self.train.starts, labels, self.valid.ids, weights):
            digest.update(b"" if part is None else part.tobytes())
        return digest.hexdigest()

    def decide(self) -> Pace | None:
        """Settles precision and threads, by measuring where the budget is a time.

        In a budget of epochs or tokens nothing is timed: the same weights come out again.
        """
        if self.config.budget.unit != "seconds":
            self.config = without_clock(self.config)
            return None
        with torch.random.fork_rng(devices=[]), using_threads(num_cores()):
            pace = self._pace()
        self.config = replace(self.config, precision=pace.precision, threads=pace.threads)
        return pace

    def _pace(self) -> Pace:
        """Of a twin, on the texts of median length."""
        model, config = deepcopy(self.model).train(), self.config
        order = np.argsort(self.train.lengths, kind="stable")
        middle = max(0, len(order) - config.batch_size) // 2
        rows = order[middle : middle + config.batch_size]
        tokens, lengths = self.train.batch(rows)
        targets = torch.from_numpy(self.targets.labels[rows])

        def step(precision: Precision) -> None:
            with autocast(precision):
                log_probs = model(tokens, lengths)
            nn.functional.nll_loss(log_probs, targets).backward()
            model.zero_grad()

        num_parameters = sum(value.numel() for value in model.parameters())
        return find_pace(config, step, int(lengths.sum()), num_parameters)


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


@torch.inference_mode()
def read(
    model: RecurrentClassifier, documents: Documents, config: ClassifierTrainConfig
) -> LogProbs:
    """Log-probabilities of each text, `(D, K)`."""
    model.eval()
    found = np.zeros((len(documents), model.config.num_classes))
    threads = min(config.threads or num_cores(), num_cores())
    for rows in documents.in_order(SCORED_TEXTS):
        tokens, lengths = documents.batch(rows)
        with (
            using_threads(threads),
            threads_for(len(tokens), tokens.numel()),
            autocast(config.precision),
        ):
            found[rows] = model(tokens, lengths).double().numpy()
    return found
