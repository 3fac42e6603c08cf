"""What layers remember, by task and length."""

from dataclasses import dataclass
from typing import Any, Literal

from ..system.records import Record, scalars
from .summary import Summarized, Summary


@dataclass(frozen=True)
class TriedRate(Record):
    """A learning rate in the race."""

    learning_rate: float
    loss: float | None
    """Mean of the last batches of its share; None: not a number."""


@dataclass(frozen=True)
class Trial(Record):
    """One kind of layer at one length of one task."""

    task: str
    length: int
    model: str
    measure: Literal["loss", "accuracy"]
    """Whether lower or higher scores are better."""
    score: float | None
    """On held-out sequences; None: not a number."""
    chance: float
    goal: float
    solved: bool
    num_parameters: int
    """Without the embedding."""
    state_size: int
    """Numbers kept of the past at the end of a sequence."""
    learning_rate: float
    tried: list[TriedRate]
    steps: int
    """Updates of the model that was kept."""
    seconds: float
    """Of the whole trial."""
    allowed: float | None
    """Seconds that it might take; None: it had a number of steps."""


@dataclass(frozen=True)
class TrialProgress(Record):
    """How far a trial is that still runs."""

    task: str
    length: int
    model: str
    fraction: float
    """Of the time or steps that it may take."""
    score: float | None
    """On held-out sequences; None: not looked at yet."""


@dataclass(frozen=True, repr=False)
class Probes(Summarized, Record):
    """All trials so far. What is not there failed at a shorter length, or was not asked for."""

    settings: dict[str, Any]
    """Everything that all trials share: others may not stand in the same file."""
    trials: list[Trial]

    def summary(self) -> Summary:
        """Which layer solved which task at which length."""
        headings = ("task", "length", "layer", "score", "measure", "solved")
        rows = [
            (row.task, row.length, row.model, row.score, row.measure, "yes" if row.solved else "no")
            for row in self.trials
        ]
        return Summary(f"{len(rows)} trials", headings, rows)

    def rows(self) -> list[dict[str, Any]]:
        """Every trial with its figures."""
        return [scalars(Trial, trial) for trial in self.trials]
