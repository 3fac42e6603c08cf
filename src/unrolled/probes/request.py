"""What is probed: names and sizes, without torch."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from ..errors import ConfigError
from ..report.words import Language
from ..settings.check import SEED, at_least, check
from ..settings.kinds import KINDS, KindName
from ..settings.models import GateInit, RecurrentInit
from ..settings.training import Budget

TaskName: TypeAlias = Literal["adding", "copy", "selective-copy", "recall", "parity"]
TASKS: tuple[TaskName, ...] = get_args(TaskName)
SHORTEST: dict[str, int] = {
    "adding": 2,
    "copy": 1,
    "selective-copy": 16,
    "recall": 16,
    "parity": 2,
}
"""Lengths below this leave no place for what the task asks."""
LONGEST = {"recall": 4095}
"""Lengths above this have more keys than there are symbols."""
BATCH_SIZES: dict[str, int] = {
    "adding": 64,
    "copy": 16,
    "selective-copy": 32,
    "recall": 32,
    "parity": 32,
}
"""Sequences in an update: few, as many updates matter more, but where one number is asked for."""
LENGTHS = (20, 50, 100)


@dataclass(frozen=True)
class Variant:
    """A kind of layer and how it begins."""

    kind: KindName
    gate_init: GateInit = "constant"
    """Chrono spreads the time scales up to the length of the sequence."""
    recurrent_init: RecurrentInit = "orthogonal"
    """Identity is that of an Elman layer with relu instead of tanh (Le et al. 2015)."""
    rate: float = 1e-3
    """Learning rate to begin the search with."""


CURES = {
    "rnn-identity": Variant("rnn", recurrent_init="identity", rate=3e-4),
    "gru-chrono": Variant("gru", gate_init="chrono", rate=5e-3),
    "lstm-uniform": Variant("lstm", gate_init="uniform", rate=5e-3),
    "lstm-chrono": Variant("lstm", gate_init="chrono", rate=4e-3),
    "mingru-chrono": Variant("mingru", gate_init="chrono", rate=3e-3),
}
PLAIN = {
    kind.name: Variant(kind.name, rate=kind.probe_learning_rate)
    for kind in KINDS.values()
    if kind.family != "ngram"
}
_ORDER = [*KINDS]
VARIANTS: dict[str, Variant] = dict(
    sorted((PLAIN | CURES).items(), key=lambda item: _ORDER.index(item[1].kind))
)
"""Each kind before its cures."""
MODELS = tuple(name for name in VARIANTS if name in PLAIN or name == "lstm-chrono")


@dataclass(frozen=True)
class ProbeRequest:
    """Which tasks, at which lengths, for which layers, and for how long.

    Raises:
        ConfigError: a name is unknown, or a value out of its range.
    """

    tasks: tuple[str, ...] = TASKS
    models: tuple[str, ...] = MODELS
    lengths: tuple[int, ...] = LENGTHS
    """Tried in rising order; a model that fails at one is not tried at longer ones."""
    budget: Budget = field(default_factory=lambda: Budget(600, "seconds"))
    """A time for everything, or tokens read in training by each trial: then it is repeatable."""
    num_parameters: int = 70_000
    """Of every model, its embedding not counted: the same for all."""
    batch_size: int | None = None
    """Sequences in an update; None: as suits the task."""
    seed: int = 0
    language: Language = "en"
    """Of the report."""

    def __post_init__(self) -> None:
        check(self)
        _names("tasks", self.tasks, TASKS)
        _names("models", self.models, tuple(VARIANTS))
        if not self.lengths:
            raise ConfigError("lengths", "given", "none", "Use for example --lengths 20 50.")
        for task in self.tasks:
            shortest = SHORTEST[task]
            if (least := min(self.lengths)) < shortest:
                rule = f"{shortest} or more for {task}"
                raise ConfigError("lengths", rule, least, "Leave out the shorter ones.")
            most = LONGEST.get(task)
            if most is not None and max(self.lengths) > most:
                rule = f"{most} or less for {task}"
                raise ConfigError("lengths", rule, max(self.lengths), "Leave out the longer ones.")
        if self.budget.unit == "seconds" and self.budget.amount < self.num_trials:
            rule = f"at least {self.num_trials}s for {self.num_trials} trials"
            raise ConfigError("budget", rule, self.budget, "Give more time, or ask for less.")
        check(
            self,
            (at_least(2000), "num_parameters"),
            (at_least(1, "Use for example 32."), "batch_size"),
            (SEED, "seed"),
        )
        if self.budget.unit == "epochs":
            remedy = "Their data is endless: use for example 10m or 2Mtokens."
            raise ConfigError("budget", "a time or tokens for probes", self.budget, remedy)

    @property
    def num_trials(self) -> int:
        """Most trials that it comes to."""
        return len(set(self.tasks)) * len(set(self.models)) * len(set(self.lengths))

    def sequences(self, task: str) -> int:
        """B, for a task."""
        return BATCH_SIZES[task] if self.batch_size is None else self.batch_size


def _names(name: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    if not given:
        raise ConfigError(name, "given", "none", f"Use for example {known[0]}.")
    for value in given:
        if value not in known:
            raise ConfigError(name, f"among {', '.join(known)}", value, "Correct its name.")
