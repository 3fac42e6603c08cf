"""What the page shows: plain values, as `compare` writes them to JSON."""

from typing import Any, TypedDict


class CurvePoint(TypedDict):
    """One look at a model during training, in bits per byte; an n-gram has one."""

    seconds: float
    tokens: float
    train: float | None
    valid: float | None


class Position(TypedDict):
    """Mean cost of the tokens that stand `position` or more (below the next one) in the context."""

    position: int
    bits_per_byte: float | None


class TriedRate(TypedDict):
    """What one learning rate reached in the search."""

    learning_rate: float
    bits_per_byte: float | None


class Baseline(TypedDict):
    """What a text costs without a trained model."""

    name: str
    bits_per_byte: float | None


class ComparedModel(TypedDict):
    """One trained model; None and figures that are not finite are shown as a dash."""

    name: str
    run: str
    bits_per_byte: float | None
    spread: float | None
    seeds: list[float]
    perplexity: float | None
    perplexity_per_word: float | None
    closed_vocabulary: bool
    num_parameters: int | None
    train_tokens_per_second: float | None
    score_tokens_per_second: float | None
    generate_tokens_per_second: float | None
    peak_bytes: float | None
    file_bytes: float | None
    train_seconds: float | None
    learning_rate: float | None
    tried_learning_rates: list[TriedRate]
    notes: list[str]
    settings: dict[str, Any]
    curve: list[CurvePoint]
    loss_by_position: list[Position]
    samples: list[str]


class Advice(TypedDict):
    """The model to take for one purpose, and why in one sentence."""

    purpose: str
    model: str
    reason: str


class Comparison(TypedDict):
    """Everything that the page shows."""

    title: str
    conditions: dict[str, str | float]
    split: str
    baselines: list[Baseline]
    models: list[ComparedModel]
    recommendation: list[Advice]
