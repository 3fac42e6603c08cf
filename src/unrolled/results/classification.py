"""What a classifier is worth."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..system.records import Record, scalars
from .summary import Summarized, Summary


@dataclass(frozen=True)
class Figures(Record):
    """One model on labelled texts."""

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    """Ends of the 95 % interval."""
    macro_f1: float
    log_loss: float
    """Nats per text."""
    calibration_error: float


@dataclass(frozen=True)
class Bin(Record):
    """Texts of about the same confidence, `low` to `high`: their mean confidence and accuracy.

    Confidence is the mean probability of the predicted class.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True)
class LengthGroup(Record):
    """Texts of `low` to `high` characters, and the accuracy of each model on them."""

    low: int
    high: int
    count: int
    accuracy: dict[str, float | None]


@dataclass(frozen=True)
class Look(Record):
    """One look at the recurrent model while it trains; epochs have fractions, losses are nats."""

    seconds: float
    epoch: float
    train_loss: float | None
    valid_loss: float | None
    valid_accuracy: float | None


@dataclass(frozen=True)
class Prediction(Record):
    """The class of a text."""

    text: str
    label: str | int | bool | None
    """None where its probability is below the bound that was asked for."""
    probability: float
    """Of the most likely class, calibrated."""
    probabilities: dict[str, float]
    """Of every class, by its name."""


@dataclass(frozen=True)
class Mistake(Record):
    """A text that was put in a wrong class."""

    text: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Part(Record):
    """A piece of text and what it adds to a class, in nats of log-odds; below 0: against it."""

    text: str
    weight: float


@dataclass(frozen=True)
class Explained(Record):
    """A text in parts that add up to it."""

    parts: list[Part]
    predicted: str
    probability: float
    label: str | None = None
    """The true class, where it is known."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Classification(Summarized, Record):
    """What a classifier is worth on labelled texts and, after training, how it was made."""

    OPTIONAL: ClassVar[tuple[str, ...]] = (
        *("title", "num_texts_of", "saved", "num_parameters", "seconds", "curves", "class_ngrams"),
        *("explained", "notes", "request", "machine", "versions", "file_bytes"),
    )

    classes: list[str | int | bool]
    split: str
    """"test" or "valid" after training, else the names of the files."""
    num_texts: int
    """Of the split."""
    models: dict[str, Figures]
    """By name: "linear" is the baseline, "mixture" all models together."""
    chosen: Figures
    """Of the model that predicts, see `chosen_model`."""
    weights: dict[str, float]
    """Of each model in the mixture."""
    confusion: list[list[int]] = field(default_factory=list)
    """Texts by true class (rows) and predicted class (columns), of the chosen model."""
    reliability: list[Bin] = field(default_factory=list)
    by_length: list[LengthGroup] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    texts_per_second: dict[str, float] = field(default_factory=dict)
    title: str = ""
    num_texts_of: dict[str, int] = field(default_factory=dict)
    """Texts of "train", "valid" and "test"."""
    saved: dict[str, float] = field(default_factory=dict)
    """Nats per held-out text that the mixture would lose without each model."""
    num_parameters: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    """Of training each model."""
    curves: dict[str, list[Look]] = field(default_factory=dict)
    """Of the recurrent models."""
    class_ngrams: dict[str, list[Part]] = field(default_factory=dict)
    """The strongest n-grams of each class in the linear model."""
    explained: list[Explained] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    request: dict[str, Any] = field(default_factory=dict)
    """What was asked for."""
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    file_bytes: int | None = None

    @property
    def chosen_model(self) -> str:
        """The model that predicts: the mixture, unless one of its models has all of the weight."""
        used = [name for name, weight in self.weights.items() if weight]
        return used[0] if len(used) == 1 else list(self.models)[-1]

    def summary(self) -> Summary:
        """The figures of each model; the title names the one that predicts."""
        headings = ("model", "accuracy", "macro-F1", "log loss", "calibration error")
        rows = [
            (name, row.accuracy, row.macro_f1, row.log_loss, row.calibration_error)
            for name, row in self.models.items()
        ]
        title = f"{self.split}: {self.num_texts:,} texts, {len(self.classes)} classes"
        return Summary(f"{title}; {self.chosen_model} predicts", headings, rows)

    def rows(self) -> list[dict[str, Any]]:
        """The figures of each model, its weight in the mixture, and what it costs."""
        return [
            {"title": self.title, "split": self.split, "model": name}
            | scalars(Figures, figures)
            | {
                "weight": self.weights.get(name),
                "is_chosen": name == self.chosen_model,
                "texts_per_second": self.texts_per_second.get(name),
                "num_parameters": self.num_parameters.get(name),
                "train_seconds": self.seconds.get(name),
            }
            for name, figures in self.models.items()
        ]
