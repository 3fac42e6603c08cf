"""The classifier as a scikit-learn estimator."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import LabelError
from ..settings.check import check, one_of
from ..settings.data import TokenizerKind
from ..settings.kinds import RECURRENT, RecurrentName
from ..settings.models import Pooling
from ..settings.training import Budget, Precision
from ..system.machine import num_cores
from ..text.labels import LabelledTexts, label_of
from ..text.splitting import split_labelled
from ..text.tables import is_text
from .classifier import load_classifier, save_classifier
from .pretraining import Pretrained
from .training import VOCAB_SIZE, ClassifierRequest, Labelled, recurrent_kind, train_classifier

MODEL_SETTINGS = (
    "embedding_size",
    "hidden_sizes",
    "bidirectional",
    "pooling",
    "dropout",
    "word_dropout",
)
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
        random_state: Seed of everything random.

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
        precision: Precision | None = None,
        threads: int | None = None,
        random_state: int = 0,
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
        self.precision = precision
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: Iterable[str], y: Iterable[Any]) -> Self:
        """Trains on N texts and labels."""
        texts, labels = _texts(X), np.asarray(y)
        for place, text in enumerate(texts):
            if not text.strip():
                raise LabelError("X", f"has an empty text at place {place}", "Leave it out.")
        if labels.ndim != 1 or len(labels) != len(texts):
            problem = f"has the shape {labels.shape}, but there are {len(texts):,} texts"
            raise LabelError("y", problem, "Give one label for each text.")
        request = self._request()
        try:
            self.classes_ = np.unique(labels)
        except TypeError:
            problem = "has labels of several types, or missing ones"
            raise LabelError("y", problem, "Give strings, whole numbers or truth values.") from None
        for place, label in enumerate(labels.tolist()):
            if label_of(label) is None:
                remedy = "Give strings, whole numbers or truth values."
                raise LabelError("y", f"has {label!r} at place {place}", remedy)
        if len(self.classes_) < 2:
            raise LabelError("y", "has one class only", "Give texts of two classes or more.")
        names = [str(label) for label in labels.tolist()]
        numbers = {str(label): number for number, label in enumerate(self.classes_.tolist())}
        data = LabelledTexts(texts, names, None)
        train, valid = (
            Labelled(part.texts, np.array([numbers[name] for name in part.labels], np.int64))
            for part in split_labelled(data, self.valid_fraction, self.random_state)
        )
        trained = train_classifier(train, valid, self.classes_.tolist(), request)
        self.classifier_ = trained.classifier
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
        values = self.get_params()
        train = {name: values[name] for name in TRAIN_SETTINGS}
        train["threads"] = self.threads or num_cores()  # not measured: the same again next time
        return ClassifierRequest(
            kind=recurrent_kind(self.kind, pretrained),
            tokenizer=self.tokenizer,
            vocab_size=self.vocab_size,
            model_settings={name: values[name] for name in MODEL_SETTINGS},
            train_settings=train | {"budget": Budget.parse(self.budget), "seed": self.random_state},
            pretrained=pretrained,
            backward=backward,
        )

    def predict_proba(self, X: Iterable[str]) -> NDArray[np.float64]:
        """Calibrated probabilities of the classes, `(N, K)`."""
        check_is_fitted(self)
        return np.exp(self.classifier_.log_probs(_texts(X)))

    def predict(self, X: Iterable[str]) -> NDArray[Any]:
        """The most likely class of each text, `(N,)`."""
        probabilities = self.predict_proba(X)  # first: it says so where nothing is fitted
        return self.classes_[probabilities.argmax(1)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fitted classifier to one file."""
        check_is_fitted(self)
        save_classifier(self.classifier_, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Opens what `save` or `unrolled classify train` wrote, fitted.

        Raises:
            CheckpointError: it is missing, damaged, or something else.
        """
        estimator = cls()
        estimator.classifier_ = load_classifier(Path(path))
        estimator.classes_ = np.array(estimator.classifier_.classes)
        return estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # pyrefly: ignore[missing-attribute]  old stubs
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags


def _texts(X: Iterable[str]) -> list[str]:
    if isinstance(X, str | bytes):
        raise LabelError("X", "is one string", "Give a list of texts.")
    texts = list(X)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            problem = f"has {type(text).__name__} at place {place}, not a text"
            raise LabelError("X", problem, "Give strings.")
        if not is_text(text):
            problem = f"has half of a surrogate pair at place {place}, which is not a character"
            raise LabelError("X", problem, "Decode it again, or leave it out.")
    return texts
