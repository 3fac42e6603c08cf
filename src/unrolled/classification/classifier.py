"""A trained classifier: the linear model, recurrent ones, and how much each has to say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from ..errors import ConfigError
from ..models.classifier import RecurrentClassifier
from ..results.classification import Prediction
from ..settings.training import ClassifierTrainConfig
from ..text.labels import plain
from ..text.tokenizers import Tokenizer
from ..text.words import mirrored
from .documents import Documents
from .ensemble import mix
from .linear import LinearModel
from .metrics import LogProbs
from .trainee import read

PIECE = 2048
"""Texts read at a time."""


@dataclass(frozen=True)
class RecurrentMember:
    """A recurrent model with what it needs to read texts."""

    model: RecurrentClassifier
    tokenizer: Tokenizer
    config: ClassifierTrainConfig
    mirrored: bool = False
    """Whether it reads texts from their end, see `text.words.mirrored`."""

    @property
    def num_parameters(self) -> int:
        """Numbers that were fitted."""
        return sum(value.numel() for value in self.model.parameters())

    def documents(self, texts: Sequence[str]) -> Documents:
        """Encodes texts as the model was trained on them."""
        limit, padded = self.config.max_tokens, self.config.post_padding_unmasked
        if not self.mirrored:
            return Documents.encode(texts, self.tokenizer, limit, padded)
        texts = [mirrored(text) for text in texts]
        return Documents.encode(texts, self.tokenizer, limit, padded, keeps_end=False)

    def log_probs(self, texts: Sequence[str]) -> LogProbs:
        """Log-probabilities of the classes, `(N, K)`."""
        return read(self.model, self.documents(texts), self.config)


Member: TypeAlias = LinearModel | RecurrentMember


@dataclass(frozen=True)
class Classifier:
    """Tells the class of texts.

    Make one with `TextClassifier.fit` or `load_classifier`.
    """

    classes: list[Any]
    """K labels as they were given: strings, whole numbers or truth values."""
    members: dict[str, Member]
    """By their names in tables: "linear", then kinds of layers such as "lstm", "lstm backward"."""
    weights: dict[str, float]
    """Of each member in the mixture, see mixture.py."""
    alone: dict[str, float]
    """The weight that each would have by itself: one over its temperature."""
    info: dict[str, Any] = field(default_factory=dict)
    """How it was made: figures on held-out texts, settings, conditions."""

    @property
    def linear(self) -> LinearModel:
        """The linear model, which every classifier has."""
        found = self.members["linear"]
        assert isinstance(found, LinearModel)
        return found

    @property
    def recurrent(self) -> RecurrentMember | None:
        """The recurrent model that reads texts from their beginning."""
        for member in self.members.values():
            if isinstance(member, RecurrentMember) and not member.mirrored:
                return member
        return None

    def each_member(self, texts: Sequence[str]) -> Iterator[tuple[str, LogProbs]]:
        """Yields name and log-probabilities `(N, K)` of each model by itself, not calibrated."""
        texts = [plain(text) for text in texts]
        for name, member in self.members.items():
            yield name, member.log_probs(texts)

    def log_probs(self, texts: Sequence[str]) -> LogProbs:
        """Calibrated log-probabilities of the classes, `(N, K)`; no texts give `(0, K)`."""
        if not len(texts):
            return np.zeros((0, len(self.classes)))
        used = [name for name, weight in self.weights.items() if weight]
        texts = [plain(text) for text in texts]
        found = [self.members[name].log_probs(texts) for name in used]
        return mix(found, np.array([self.weights[name] for name in used]))

    def num_parameters(self) -> dict[str, int]:
        """Fitted numbers of each model, by its name in tables."""
        numbers = {name: member.num_parameters for name, member in self.members.items()}
        return numbers | ({"mixture": sum(numbers.values())} if len(numbers) > 1 else {})

    def predict(self, texts: Iterable[str], abstain_below: float = 0.0) -> Iterator[Prediction]:
        """Tells the class of each text, in their order and in constant memory.

        Args:
            abstain_below: No class is given where its probability is lower than this.

        Raises:
            ConfigError: that is no probability.
        """
        if not 0 <= abstain_below <= 1:
            rule, remedy = "from 0 to 1", "Write for example 0.8."
            raise ConfigError("abstain_below", rule, abstain_below, remedy)
        return self._predict(iter(texts), abstain_below)

    def _predict(self, texts: Iterator[str], abstain_below: float) -> Iterator[Prediction]:
        names = [str(name) for name in self.classes]
        while piece := list(islice(texts, PIECE)):
            for text, row in zip(piece, np.exp(self.log_probs(piece)).tolist(), strict=True):
                best = max(range(len(row)), key=row.__getitem__)
                label = self.classes[best] if row[best] >= abstain_below else None
                yield Prediction(text, label, row[best], dict(zip(names, row, strict=True)))
