"""What to compare."""

from dataclasses import dataclass

from ..errors import ConfigError
from ..models.own import named_kind
from ..report.words import Language
from ..settings.check import check
from ..settings.kinds import COMPARED, AnyKind, Match
from ..training.request import TrainRequest


@dataclass(frozen=True)
class CompareRequest:
    """What to compare.

    Raises:
        ConfigError: a value is of another type.
    """

    train: TrainRequest
    """Text, size, settings and the whole budget; its kind and seed are replaced."""
    kinds: tuple[AnyKind, ...] = COMPARED
    """Default: all but "mingru"; classes of yours too, see `TrainRequest`."""
    num_seeds: int = 1
    """Trainings of each kind of network; the first one is kept at `<out>/<kind>`."""
    match: Match = "time"
    """What is held equal: the time of each network, the tokens that it reads, or the parameters
    that it has, in equal time."""
    language: Language = "en"
    """Of the report."""

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "kinds", tuple(map(named_kind, self.kinds)))
        for kind in self.kinds:
            if kind.startswith("__main__:"):  # a worker has another one
                remedy = "Move it there: each model is trained in a process of its own."
                raise ConfigError("model", "a class in a file that can be imported", kind, remedy)
