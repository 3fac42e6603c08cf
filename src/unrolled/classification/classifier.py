"""A trained classifier: the linear model, the recurrent one, and how much each has to say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import ClassifierTrainConfig
from ..models.classifier import RecurrentClassifier
from ..text.labelled import plain
from ..text.tokenizers import Tokenizer
from .documents import Documents
from .fitting import read
from .linear import LinearModel
from .metrics import LogProbs
from .mixture import mix

PIECE = 2048
"""Texts read at a time."""


@dataclass(frozen=True)
class RecurrentMember:
    """A recurrent model with what it needs to read texts."""

    model: RecurrentClassifier
    tokenizer: Tokenizer
    config: ClassifierTrainConfig

    def documents(self, texts: Sequence[str]) -> Documents:
        """Encodes texts as the model was trained on them."""
        config = self.config
        padded = config.post_padding_unmasked
        return Documents.encode(texts, self.tokenizer, config.max_tokens, padded)

    def log_probs(self, texts: Sequence[str]) -> LogProbs:
        """Log-probabilities of the classes, `(N, K)`."""
        return read(self.model, self.documents(texts), self.config)


@dataclass(frozen=True)
class Classifier:
    """Tells the class of texts.

    Make one with `TextClassifier.fit` or `load_classifier`.
    """

    classes: list[Any]
    """K labels as they were given: strings, whole numbers or truth values."""
    linear: LinearModel
    recurrent: RecurrentMember | None
    weights: dict[str, float]
    """Of "linear" and "recurrent" in the mixture, see mixture.py."""
    alone: dict[str, float]
    """The weight that each would have by itself: one over its temperature."""
    info: dict[str, Any] = field(default_factory=dict)
    """How it was made: figures on held-out texts, settings, conditions."""

    def each_member(self, texts: Sequence[str]) -> Iterator[tuple[str, LogProbs]]:
        """Yields name and log-probabilities `(N, K)` of each model by itself, not calibrated."""
        texts = [plain(text) for text in texts]
        for name in self.weights:
            yield name, self._member(name).log_probs(texts)

    def log_probs(self, texts: Sequence[str]) -> LogProbs:
        """Calibrated log-probabilities of the classes, `(N, K)`; no texts give `(0, K)`."""
        if not len(texts):
            return np.zeros((0, len(self.classes)))
        used = [name for name, weight in self.weights.items() if weight]
        texts = [plain(text) for text in texts]
        found = [self._member(name).log_probs(texts) for name in used]
        return mix(found, np.array([self.weights[name] for name in used]))

    def num_parameters(self) -> dict[str, int]:
        """Fitted numbers of each model, by its name in tables."""
        numbers = {"linear": self.linear.weights.size + self.linear.bias.size}
        if self.recurrent is not None:
            model = self.recurrent.model
            numbers[model.config.kind] = sum(value.numel() for value in model.parameters())
            numbers["mixture"] = sum(numbers.values())
        return numbers

    def name_of(self, member: str) -> str:
        """What a member is called in tables: "linear", or the kind of recurrent layer."""
        if member == "linear" or self.recurrent is None:
            return member
        return self.recurrent.model.config.kind

    def _member(self, name: str) -> LinearModel | RecurrentMember:
        if name == "linear":
            return self.linear
        assert self.recurrent is not None
        return self.recurrent

    def stream(self, texts: Iterable[str]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yields each text with its probabilities `(K,)`, in constant memory."""
        texts = iter(texts)
        while piece := list(islice(texts, PIECE)):
            yield from zip(piece, np.exp(self.log_probs(piece)), strict=True)
