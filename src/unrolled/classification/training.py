"""Labelled texts → classifier: the linear baseline, recurrent models, their mixture."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ..config import (
    Budget,
    ClassifierConfig,
    ClassifierTrainConfig,
    RecurrentKind,
    TokenizerKind,
)
from ..errors import ConfigError
from ..models.classifier import RecurrentClassifier
from ..presets import override
from ..text.labelled import plain
from ..text.tokenizers import Tokenizer
from ..text.vocabulary import train_tokenizer
from ..threads import using_threads
from .answers import answers
from .classifier import Classifier, Member, RecurrentMember
from .documents import Documents
from .fitting import Fitting, Listener, decide, read
from .linear import fit_linear
from .metrics import Labels, LogProbs, Probs
from .mixture import fit_weights
from .pretrained import Pretrained

VOCAB_SIZE = 30_000
BACKWARD, SELF_TRAINED = "backward", "self-trained"
"""Recurrent models after the first: what their names end in, and where their checkpoints are."""
DEFAULT_KIND: RecurrentKind = "gru"


@dataclass(frozen=True)
class SelfTraining:
    """One more recurrent model learns the mixture's answers on unlabelled texts, beside the labels.

    Source: Scudder 1965; Xie et al. 2020, whose teachers' answers are probabilities too.
    """

    texts: Sequence[str]
    """None of the texts with labels among them."""
    budget: Budget


@dataclass(frozen=True)
class ClassifierRequest:
    """Which classifier to train: what the user chose, the rest by default."""

    kind: RecurrentKind | None = DEFAULT_KIND
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
    self_training: SelfTraining | None = None


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
    seconds: dict[str, float]
    curves: dict[str, list[dict[str, float]]]
    """Of the recurrent models, at each look at the held-out texts."""


def train_classifier(
    train: Labelled,
    valid: Labelled,
    classes: list[Any],
    request: ClassifierRequest,
    listener: Listener = lambda record: None,
    stop: Callable[[], bool] = lambda: False,
    folder: Path | None = None,
) -> Trained:
    """Trains the linear model and the recurrent ones, and mixes them.

    The linear model is fitted again to all texts once its penalty is chosen; the recurrent ones
    have seen the training texts only, and answers of models that have seen no others. With a
    folder, their training leaves checkpoints there, and goes on from those that it finds.

    Raises:
        ConfigError: a setting is out of its range.
        Interrupted: `stop` said so.
    """
    check_settings(request, len(classes))
    began = time.monotonic()
    train = Labelled([plain(text) for text in train.texts], train.labels)
    valid = Labelled([plain(text) for text in valid.texts], valid.labels)
    texts, labels = [*train.texts, *valid.texts], np.concatenate([train.labels, valid.labels])
    linear, of_train = fit_linear(texts, labels, len(classes), len(valid.texts))
    found = of_train.log_probs(valid.texts)
    valid_log_probs, seconds = {"linear": found}, {"linear": time.monotonic() - began}
    listener({"kind": "start", "text": _heard("linear", found, valid.labels, seconds["linear"])})
    members: dict[str, Member] = {"linear": linear}
    curves = {}
    for step in _recurrent_models(request):
        began, known = time.monotonic(), np.eye(len(classes))[train.labels]
        place = folder / step.suffix if folder is not None else None
        asked = [plain(text) for text in step.asked]
        if asked:
            answering = f"The mixture answers {len(asked):,} texts without labels."
            listener({"kind": "start", "text": answering})
            teachers = members | {"linear": of_train}
            mixture = _mixture(classes, teachers, valid_log_probs, valid.labels)
            known = np.concatenate([known, answers(mixture, asked, place, stop)])
        member, fitting, found = _train_recurrent(
            [*train.texts, *asked], known, valid, step, listener, stop, place
        )
        name = step.name
        members[name], valid_log_probs[name], curves[name] = member, found, fitting.progress.curve
        seconds[name] = fitting.earlier_seconds + time.monotonic() - began
    classifier = _mixture(classes, members, valid_log_probs, valid.labels)
    return Trained(classifier, valid_log_probs, seconds, curves)


def _mixture(
    classes: list[Any], members: dict[str, Member], found: dict[str, LogProbs], labels: Labels
) -> Classifier:
    """The models mixed as suits the held-out texts, and each calibrated by itself."""
    weights = fit_weights(list(found.values()), labels)
    return Classifier(
        classes,
        dict(members),
        dict(zip(found, map(float, weights), strict=True)),
        {name: float(fit_weights([each], labels)[0]) for name, each in found.items()},
    )


@dataclass(frozen=True)
class _Step:
    """One recurrent model that is wanted."""

    request: ClassifierRequest
    suffix: str = ""
    """BACKWARD, SELF_TRAINED or nothing."""
    asked: Sequence[str] = ()
    """Texts without labels: it learns the answers of those before it."""

    @property
    def name(self) -> str:
        return f"{self.request.kind} {self.suffix}".rstrip()

    @property
    def mirrored(self) -> bool:
        return self.suffix == BACKWARD


def _recurrent_models(request: ClassifierRequest) -> Iterator[_Step]:
    """Each recurrent model that is wanted; the last one learns from all before it."""
    if request.kind is not None:
        yield _Step(request)
    if request.backward is not None:
        kind = request.backward.settings["kind"]
        yield _Step(replace(request, kind=kind, pretrained=request.backward), BACKWARD)
    if (more := request.self_training) is not None:
        settings = request.train_settings | {"budget": more.budget}
        yield _Step(replace(request, train_settings=settings), SELF_TRAINED, more.texts)


def recurrent_kind(
    asked: RecurrentKind | Literal["linear"] | None, pretrained: Pretrained | None
) -> RecurrentKind | None:
    """The kind that was asked for, else that of the language model, else GRU; linear: none."""
    if asked == "linear":
        return None
    own: RecurrentKind = pretrained.settings["kind"] if pretrained else DEFAULT_KIND
    return asked or own


def check_settings(request: ClassifierRequest, num_classes: int) -> None:
    """Says what is wrong with a request before minutes are spent on it.

    Raises:
        ConfigError: a setting is out of its range, or not that of the language model.
    """
    if request.backward is not None and (request.kind is None or request.pretrained is None):
        remedy = "Add one that reads forward, or leave it out."
        raise ConfigError("backward_language_model", "one of two", "one alone", remedy)
    if (wanted := request.self_training) is not None:
        if not wanted.texts:
            problem = "given with texts that have no label"
            raise ConfigError("self_training", problem, "none", "Give such texts, or leave it out.")
        if request.kind is None:
            remedy = "Choose another kind."
            raise ConfigError("kind", "recurrent for self-training", "linear", remedy)
    _train_config(request)
    for step in _recurrent_models(request):
        _model_config(1, num_classes, step.request)


def _heard(name: str, found: LogProbs, labels: Labels, seconds: float) -> str:
    right = 100 * (found.argmax(1) == labels).mean()
    return (
        f"{name}: {right:.1f} % of {len(labels):,} held-out texts are right, after {seconds:.0f} s."
    )


def _train_recurrent(
    texts: Sequence[str],
    known: Probs,
    valid: Labelled,
    step: _Step,
    listener: Listener,
    stop: Callable[[], bool],
    folder: Path | None,
) -> tuple[RecurrentMember, Fitting, LogProbs]:
    request, num_classes = step.request, known.shape[1]
    config = decide(_train_config(request))
    tokenizer = _tokenizer(texts, request)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = RecurrentClassifier(_model_config(tokenizer.vocab_size, num_classes, request))
        if request.pretrained is not None:
            request.pretrained.load_into(model)
        member = RecurrentMember(model, tokenizer, config, step.mirrored)
        documents, held_out = member.documents(texts), member.documents(valid.texts)
        listener({"kind": "start", "text": _announce(step.name, member, documents)})
        with using_threads(config.threads):
            fitting = Fitting(model, documents, known, held_out, valid.labels, config, folder)
            if fitting.restore():
                going_on = f"Going on at {fitting.fraction:.0%} of the budget."
                listener({"kind": "start", "text": going_on})
            fitting.run(listener, stop)
            found = read(model, held_out, config)
    model.requires_grad_(False)
    return member, fitting, found


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


def _announce(name: str, member: RecurrentMember, documents: Documents) -> str:
    config = member.config
    return (
        f"{name}: {member.num_parameters:,} parameters, {config.precision}, "
        f"{config.threads} threads, "
        f"{len(documents):,} texts of {documents.lengths.mean():,.0f} tokens on average, "
        f"for {config.budget}."
    )
