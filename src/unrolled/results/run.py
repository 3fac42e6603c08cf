"""What a trained model reached, and what it costs to use."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..system.records import Record
from .comparison import Doubt, Position
from .loss import Evaluation

FEWEST_UPDATES = 50
"""With fewer a network is hardly trained: Adam's averages and the warm-up have only begun."""
LEAST_GAIN = 0.99
"""Of the loss that a network begins with, it has to come below this part."""
UNIGRAM = "unigram"
"""The baseline that a network's output bias begins as."""


@dataclass(frozen=True, kw_only=True, repr=False)
class RunResults(Evaluation):
    """The loss of the finished model on the split that it is judged by, and what it took."""

    OPTIONAL: ClassVar[tuple[str, ...]] = (*("train_steps", "notes", "others_share", "block_nats"),)

    split: str
    """"test", or "valid" where there is no test split."""
    num_parameters: int
    train_tokens: int
    """Read in training, each time that they were read."""
    train_steps: int | None = None
    """Updates of a network."""
    train_epochs: float
    train_tokens_per_second: float
    others_share: float | None = None
    """Of the processor time that there was in the training, what went to other programs."""
    block_nats: list[float] = field(default_factory=list)
    """What each of equally long parts of the split costs, in its order."""
    notes: list[str] = field(default_factory=list)
    """What is to be known of an n-gram's counts."""
    file_bytes: int
    peak_bytes: int
    """Most memory that the training held."""
    train_seconds: float
    seconds: float
    """With the evaluation."""

    @property
    def doubt(self) -> Doubt | None:
        """Why the loss says nothing about the kind of model, where it does not."""
        if self.train_steps is None:  # counted, not trained
            return None
        if self.train_steps < FEWEST_UPDATES:
            return "hardly trained"
        unigram = next((row.bits_per_byte for row in self.baselines if row.name == UNIGRAM), None)
        is_worse = unigram is not None and not self.bits_per_byte < LEAST_GAIN * unigram
        return "no better than its start" if is_worse else None


@dataclass(frozen=True)
class Measured(Record):
    """What a finished model costs to use, and how it behaves."""

    score_tokens_per_second: float
    generate_tokens_per_second: float
    loss_by_position: list[Position]
    samples: list[str]
    sampling: dict[str, Any]
    """Settings of the samples."""
