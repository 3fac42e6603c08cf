"""Labelled texts → classifier: the linear baseline, recurrent models, their mixture."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from .. import kernels
from ..errors import ConfigError
from ..models.classifier import RecurrentClassifier
from ..results.classification import Look
from ..results.events import Message, OnEvent, Start, Stop, ignore, never
from ..settings.check import check_value, one_of
from ..settings.data import TokenizerKind
from ..settings.kinds import RecurrentName
from ..settings.models import ClassifierConfig
from ..settings.presets import override
from ..settings.training import ClassifierTrainConfig
from ..system.machine import using_threads
from ..text.labels import plain
from ..text.tokenizers import Tokenizer
from ..text.vocabulary import train_tokenizer
from ..training.clock import Clock
from ..training.loop import Callbacks, MakeMonitor, Training
from ..training.pace import Pace
from .classifier import Classifier, Member, RecurrentMember
from .documents import ClassWeight, Labelled, check_class_weight, joined_parts, weigh
from .ensemble import CHANCE, ThresholdMetric, fit_thresholds, fit_weights, mix, savings
from .linear import LinearModel, Unit, fit_linear
from .metrics import LogProbs, accuracy, log_loss
from .pretraining import Pretrained
from .trainee import ClassifierTrainee, read

VOCAB_SIZE = 30_000
BACKWARD_FOLDER = "backward"
"""Folder of the checkpoints of the model that reads backward."""
MOST_CHARACTERS = 1_500_000
"""Of all texts, up to which n-grams of characters are tried: more text has enough words to learn
from, and they would take minutes and gigabytes."""
LINEAR_SHARE = 0.1
"""Of a wall-clock budget, after which a linear model tries no further penalty."""
FEW_TEXTS = 100
"""Below which calibration is called rough: the error of a share is then 5 points and more."""
DEFAULT_KIND: RecurrentName = "gru"


@dataclass(frozen=True)
class ClassifierRequest:
    """Which classifier to train: what the user chose, the rest by default."""

    kind: RecurrentName | None = DEFAULT_KIND
    """Of the recurrent model; None: the linear one alone."""
    tokenizer: TokenizerKind = "word"
    vocab_size: int = VOCAB_SIZE
    model_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of ClassifierConfig."""
    train_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of ClassifierTrainConfig."""
    pretrained: Pretrained | None = None
    """A language model that the recurrent one begins from."""
    class_weight: ClassWeight = None
    """How much the texts of each class count in every loss."""
    thresholds: ThresholdMetric | None = None
    """What the thresholds of the classes make greatest on held-out texts; None: the most probable
    class is predicted."""
    backward: Pretrained | None = None
    """One of mirrored texts: a second recurrent model, which reads backward, begins from it."""


@dataclass
class Trained:
    """A classifier and what was seen on the way."""

    classifier: Classifier
    valid: dict[str, LogProbs]
    """Of each model, on the held-out texts, by models that have not seen them."""
    saved: dict[str, float]
    """Nats per held-out text that the mixture would lose without each model."""
    seconds: dict[str, float]
    curves: dict[str, list[Look]]
    """Of the recurrent models, at each look at the held-out texts."""
    notes: list[str]
    """What to know of the classifier."""


def train_classifier(
    train: Labelled,
    valid: Labelled,
    classes: list[Any],
    request: ClassifierRequest,
    on_event: OnEvent = ignore,
    stop: Stop = never,
    folder: Path | None = None,
    monitor: MakeMonitor | None = None,
) -> Trained:
    """Trains the linear models and the recurrent ones, and mixes them.

    The linear models are fitted again to all texts once their penalty is chosen; the recurrent ones
    have seen the training texts only. With a folder, their training leaves a log and checkpoints
    there, and goes on from those that it finds. A wall-clock budget holds the linear models too.

    Raises:
        ConfigError: a setting is out of its range.
        Interrupted: `stop` said so.
    """
    check_settings(request, classes)
    train, valid = weigh(train, valid, classes, request.class_weight)
    began, callbacks = time.monotonic(), Callbacks(on_event, stop, monitor)
    train = replace(train, texts=[plain(text) for text in train.texts])
    valid = replace(valid, texts=[plain(text) for text in valid.texts])
    linear = _train_linear(train, valid, len(classes), request, callbacks)
    members: dict[str, Member] = {**linear.members}
    found, seconds = dict(linear.valid), dict(linear.seconds)
    curves: dict[str, list[Look]] = {}
    spent = time.monotonic() - began
    for name, wanted, backward in _recurrent_models(request):
        place = folder / BACKWARD_FOLDER if folder is not None and backward else folder
        member, training, found[name] = _train_recurrent(
            *(train, valid, len(classes), wanted),
            *(backward, place, callbacks.named(name), spent),
        )
        assert isinstance(training.trainee, ClassifierTrainee)
        members[name], curves[name] = member, training.trainee.curve
        seconds[name] = training.clock.seconds - spent
    weights, saved = _mixture(linear, found, valid)
    alone = linear.alone | {
        name: float(fit_weights([found[name]], valid.labels, valid.each_weight)[0])
        for name in curves
    }
    classifier = Classifier(classes, members, weights, alone)
    used = found if any(weights[name] for name in curves) else linear.out_of_fold
    mixed = mix(list(used.values()), np.array([weights[name] for name in used]))
    if request.thresholds:
        labels = np.concatenate([train.labels, valid.labels])[-len(mixed) :]
        classifier = replace(classifier, thresholds=fit_thresholds(mixed, labels).tolist())
    notes = [*linear.notes(), *_choice_notes(classifier, request, len(mixed))]
    for note in notes:
        on_event(Message(text=note))
    return Trained(classifier, found, saved, seconds, curves, notes)


def _choice_notes(
    classifier: Classifier, request: ClassifierRequest, num_held_out: int
) -> Iterator[str]:
    """What was done for rare classes, and what that means for probabilities."""
    if request.class_weight is not None:
        yield (
            f"Texts count by the weight of their class ({request.class_weight}): probabilities are "
            "those of texts in which the classes stand in that proportion."
        )
    if classifier.thresholds is not None:
        each = zip(classifier.classes, classifier.thresholds, strict=True)
        rows = ", ".join(f"{name} {threshold:.3g}" for name, threshold in each)
        yield (
            "The class with the greatest probability / threshold is predicted; these thresholds "
            f"have the greatest {request.thresholds} on {num_held_out:,} held-out texts: {rows}."
        )


@dataclass(frozen=True)
class _Linear:
    """The linear models that held-out texts want."""

    members: dict[str, LinearModel]
    out_of_fold: dict[str, LogProbs]
    """Of the last M texts, `(M, K)`, each by a model that has not seen it."""
    valid: dict[str, LogProbs]
    """Of the validation texts, the last of these."""
    weights: dict[str, float]
    alone: dict[str, float]
    seconds: dict[str, float]

    @property
    def num_held_out(self) -> int:
        """M."""
        return len(self.out_of_fold["linear"])

    def notes(self) -> list[str]:
        """What to know of their calibration."""
        if self.num_held_out >= FEW_TEXTS:
            return []
        return [
            f"Only {self.num_held_out:,} held-out texts to calibrate by: probabilities and figures "
            f"are rough. Give {FEW_TEXTS} texts or more."
        ]


def _train_linear(
    train: Labelled,
    valid: Labelled,
    num_classes: int,
    request: ClassifierRequest,
    callbacks: Callbacks,
) -> _Linear:
    """Words, and characters where the mixture with them loses less on held-out texts."""
    data, config = joined_parts(train, valid), _train_config(request)
    units: dict[str, Unit] = {"linear": "word"}
    if sum(map(len, data.texts)) <= MOST_CHARACTERS:
        units["characters"] = "char"
    budget = config.budget.amount if config.budget.unit == "seconds" else math.inf
    members, held_out, seconds = {}, {}, {}
    for name, unit in units.items():
        began, told = time.monotonic(), callbacks.named(name)
        members[name], held_out[name] = fit_linear(
            *(data, len(valid.texts), num_classes, unit, told),
            LINEAR_SHARE * budget,
        )
        seconds[name] = time.monotonic() - began
        number = len(held_out[name])
        right = 100 * accuracy(held_out[name], data.labels[-number:])
        told.on_event(Message(text=f"{right:.1f} % of {number:,} held-out texts are right."))
    targets = replace(data, labels=data.labels[-number:], weights=data.each_weight[-number:])
    fitted = fit_weights(list(held_out.values()), targets.labels, targets.weights)
    weights = dict(zip(units, fitted.tolist(), strict=True))
    kept = [name for name in units if name == "linear" or weights[name]]
    if len(kept) < len(units):
        text = "Not used: on held-out texts words alone do as well."
        callbacks.named("characters").on_event(Message(text=text))
    alone = {
        name: float(fit_weights([held_out[name]], targets.labels, targets.weights)[0])
        for name in kept
    }
    return _Linear(
        {name: members[name] for name in kept},
        {name: held_out[name] for name in kept},
        {name: held_out[name][number - len(valid.texts) :] for name in kept},
        {name: weights[name] for name in kept},
        alone,
        {name: seconds[name] for name in kept},
    )


def _mixture(
    linear: _Linear, valid_log_probs: dict[str, LogProbs], valid: Labelled
) -> tuple[dict[str, float], dict[str, float]]:
    """The weights of all models, and the nats per held-out text that each saves."""
    predicted, labels, each = list(valid_log_probs.values()), valid.labels, valid.each_weight
    if linear.num_held_out > len(labels):
        weights = _added_to(linear, valid_log_probs, valid)
    else:
        fitted = fit_weights(predicted, labels, each)
        weights = dict(zip(valid_log_probs, fitted.tolist(), strict=True))
    saved = savings(predicted, labels, np.array(list(weights.values())), each)
    return weights, dict(zip(valid_log_probs, saved.tolist(), strict=True))


def _added_to(
    linear: _Linear, valid_log_probs: dict[str, LogProbs], valid: Labelled
) -> dict[str, float]:
    """The weights where validation texts are few.

    The linear models are calibrated by all texts already: a recurrent one has to save more on the
    validation texts than chance would, and has the weight 0 until it is seen to.
    """
    calibrated = mix(list(linear.valid.values()), np.array(list(linear.weights.values())))
    recurrent = [name for name in valid_log_probs if name not in linear.weights]
    weights = linear.weights | dict.fromkeys(recurrent, 0.0)
    members = [calibrated, *(valid_log_probs[name] for name in recurrent)]
    labels, each = valid.labels, valid.each_weight
    fitted = fit_weights(members, labels, each, [1.0, *(0.0 for _ in recurrent)])
    saved = log_loss(calibrated, labels, each) - log_loss(mix(members, fitted), labels, each)
    if saved * len(labels) <= CHANCE:
        return weights
    share, *others = fitted.tolist()
    scaled = {name: share * weight for name, weight in linear.weights.items()}
    return scaled | dict(zip(recurrent, others, strict=True))


def _recurrent_models(
    request: ClassifierRequest,
) -> Iterator[tuple[str, ClassifierRequest, bool]]:
    """Name, request and whether it reads backward, of each recurrent model that is wanted."""
    if request.kind is not None:
        yield request.kind, request, False
    if request.backward is not None:
        kind = request.backward.settings["kind"]
        yield f"{kind} backward", replace(request, kind=kind, pretrained=request.backward), True


def recurrent_kind(
    asked: RecurrentName | Literal["linear"] | None, pretrained: Pretrained | None
) -> RecurrentName | None:
    """The kind that was asked for, else that of the language model, else GRU; linear: none."""
    if asked == "linear":
        return None
    own: RecurrentName = pretrained.settings["kind"] if pretrained else DEFAULT_KIND
    return asked or own


def check_settings(request: ClassifierRequest, classes: Sequence[Any]) -> None:
    """Says what is wrong with a request before minutes are spent on it.

    Raises:
        ConfigError: a setting is out of its range, or not that of the language model.
    """
    if request.backward is not None and (request.kind is None or request.pretrained is None):
        remedy = "Add one that reads forward, or leave it out."
        raise ConfigError("backward_language_model", "one of two", "one alone", remedy)
    _train_config(request)
    for _, wanted, _ in _recurrent_models(request):
        _model_config(1, len(classes), wanted)
    if request.thresholds is not None:
        check_value("thresholds", request.thresholds, one_of(get_args(ThresholdMetric)))
    check_class_weight(request.class_weight, classes)


def _train_recurrent(
    train: Labelled,
    valid: Labelled,
    num_classes: int,
    request: ClassifierRequest,
    backward: bool,
    folder: Path | None,
    callbacks: Callbacks,
    spent_seconds: float,
) -> tuple[RecurrentMember, Training, LogProbs]:
    clock, config = Clock(spent_seconds), _train_config(request)
    tokenizer = _tokenizer(train.texts, request)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = RecurrentClassifier(_model_config(tokenizer.vocab_size, num_classes, request))
        if request.pretrained is not None:
            request.pretrained.load_into(model)
        member = RecurrentMember(model, tokenizer, config, backward)
        documents, held_out = member.documents(train.texts), member.documents(valid.texts)
        trainee = ClassifierTrainee(model, documents, train, held_out, valid, config)
        training = Training(trainee, folder, clock)
        if training.restore():
            text = f"Resuming at {training.fraction:.0%} of the budget."
        else:
            text = _announce(trainee, trainee.decide())
        callbacks.on_event(Start(step=training.progress.step, text=text))
        with using_threads(trainee.config.threads):
            callbacks.fit(training)
            if training.fraction >= 1:  # not done over again if what follows is interrupted
                training.save()
            log_probs = read(model, held_out, trainee.config)
    model.requires_grad_(False)
    return replace(member, config=trainee.config), training, log_probs


def _train_config(request: ClassifierRequest) -> ClassifierTrainConfig:
    config = ClassifierTrainConfig()
    if request.pretrained is not None:
        config = replace(config, learning_rate=1e-3, layer_decay=2.6, unfreeze_fraction=0.1)
    return override(config, **request.train_settings)


def _tokenizer(texts: Sequence[str], request: ClassifierRequest) -> Tokenizer:
    if request.pretrained is not None:
        return request.pretrained.tokenizer
    num_bytes = sum(len(text.encode()) for text in texts)
    vocab_size = None if request.tokenizer in ("byte", "char") else request.vocab_size
    return train_tokenizer(request.tokenizer, lambda: texts, num_bytes, vocab_size)


def _model_config(
    vocab_size: int, num_classes: int, request: ClassifierRequest
) -> ClassifierConfig:
    assert request.kind is not None
    settings = request.pretrained.settings if request.pretrained is not None else {}
    config = ClassifierConfig(vocab_size, num_classes, request.kind)
    wanted = {"kind": request.kind, **request.model_settings}
    config = override(replace(config, **settings), **wanted)
    for name, value in settings.items():
        if getattr(config, name) != value:
            remedy = f"Leave --{name.replace('_', '-')} out."
            rule = f"{value}, as in the language model"
            raise ConfigError(name, rule, getattr(config, name), remedy)
    return config


def _announce(trainee: ClassifierTrainee, pace: Pace | None) -> str:
    config, texts = trainee.config, trainee.train
    speed = pace or f"{config.precision}, {config.threads} threads"
    num_parameters = sum(value.numel() for value in trainee.model.parameters())
    return (
        f"{num_parameters:,} parameters; {speed}; {kernels.status()}; {len(texts):,} texts of "
        f"{texts.lengths.mean():,.0f} tokens on average, for {config.budget}."
    )
