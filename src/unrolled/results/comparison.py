"""What a comparison found."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..settings.training import Budget
from ..system.records import Record, scalars
from .loss import Baseline
from .summary import Figure, Summarized, Summary


@dataclass(frozen=True)
class CurvePoint(Record):
    """One look at a model during training, in bits per byte; an n-gram has one."""

    seconds: float
    tokens: float
    train: float | None
    valid: float | None


@dataclass(frozen=True)
class Position(Record):
    """Mean cost of the tokens that stand `position` or more (below the next one) in the context."""

    position: int
    bits_per_byte: float | None


@dataclass(frozen=True)
class TriedRate(Record):
    """What one learning rate reached in the search."""

    learning_rate: float
    bits_per_byte: float | None


@dataclass(frozen=True)
class Difference(Record):
    """What a model needs more than another, in bits per byte, and how sure that is."""

    bits_per_byte: float
    margin: float
    """The 95 % interval reaches so far on each side."""

    @property
    def is_tie(self) -> bool:
        """Whether the two models cannot be told apart."""
        return not abs(self.bits_per_byte) > self.margin


Doubt: TypeAlias = Literal["hardly trained", "no better than its start"]


@dataclass(frozen=True)
class ComparedModel(Record):
    """One trained model; None and figures that are not finite are shown as a dash."""

    name: str
    """Its kind, as `--models` takes it."""
    run: str
    """Its folder, of the first seed."""
    bits_per_byte: float | None
    """Of the split, mean over the seeds."""
    spread: float | None = None
    """Standard deviation of that over the seeds; None: there is one."""
    seeds: list[float] = field(default_factory=list)
    """Bits per byte of each seed."""
    perplexity: float | None = None
    """Per token."""
    perplexity_per_word: float | None = None
    """None: the text has no spaces between words."""
    closed_vocabulary: bool = False
    """Whether the perplexity per token leaves unknown symbols unspelled."""
    num_parameters: int | None = None
    train_tokens_per_second: float | None = None
    score_tokens_per_second: float | None = None
    generate_tokens_per_second: float | None = None
    peak_bytes: float | None = None
    """Most memory that the training held."""
    file_bytes: float | None = None
    train_seconds: float | None = None
    learning_rate: float | None = None
    tried_learning_rates: list[TriedRate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is to be known of an n-gram's counts."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the model and of its training."""
    curve: list[CurvePoint] = field(default_factory=list)
    loss_by_position: list[Position] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    """Texts that the model wrote."""
    num_updates: int | None = None
    """Of a network."""
    doubt: Doubt | None = None
    """Why it is not ranked: what it reached says nothing about its kind."""
    behind: Difference | None = None
    """To the best model; None of that itself, and of what is not ranked."""
    others_share: float | None = None
    """Of the processor time that there was in its training, what went to other programs."""


@dataclass(frozen=True)
class Disturbance(Record):
    """What of the processor time other programs took while the networks had their turns."""

    share: float
    """Mean over the networks, from 0 to 1."""
    most: float
    model: str
    """The one whose turns were disturbed most."""


Purpose: TypeAlias = Literal["quality", "speed", "size", "length"]


@dataclass(frozen=True, kw_only=True)
class Advice(Record):
    """The model to take for one purpose, and the figures that say why."""

    purpose: Purpose
    model: str
    figure: float
    """Bits per byte for quality and length, tokens scored per second, or bytes of the file."""
    rival: str | None = None
    """The next best in quality; where another is faster or smaller, the best in quality."""
    rival_figure: float | None = None
    behind: Difference | None = None
    """What the next best in quality needs more."""
    cost: float | None = None
    """Bits per byte more than the best in quality needs."""
    has_no_equal: bool = False
    """Whether no other model comes near the quality of the best."""
    position: int | None = None
    """Of advice on length: tokens read before; the figure is the cost from there on."""
    near_position: int | None = None
    near_figure: float | None = None
    """The cost where only so few tokens were read."""


@dataclass(frozen=True, repr=False)
class Comparison(Summarized, Record):
    """Models on one text under one budget, the best first, and which to take for what."""

    title: str
    """Name of the text."""
    conditions: dict[str, str | float]
    """What the figures depend on: text, budget, precision, machine, versions."""
    split: str
    """"test", or "valid" where there is no test split."""
    baselines: list[Baseline]
    """Models without training, and the n-gram where it is not compared itself."""
    models: list[ComparedModel]
    """The best first, those in doubt last."""
    recommendation: list[Advice]
    """One for each purpose that a model can be recommended for."""
    disturbance: Disturbance | None = None
    """Where other programs took much of the processor while networks trained."""
    budget: Budget | None = None
    """Of the whole comparison, or where it is no time, of each network."""
    share: Budget | None = None
    """Of each network."""
    cut_short: float | None = None
    """Part of its share that every network had when the comparison was stopped: the figures are
    of validation text, the weights those in the folders. None: it is complete."""

    def summary(self) -> Summary:
        """The models, the best first, what each is recommended for, and the baselines."""
        headings = (
            "model",
            "bits/byte",
            "perplexity",
            "parameters",
            "train tokens/s",
            "take it for",
        )
        rows: list[tuple[Figure, ...]] = [
            (
                *(model.name, model.bits_per_byte, model.perplexity, model.num_parameters),
                *(model.train_tokens_per_second, self._purposes(model.name)),
            )
            for model in self.models
        ]
        rows += [(row.name, row.bits_per_byte, None, None, None, "") for row in self.baselines]
        return Summary(f"{self.title}, {self.split} split", headings, rows)

    def rows(self) -> list[dict[str, Any]]:
        """The models, the best first, and the baselines, with the figures of `ComparedModel`."""
        text = {"title": self.title, "split": self.split}
        models = [
            text
            | {"role": "model"}
            | scalars(ComparedModel, model)
            | {"num_seeds": len(model.seeds) or None}
            for model in self.models
        ]
        empty = scalars(ComparedModel, None) | {"num_seeds": None}
        baselines = [
            text | {"role": "baseline"} | empty | scalars(Baseline, row) for row in self.baselines
        ]
        return [*models, *baselines]

    def _purposes(self, model: str) -> str:
        return ", ".join(row.purpose for row in self.recommendation if row.model == model)
