"""Labelled texts → classifier: the linear baseline, recurrent models, their mixture."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from .. import kernels
from ..errors import ConfigError
from ..models.classifier import RecurrentClassifier
from ..results.classification import Look
from ..results.events import Message, OnEvent, Start, Stop, ignore, never
from ..settings.data import TokenizerKind
from ..settings.kinds import RecurrentName
from ..settings.models import ClassifierConfig
from ..settings.presets import override
from ..settings.training import ClassifierTrainConfig
from ..system.machine import using_threads
from ..text.labels import plain
from ..text.tokenizers import Tokenizer
from ..text.vocabulary import train_tokenizer
from ..training.loop import Callbacks, MakeMonitor, Training
from ..training.throughput import Pace
from .classifier import Classifier, Member, RecurrentMember
from .ensemble import fit_weights, savings
from .linear import fit_linear
from .metrics import Labels, LogProbs
from .pretraining import Pretrained
from .trainee import ClassifierTrainee, read

VOCAB_SIZE = 30_000
BACKWARD_FOLDER = "backward"
"""Folder of the checkpoints of the model that reads backward."""
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
    backward: Pretrained | None = None
    """One of mirrored texts: a second recurrent model, which reads backward, begins from it."""


@dataclass(frozen=True)
class Labelled:
    """Texts and the numbers of their classes, `(N,)`."""

    texts: Sequence[str]
    labels: Labels


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
    """Trains the linear model and the recurrent ones, and mixes them.

    The linear model is fitted again to all texts once its penalty is chosen; the recurrent ones
    have seen the training texts only. With a folder, their training leaves a log and checkpoints
    there, and goes on from those that it finds.

    Raises:
        ConfigError: a setting is out of its range.
        Interrupted: `stop` said so.
    """
    check_settings(request, len(classes))
    began = time.monotonic()
    train = Labelled([plain(text) for text in train.texts], train.labels)
    valid = Labelled([plain(text) for text in valid.texts], valid.labels)
    texts, labels = [*train.texts, *valid.texts], np.concatenate([train.labels, valid.labels])
    linear, found = fit_linear(texts, labels, len(classes), len(valid.texts))
    valid_log_probs, seconds = {"linear": found}, {"linear": time.monotonic() - began}
    right = 100 * (found.argmax(1) == valid.labels).mean()
    text = f"{right:.1f} % of {len(valid.labels):,} held-out texts are right."
    on_event(Message(run="linear", text=text))
    members: dict[str, Member] = {"linear": linear}
    curves, callbacks = {}, Callbacks(on_event, stop, monitor)
    for name, wanted, backward in _recurrent_models(request):
        began = time.monotonic()
        place = folder / BACKWARD_FOLDER if folder is not None and backward else folder
        member, training, valid_log_probs[name] = _train_recurrent(
            train, valid, len(classes), wanted, backward, place, callbacks.named(name)
        )
        assert isinstance(training.trainee, ClassifierTrainee)
        members[name], curves[name] = member, training.trainee.curve
        seconds[name] = training.resumed_seconds + time.monotonic() - began
    predicted = list(valid_log_probs.values())
    weights = fit_weights(predicted, valid.labels)
    alone = [fit_weights([log_probs], valid.labels)[0] for log_probs in predicted]
    saved = savings(predicted, valid.labels, weights)
    by_name = (dict(zip(members, map(float, row), strict=True)) for row in (weights, alone, saved))
    weight_of, alone_of, saved_of = by_name
    classifier = Classifier(classes, members, weight_of, alone_of)
    return Trained(classifier, valid_log_probs, saved_of, seconds, curves)


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


def check_settings(request: ClassifierRequest, num_classes: int) -> None:
    """Says what is wrong with a request before minutes are spent on it.

    Raises:
        ConfigError: a setting is out of its range, or not that of the language model.
    """
    if request.backward is not None and (request.kind is None or request.pretrained is None):
        remedy = "Add one that reads forward, or leave it out."
        raise ConfigError("backward_language_model", "one of two", "one alone", remedy)
    _train_config(request)
    for _, wanted, _ in _recurrent_models(request):
        _model_config(1, num_classes, wanted)


def _train_recurrent(
    train: Labelled,
    valid: Labelled,
    num_classes: int,
    request: ClassifierRequest,
    backward: bool,
    folder: Path | None,
    callbacks: Callbacks,
) -> tuple[RecurrentMember, Training, LogProbs]:
    config = _train_config(request)
    tokenizer = _tokenizer(train.texts, request)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = RecurrentClassifier(_model_config(tokenizer.vocab_size, num_classes, request))
        if request.pretrained is not None:
            request.pretrained.load_into(model)
        member = RecurrentMember(model, tokenizer, config, backward)
        documents, held_out = member.documents(train.texts), member.documents(valid.texts)
        trainee = ClassifierTrainee(model, documents, train.labels, held_out, valid.labels, config)
        training = Training(trainee, folder)
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
