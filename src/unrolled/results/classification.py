"""What the page of a classifier shows: plain values, as they stand in its results file."""

from typing import Any, NotRequired, TypedDict


class ClassifierFigures(TypedDict):
    """One model on the texts of the split; None and figures that are not finite show as a dash."""

    name: str
    """"linear" is the baseline, "mixture" all models together."""
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    """Ends of the 95 % interval."""
    macro_f1: float | None
    log_loss: float | None
    """Nats per text."""
    calibration_error: float | None
    train_seconds: float | None
    texts_per_second: float | None
    num_parameters: int | None
    saved: float | None
    """Nats per held-out text that the mixture would lose without it."""
    chosen: bool
    """True for one model of a page."""


class Bin(TypedDict):
    """Texts of about the same confidence, from `low` to `high`: promised and kept, both of 1.

    Confidence is the mean probability of the predicted class.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    count: int


class LengthGroup(TypedDict):
    """Texts of `low` to `high` characters, and the accuracy of each model on them."""

    low: int
    high: int
    count: int
    accuracy: dict[str, float | None]


class Look(TypedDict):
    """One look at the recurrent model while it trains; epochs have fractions, losses are nats."""

    seconds: float
    epoch: float
    train_loss: float | None
    valid_loss: float | None
    valid_accuracy: float | None


class Mistake(TypedDict):
    """A text that was put in a wrong class."""

    text: str
    label: str
    predicted: str
    probability: float


class Part(TypedDict):
    """A piece of text and what it adds to a class, in nats of log-odds; below 0: against it."""

    text: str
    weight: float


class Explained(TypedDict):
    """A text in parts that add up to it."""

    parts: list[Part]
    label: NotRequired[str | None]
    """The true class, where it is known."""
    predicted: str
    probability: float


class Classification(TypedDict):
    """Everything that the page shows; what is left out or empty has no section."""

    title: str
    classes: list[str]
    split: str
    """"test" or "valid": where the figures are from."""
    num_train: int
    num_valid: int
    num_texts: int
    """Of the split."""
    models: list[ClassifierFigures]
    reason: str
    """Which model was chosen and why, in a sentence."""
    notes: NotRequired[list[str]]
    confusion: NotRequired[list[list[int]]]
    """Texts by true class (rows) and predicted class (columns), of the chosen model."""
    reliability: NotRequired[list[Bin]]
    by_length: NotRequired[list[LengthGroup]]
    curves: NotRequired[dict[str, list[Look]]]
    """Of the recurrent models, by name."""
    mistakes: NotRequired[list[Mistake]]
    explained: NotRequired[list[Explained]]
    class_words: NotRequired[dict[str, list[Part]]]
    """The strongest n-grams of each class in the linear model."""
    conditions: NotRequired[dict[str, Any]]
