"""What a trained model reached, and what it costs to use."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..system.records import Record
from .comparison import Position
from .loss import Evaluation


@dataclass(frozen=True, kw_only=True, repr=False)
class RunResults(Evaluation):
    """The loss of the finished model on the split that it is judged by, and what it took."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("train_steps", "notes")

    split: str
    """"test", or "valid" where there is no test split."""
    num_parameters: int
    train_tokens: int
    """Read in training, each time that they were read."""
    train_steps: int | None = None
    """Updates of a network."""
    train_epochs: float
    train_tokens_per_second: float
    notes: list[str] = field(default_factory=list)
    """What is to be known of an n-gram's counts."""
    file_bytes: int
    peak_bytes: int
    """Most memory that the training held."""
    train_seconds: float
    seconds: float
    """With the evaluation."""


@dataclass(frozen=True)
class Measured(Record):
    """What a finished model costs to use, and how it behaves."""

    score_tokens_per_second: float
    generate_tokens_per_second: float
    loss_by_position: list[Position]
    samples: list[str]
    sampling: dict[str, Any]
    """Settings of the samples."""
