"""What to train."""

from dataclasses import dataclass, field
from typing import Any

from ..models.own import named_kind
from ..settings.check import SEED, check
from ..settings.data import DataConfig
from ..settings.kinds import SIZES, AnyKind, SizeChoice
from ..settings.models import ModelConfig
from ..settings.presets import model_preset, override
from ..settings.training import Budget
from ..system.records import Record


@dataclass(frozen=True)
class TrainRequest(Record):
    """What to train: the user's words, before the text has decided what they left open.

    Raises:
        ConfigError: a value is of another type, or a class of the user's cannot be used.
    """

    kind: AnyKind
    """"ngram", "rnn", "gru", "lstm", "mingru" or "transformer"; or a class of yours, as it is or by
    its name "module:Class", which imports that module."""
    data: DataConfig
    size: SizeChoice = "auto"
    """"small", "medium", "large", or by the budget, the text and the speed of this machine."""
    budget: Budget = field(default_factory=lambda: Budget(600, "seconds"))
    """How long to train; default: ten minutes."""
    seed: int = 0
    """Of initialization, dropout and the order of the text."""
    model_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of the model's configuration that the user set."""
    train_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig that the user set."""
    search: bool = False
    """Whether a part of the budget goes into choosing the learning rate."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", named_kind(self.kind))
        check(self, (SEED, "seed"))

    def model_config(self, vocab_size: int) -> ModelConfig:
        """The preset with the user's settings; of the first size where that is open."""
        size = SIZES[0] if self.size == "auto" else self.size
        return override(model_preset(self.kind, size, vocab_size), **self.model_settings)
