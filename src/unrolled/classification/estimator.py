"""The classifier as a scikit-learn estimator."""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..errors import ConfigError, LabelError
from ..settings.check import check, one_of
from ..settings.data import TokenizerKind
from ..settings.kinds import RECURRENT, RecurrentName
from ..settings.models import Pooling
from ..settings.training import Budget, Precision
from ..system.machine import num_cores
from ..text.labels import LabelledTexts, label_of
from ..text.splitting import split_labelled, without_lone
from ..text.tables import is_text
from .classifier import Classifier, load_classifier, save_classifier
from .documents import ClassWeight, numbered
from .ensemble import ThresholdMetric
from .pretraining import Pretrained
from .training import VOCAB_SIZE, ClassifierRequest, recurrent_kind, train_classifier

MODEL_SETTINGS = (
    "embedding_size",
    "hidden_sizes",
    "bidirectional",
    "pooling",
    "dropout",
    "word_dropout",
)
MAX_SEED = 2**31 - 1
"""Of seeds that are drawn."""
TRAIN_SETTINGS = ("learning_rate", "batch_size", "max_tokens", "precision", "threads")


class TextClassifier(ClassifierMixin, BaseEstimator):
    """Learns the classes of texts: a linear model, a recurrent one, and their best mixture.

    Works wherever scikit-learn takes a classifier. X is a list, array or series of N strings, y are
    N labels: strings, whole numbers or truth values. What is None follows from the text, or from
    the language model.

    Args:
        kind: Recurrent layer, "rnn", "gru", "lstm" or "mingru"; "linear": none. Default: that of
            the language model, or gru.
        language_model: Run folder of `unrolled train` that the recurrent model begins from.
        backward_language_model: One of mirrored texts, see `unrolled.text.words.mirrored`: a
            second recurrent model, which reads backward, begins from it.
        budget: How long the recurrent model is trained: "5epochs", "10m".
        hidden_sizes: Width of each recurrent layer, from the words up.
        tokenizer, vocab_size: What the recurrent model reads, and how many different ones.
        max_tokens: Only the last so many tokens of a text are read.
        valid_fraction: Part of the texts that chooses settings, weights and temperature.
        class_weight: "balanced", so that texts of rare classes count more, or a dict of weights by
            class.
        thresholds: "macro-f1": thresholds of the classes that give the greatest macro-F1 on
            held-out texts; None: the most probable class is predicted.
        random_state: Seed of everything random; None: another each time.

    Attributes:
        classes_: The labels, sorted, `(K,)`.
        classifier_: The fitted `Classifier`.

    Raises:
        LabelError: the texts or labels cannot be learned from; it is a ValueError.
        ConfigError: a setting is out of its range.
    """

    def __init__(  # noqa: PLR0913  scikit-learn wants every setting by name
        self,
        kind: RecurrentName | Literal["linear"] | None = None,
        *,
        language_model: str | os.PathLike[str] | None = None,
        backward_language_model: str | os.PathLike[str] | None = None,
        budget: str = "5epochs",
        hidden_sizes: tuple[int, ...] | None = None,
        embedding_size: int | None = None,
        bidirectional: bool | None = None,
        pooling: Pooling | None = None,
        dropout: float | None = None,
        word_dropout: float | None = None,
        tokenizer: TokenizerKind = "word",
        vocab_size: int = VOCAB_SIZE,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        max_tokens: int | None = None,
        valid_fraction: float = 0.1,
        class_weight: ClassWeight = None,
        thresholds: ThresholdMetric | None = None,
        precision: Precision | None = None,
        threads: int | None = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
    ) -> None:
        self.kind = kind
        self.language_model = language_model
        self.backward_language_model = backward_language_model
        self.budget = budget
        self.hidden_sizes = hidden_sizes
        self.embedding_size = embedding_size
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.tokenizer = tokenizer
        self.vocab_size = vocab_size
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_tokens = max_tokens
        self.valid_fraction = valid_fraction
        self.class_weight = class_weight
        self.thresholds = thresholds
        self.precision = precision
        self.threads = threads
        self.random_state = random_state

    def fit(
        self, X: Iterable[str], y: Iterable[Any], sample_weight: Iterable[float] | None = None
    ) -> Self:
        """Trains on N texts and labels.

        Args:
            sample_weight: How much each text counts, `(N,)`, 0 or more; None: all the same.

        Warns:
            UserWarning: texts are left out, or too few to calibrate by.
        """
        texts = _texts(X)
        for place, text in enumerate(texts):
            if not text.strip():
                raise LabelError("X", f"has an empty text at place {place}", "Leave it out.")
        labels = _column("y", y, len(texts), "label")
        request = self._request()
        try:
            classes = np.unique(labels)
        except TypeError:
            problem = "has labels of several types, or missing ones"
            raise LabelError("y", problem, "Give strings, whole numbers or truth values.") from None
        for place, label in enumerate(labels.tolist()):
            if label_of(label) is None:
                remedy = "Give strings, whole numbers or truth values."
                raise LabelError("y", f"has {label!r} at place {place}", remedy)
        if len(classes) < 2:
            raise LabelError("y", "has one class only", "Give texts of two classes or more.")
        weights = _weights(sample_weight, len(texts))
        names = [str(label) for label in labels.tolist()]
        data, notes = without_lone(LabelledTexts(texts, names, None, weights))
        self.classes_ = classes[np.isin(classes.astype(str), data.labels)]
        if len(self.classes_) < 2:
            problem = "has one class of two texts or more only"
            raise LabelError("y", problem, "Give texts of two classes or more.")
        names = [str(label) for label in self.classes_.tolist()]
        train, valid = (
            numbered(part, names)
            for part in split_labelled(data, self.valid_fraction, request.train_settings["seed"])
        )
        trained = train_classifier(train, valid, self.classes_.tolist(), request)
        for note in [*notes, *trained.notes]:
            warnings.warn(note, UserWarning, stacklevel=2)
        settings = {name: _plain(value) for name, value in self.get_params().items()}
        settings |= {"seed": request.train_settings["seed"]}
        self.classifier_ = replace(trained.classifier, info={"request": settings})
        return self

    def _request(self) -> ClassifierRequest:
        check(
            self,
            (one_of(("linear", *RECURRENT)), "kind"),
            (one_of(get_args(TokenizerKind)), "tokenizer"),
        )
        pretrained, backward = (
            Pretrained.open(Path(run)) if run else None
            for run in (self.language_model, self.backward_language_model)
        )
        values = {name: _plain(value) for name, value in self.get_params().items()}
        if values["hidden_sizes"] is not None:
            values["hidden_sizes"] = tuple(values["hidden_sizes"])
        train = {name: values[name] for name in TRAIN_SETTINGS}
        train["threads"] = self.threads or num_cores()  # the same again next time
        train |= {"budget": Budget.parse(self.budget), "seed": _seed(self.random_state)}
        return ClassifierRequest(
            kind=recurrent_kind(self.kind, pretrained),
            tokenizer=self.tokenizer,
            vocab_size=self.vocab_size,
            model_settings={name: values[name] for name in MODEL_SETTINGS},
            train_settings=train,
            class_weight=self.class_weight,
            thresholds=self.thresholds,
            pretrained=pretrained,
            backward=backward,
        )

    def predict_proba(self, X: Iterable[str]) -> NDArray[np.float64]:
        """Calibrated probabilities of the classes, `(N, K)`."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Iterable[str]) -> NDArray[np.float64]:
        """Their logarithms, `(N, K)`."""
        check_is_fitted(self)
        return self.classifier_.log_probs(_texts(X))

    def predict(self, X: Iterable[str]) -> NDArray[Any]:
        """The class of each text, `(N,)`: the most likely one, or that of the thresholds."""
        log_probs = self.predict_log_proba(X)  # first: it says so where nothing is fitted
        return self.classes_[self.classifier_.choose(log_probs)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted classifier to one file."""
        check_is_fitted(self)
        save_classifier(self.classifier_, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Opens what `save` or `unrolled classify train` wrote, fitted, with its settings.

        Raises:
            CheckpointError: it is missing, damaged, or something else.
        """
        estimator = cls()
        estimator.classifier_ = load_classifier(Path(path))
        estimator.set_params(**_settings(estimator.classifier_, estimator.get_params()))
        estimator.classes_ = np.array(estimator.classifier_.classes)
        return estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # pyrefly: ignore[missing-attribute]  old stubs
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags


def _settings(classifier: Classifier, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a classifier was trained with, where they are not the defaults."""
    recurrent = classifier.recurrent
    kind = "linear" if recurrent is None else recurrent.model.config.kind
    asked = {"kind": kind} | classifier.info.get("request", {})
    asked |= asked.get("model_settings", {}) | asked.get("train_settings", {})
    asked["random_state"] = asked.get("seed")
    found = {name: asked[name] for name in defaults if asked.get(name) is not None}
    if "hidden_sizes" in found:
        found["hidden_sizes"] = tuple(found["hidden_sizes"])
    if isinstance(weight := found.get("class_weight"), Mapping):
        by_name = {str(name): name for name in classifier.classes}
        found["class_weight"] = {by_name[str(name)]: value for name, value in weight.items()}
    return found


def _plain(value: Any) -> Any:
    """A setting as JSON has it; what has no such form is left to its text."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(weight) for name, weight in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def _seed(random_state: Any) -> int:
    """The seed that a random state stands for, as scikit-learn takes it; None: another each time.

    Raises:
        ConfigError: it is none.
    """
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(MAX_SEED))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(MAX_SEED))
    whole = isinstance(random_state, int | np.integer) and not isinstance(random_state, bool)
    if whole and 0 <= random_state < 2**32:
        return int(random_state)
    rule = "a whole number from 0 to 2**32 - 1, None, or a RandomState or Generator of numpy"
    raise ConfigError("random_state", rule, repr(random_state), "Write for example 0.")


def _texts(X: Iterable[str]) -> list[str]:
    """X as strings.

    Raises:
        LabelError: it holds something else, or is no list of texts.
    """
    if isinstance(X, str | bytes):
        raise LabelError("X", "is one string", "Give a list of texts.")
    _check_column("X", X, "texts")
    texts = list(X)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            problem = f"has {type(text).__name__} at place {place}, not a text"
            raise LabelError("X", problem, "Give strings.")
        if not is_text(text):
            problem = f"has half of a surrogate pair at place {place}, which is not a character"
            raise LabelError("X", problem, "Decode it again, or leave it out.")
    return texts


def _check_column(name: str, values: Any, what: str) -> None:
    """Raises LabelError for what would be iterated otherwise than text by text."""
    kind = type(values).__name__
    if len(getattr(values, "shape", (0,))) != 1:
        problem = f"is a {kind} of the shape {tuple(values.shape)}"
        remedy = f'Give one column of {what}, for example frame["text"].'
        raise LabelError(name, problem, remedy)
    if isinstance(values, Mapping | Set) or not isinstance(values, Iterable):
        remedy = f"Give a list, array or series of {what}."
        raise LabelError(name, f"is a {kind}, not a list of {what}", remedy)


def _column(name: str, values: Any, number: int, what: str) -> NDArray[Any]:
    """Values as an array, `(N,)`."""
    if isinstance(values, str | bytes):
        raise LabelError(name, "is one string", f"Give a list of {what}s.")
    if len(getattr(values, "shape", (0,))) == 1:
        _check_column(name, values, f"{what}s")
    column = np.asarray(values if hasattr(values, "shape") else list(values))
    if column.shape != (number,):
        problem = f"has the shape {column.shape}, but there are {number:,} texts"
        raise LabelError(name, problem, f"Give one {what} for each text.")
    return column


def _weights(values: Iterable[float] | None, number: int) -> list[float] | None:
    """Weights of texts, checked."""
    if values is None:
        return None
    column = _column("sample_weight", values, number, "weight")
    if column.dtype.kind not in "biuf" or not (np.isfinite(column) & (column >= 0)).all():
        problem = "has something else than finite numbers of 0 or more"
        raise LabelError("sample_weight", problem, "Correct them.")
    if not column.any():
        raise LabelError("sample_weight", "is 0 for all texts", "Leave it out.")
    return column.astype(float).tolist()
