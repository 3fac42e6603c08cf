"""What to compare."""

from dataclasses import dataclass

from ..report.words import Language
from ..settings.check import check
from ..settings.kinds import COMPARED, KindName, Match
from ..training.language_model import TrainRequest


@dataclass(frozen=True)
class CompareRequest:
    """What to compare.

    Raises:
        ConfigError: a value is of another type.
    """

    train: TrainRequest
    """Text, size, settings and the whole budget; its kind and seed are replaced."""
    kinds: tuple[KindName, ...] = COMPARED
    """Default: all but "mingru"."""
    num_seeds: int = 1
    """Trainings of each kind of network; the first one is kept at `<out>/<kind>`."""
    match: Match = "time"
    """What is held equal: the time of each network, the tokens that it reads, or the parameters
    that it has, in equal time."""
    language: Language = "en"
    """Of the report."""

    def __post_init__(self) -> None:
        check(self)
