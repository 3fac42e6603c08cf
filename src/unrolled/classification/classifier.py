"""A trained classifier: the linear model, recurrent ones, and how much each has to say.

Its file is safetensors with the settings as JSON in its header.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError, ConfigError
from ..models.build import unusable_weight
from ..models.classifier import RecurrentClassifier
from ..results.classification import Prediction
from ..runs.folder import CLASSIFIER
from ..settings.check import between, check_value
from ..settings.models import ClassifierConfig
from ..settings.training import ClassifierTrainConfig
from ..system.files import parse_json, write_atomically
from ..text.labels import plain
from ..text.tokenizers import Tokenizer, tokenizer_from_dict
from ..text.words import mirrored
from .documents import Documents
from .ensemble import decisions, mix
from .linear import UNITS, LinearModel
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
    """By their names in tables: "linear", maybe "characters", then kinds of layers such as "lstm",
    "lstm backward"."""
    weights: dict[str, float]
    """Of each member in the mixture, see ensemble.py."""
    alone: dict[str, float]
    """The weight that each would have by itself: one over its temperature."""
    thresholds: list[float] | None = None
    """Of each class, 1 in sum, see `ensemble.fit_thresholds`; None: the most probable class is
    predicted."""
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

    def choose(self, log_probs: LogProbs) -> NDArray[np.int64]:
        """Numbers of the classes that are predicted from such log-probabilities, `(N,)`."""
        return decisions(log_probs, self.thresholds).argmax(1)

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
        check_value("abstain_below", abstain_below, between(0, 1, "Write for example 0.8."))
        return self._predict(iter(texts), abstain_below)

    def _predict(self, texts: Iterator[str], abstain_below: float) -> Iterator[Prediction]:
        names = [str(name) for name in self.classes]
        while piece := list(islice(texts, PIECE)):
            log_probs = self.log_probs(piece)
            chosen, rows = self.choose(log_probs).tolist(), np.exp(log_probs).tolist()
            for text, best, row in zip(piece, chosen, rows, strict=True):
                label = self.classes[best] if row[best] >= abstain_below else None
                yield Prediction(text, label, row[best], dict(zip(names, row, strict=True)))


WEIGHTS = "weights", "alone"
ARRAYS = "columns", "ratios", "weights", "bias"
"""Of a linear model."""
DAMAGE = (SafetensorError, ConfigError, AttributeError, LookupError, TypeError)
DAMAGE += (RuntimeError, ValueError)
"""What values of other types and shapes lead to."""
FILE, KIND, FORMAT = CLASSIFIER, "unrolled classifier", "unrolled classifier 3"
BEFORE = "unrolled classifier 2"
"""Had one linear model, and no thresholds."""
REMEDY, AGAIN = "Restore it, or train again.", "Use that version, or train again."


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Writes a classifier, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {
        "classes": classifier.classes,
        "linear": {},
        "recurrent": {},
        "weights": classifier.weights,
        "alone": classifier.alone,
        "thresholds": classifier.thresholds,
        "info": classifier.info,
    }
    for name, member in classifier.members.items():
        if isinstance(member, LinearModel):
            parts = ((part, getattr(member, part)) for part in ARRAYS)
            tensors |= {f"{name}.{part}": torch.from_numpy(array) for part, array in parts}
            values["linear"][name] = {"unit": member.unit, "penalty": member.penalty}
        else:
            state = member.model.state_dict()
            tensors |= {f"{name}.{key}": value.contiguous() for key, value in state.items()}
            values["recurrent"][name] = {
                "model": member.model.config.to_json(),
                "train": member.config.to_json(),
                "tokenizer": member.tokenizer.to_dict(),
                "mirrored": member.mirrored,
            }
    header = {"format": FORMAT, "values": json.dumps(values, ensure_ascii=False)}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, header))


def load_classifier(path: str | Path) -> Classifier:
    """Opens a classifier: the file, or the folder that `unrolled classify train` wrote.

    Raises:
        CheckpointError: it is missing, damaged, or something else.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        remedy = "Make one with: unrolled classify train"
        raise CheckpointError(path, "does not exist", remedy)
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found = header.get("format", "")
        if not found.startswith(KIND):
            raise CheckpointError(path, "is not a classifier", "Name one, or train one.")
        values = parse_json(header.get("values", "null"))
        if found == BEFORE and values["linear"]["unit"] == "word":  # those of characters differ
            values |= {"linear": {"linear": values["linear"]}, "thresholds": None}
        elif found != FORMAT:
            raise CheckpointError(path, "was written by another version of unrolled", AGAIN)
        return _build(values, tensors)
    except DAMAGE as error:
        reason = shorten(str(error), 200).rstrip(".")
        raise CheckpointError(path, f"is damaged ({reason})", REMEDY) from None


def _check_linear(linear: LinearModel, num_classes: int) -> None:
    """Raises ValueError unless the arrays fit each other and the classes."""
    rows, size = 1 if num_classes == 2 else num_classes, len(linear.columns)
    shapes = linear.columns.shape, linear.ratios.shape, linear.weights.shape, linear.bias.shape
    if linear.unit not in UNITS:
        raise ValueError(f"there is no unit {linear.unit!r}")
    if num_classes < 2 or shapes != ((size,), (rows, size), (rows, size), (rows,)):
        raise ValueError(f"the linear model of {num_classes} classes has the shapes {shapes}")
    if linear.columns.dtype != np.int32 or (np.diff(linear.columns) <= 0).any():
        raise ValueError("the columns of the linear model are out of order")
    if not all(np.isfinite(part).all() for part in (linear.ratios, linear.weights, linear.bias)):
        raise ValueError("the linear model has weights that are not finite")


def _build(values: dict[str, Any], tensors: dict[str, Tensor]) -> Classifier:
    classes, members = values["classes"], dict[str, Member]()
    for name, settings in values["linear"].items():
        arrays: dict[str, Any] = {part: tensors[f"{name}.{part}"].numpy() for part in ARRAYS}
        linear = LinearModel(**settings, **arrays)
        _check_linear(linear, len(classes))
        members[name] = linear
    for name, settings in values["recurrent"].items():
        members[name] = _recurrent(settings, f"{name}.", tensors)
    weights, alone = ({name: float(values[part][name]) for name in members} for part in WEIGHTS)
    known = [*weights.values(), *alone.values()]
    if not all(map(math.isfinite, known)) or not any(weights.values()):
        raise ValueError("the mixture has no weights")
    return Classifier(classes, members, weights, alone, values["thresholds"], values["info"])


def _recurrent(
    settings: dict[str, Any], prefix: str, tensors: dict[str, Tensor]
) -> RecurrentMember:
    model = RecurrentClassifier(ClassifierConfig.from_json(settings["model"]))
    found = (name for name in tensors if name.startswith(prefix))
    model.load_state_dict({name.removeprefix(prefix): tensors[name] for name in found})
    if (name := unusable_weight(model)) is not None:
        raise ValueError(f"there are unusable numbers in {prefix}{name}")
    tokenizer = tokenizer_from_dict(settings["tokenizer"])
    if tokenizer.vocab_size != model.config.vocab_size:
        raise ValueError(f"{prefix}tokenizer has {tokenizer.vocab_size} symbols")
    return RecurrentMember(
        model.eval().requires_grad_(False),
        tokenizer,
        ClassifierTrainConfig.from_json(settings["train"]),
        settings["mirrored"],
    )
