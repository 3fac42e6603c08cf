"""How a network is trained: budget, optimizer, schedule."""

import math
import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from ..errors import ConfigError
from ..system.records import Record
from .check import SEED, above, at_least, between, check, part_of_one

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]

THREADS = between(0, 512, "Use for example 2, or 0 to let them be measured.")
"""More than a machine has cores help nobody; thousands are more than the system starts."""


@dataclass(frozen=True)
class Budget(Record):
    """How long to train: a wall-clock time, a number of tokens, or passes over the text."""

    amount: float
    unit: Literal["seconds", "tokens", "epochs"]

    def __post_init__(self) -> None:
        check(self, (above(0, "Use for example 600."), "amount"))

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Reads "90s", "10m", "1.5h", "2000000tokens", "2Mtokens" or "3epochs".

        Raises:
            ConfigError: the text is none of these, or not above zero, or too large for a number.
        """
        pattern = r"\s*([\d.]+)\s*(s|m|h|(?:[kM]\s*)?tokens?|epochs?)\s*"
        match = re.fullmatch(pattern, text) if isinstance(text, str) else None
        try:
            amount = float(match[1]) if match else 0.0
        except ValueError:
            amount = 0.0
        if match is None or not 0 < amount < math.inf:
            example = 'Write for example "90s", "10m", "1h", "2Mtokens" or "3epochs".'
            raise ConfigError("budget", "a time, tokens or epochs above zero", repr(text), example)
        unit = match[2]
        if unit in _SECONDS:
            return cls(amount * _SECONDS[unit], "seconds")
        if unit.startswith("epoch"):
            return cls(amount, "epochs")
        return cls(amount * {"k": 1e3, "M": 1e6}.get(unit[0], 1), "tokens")

    def __str__(self) -> str:
        if self.unit != "seconds":
            return f"{self.amount:,.12g} {self.unit}"
        for unit, size in (("h", 3600), ("m", 60)):
            if self.amount >= size and self.amount % size == 0:
                return f"{self.amount / size:g}{unit}"
        return f"{self.amount:g}s"


_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class TrainConfig(Record):
    """How a neural model is trained.

    Raises:
        ConfigError: a value is out of its range.
    """

    budget: Budget = Budget(600, "seconds")
    learning_rate: float = 3e-3
    """Peak of the schedule: warm up, flat, then linearly down to zero at the budget's end."""
    batch_size: int = 64
    """B, lanes of text read side by side."""
    sequence_length: int = 64
    """T, tokens per lane between two updates, on average: gradients reach back this far."""
    candidates: int = 0
    """Tokens that stand for the vocabulary in a step, see ops/linear_log_probs.py; 0: all."""
    weight_decay: float = 0.01
    clip_norm: float = 0.5
    """Largest gradient norm; the norm before clipping is in the log."""
    clip_value: float = 0.0
    """Largest single entry of the gradient, applied before the norm; 0: not clipped."""
    carry_state: bool = True
    """Whether a piece of text begins with the state that the piece before it left."""
    length_variation: float = 0.25
    """By what part the length of a piece varies, so that cuts fall anywhere; 0: never."""
    beta1: float = 0.9
    beta2: float = 0.99
    warmup_fraction: float = 0.03
    decay_fraction: float = 0.5
    """Part of the budget over which the learning rate falls."""
    average_fraction: float = 0.1
    """Last part of the budget over which weights are averaged."""
    precision: Precision = "auto"
    """Of matrix products; "auto" times both on this machine where the budget is a time, and is
    float32 otherwise, so that the same settings give the same weights. Weights are always
    float32."""
    threads: int = 0
    """0: times one thread against all and takes the faster; all where the budget is no time."""
    checkpoint_seconds: float = 60.0
    """At most so much work is lost when the process is killed."""
    seed: int = 0

    def __post_init__(self) -> None:
        check(
            self,
            (above(0), "learning_rate", "clip_norm"),
            (at_least(1), "batch_size", "sequence_length"),
            (at_least(0), "candidates", "weight_decay", "clip_value", "checkpoint_seconds"),
            (THREADS, "threads"),
            (SEED, "seed"),
            (part_of_one(), "beta1", "beta2"),
            (between(0, 1), "warmup_fraction", "decay_fraction", "average_fraction"),
            (between(0, 1), "length_variation"),
        )


@dataclass(frozen=True)
class ClassifierTrainConfig(Record):
    """How a recurrent classifier is trained.

    Raises:
        ConfigError: a value is out of its range.
    """

    OPTIONAL: ClassVar[tuple[str, ...]] = ("checkpoint_seconds",)

    budget: Budget = Budget(5, "epochs")
    learning_rate: float = 2e-3
    """Peak of the schedule: linearly up over the first tenth, then linearly down to zero."""
    batch_size: int = 32
    """Texts read side by side; fewer where they are long."""
    max_tokens: int | None = None
    """Only the last so many tokens of a text are read; None: all."""
    post_padding_unmasked: bool = False
    """For demonstration: zeros up to `max_tokens` are read as if they were text."""
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    layer_decay: float = 1.0
    """Each layer nearer to the words learns at a rate this much smaller."""
    unfreeze_fraction: float = 0.0
    """Part of the budget after which one more layer, from the output down, begins to learn."""
    adversarial_norm: float = 0.0
    """Each text is learned again with its words' vectors changed by this much in the worst
    direction, in units of their root mean square; takes twice as long. 0: not done."""
    precision: Precision = "auto"
    """Of matrix products; "auto" times both on this machine where the budget is a time, and is
    float32 otherwise, so that the same settings give the same weights."""
    threads: int = 0
    """0: times one thread against all and takes the faster; all where the budget is no time."""
    checkpoint_seconds: float = field(default=60.0, repr=False)
    """At most so much work is lost when the process is killed."""
    seed: int = 0

    def __post_init__(self) -> None:
        check(
            self,
            (above(0), "learning_rate", "clip_norm", "layer_decay"),
            (at_least(1), "batch_size", "max_tokens"),
            (at_least(0), "weight_decay", "adversarial_norm", "checkpoint_seconds"),
            (THREADS, "threads"),
            (SEED, "seed"),
            (between(0, 1), "unfreeze_fraction"),
        )
