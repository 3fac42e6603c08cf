"""What happens in a training: the lines of log.jsonl, and what an `on_event` callback receives.

Losses are in the unit that an event names: bits per byte of language models, nats per text of
classifiers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict

from ..system.records import Record, from_json

Condition: TypeAlias = Literal["vanishing", "exploding", "diverging"]
LossUnit: TypeAlias = Literal["bits/byte", "nats/text"]


@dataclass(frozen=True, kw_only=True)
class _Event(Record):
    OPTIONAL: ClassVar[tuple[str, ...]] = ("run", "unit", "accuracy")

    kind: str
    run: str = ""
    """Which training it is of, where there are several."""


class Standing(TypedDict):
    """Where a training stands: what all its events begin with."""

    step: int
    tokens: int
    seconds: float
    fraction: float
    unit: LossUnit


@dataclass(frozen=True, kw_only=True)
class _Standing(_Event):
    step: int
    tokens: int
    """Read so far."""
    seconds: float
    fraction: float
    """Of the budget that is used up."""
    unit: LossUnit = "bits/byte"


@dataclass(frozen=True, kw_only=True)
class Message(_Event):
    """What is being done, in words; not in the log."""

    kind: Literal["text"] = "text"
    text: str


@dataclass(frozen=True, kw_only=True)
class Start(_Event):
    """A training begins at a step, or goes on from there; not in the log."""

    kind: Literal["start"] = "start"
    step: int
    text: str
    """What is going to happen."""


@dataclass(frozen=True, kw_only=True)
class TrainStep(_Standing):
    """One update."""

    kind: Literal["train"] = "train"
    train: float
    """Loss of its batch."""
    gradient_norm: float
    """Before clipping."""


@dataclass(frozen=True, kw_only=True)
class Validation(_Standing):
    """The model is measured on validation text."""

    kind: Literal["valid"] = "valid"
    train: float | None
    """Loss of the last batch; of a classifier, mean since the last validation. None before the
    first."""
    valid: float
    accuracy: float | None = None
    """Of a classifier, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class GradientNorms(_Standing):
    """Gradient norms since the last such event, before clipping."""

    kind: Literal["gradient"] = "gradient"
    norm_median: float
    norm_greatest: float
    clip_rate: float
    """Share of the updates whose gradient was clipped."""


@dataclass(frozen=True, kw_only=True)
class GradientFlow(GradientNorms):
    """Besides, how much of the gradient is left so many tokens earlier, where most is left."""

    layer: int
    path: Literal["hidden", "cell"]
    lags: list[int]
    shares: list[float]
    """|dL_T/dh_{T-k}| / |dL_T/dh_T| of each lag k."""
    half_life: float | None
    horizon: int | None
    look_seconds: float
    """What measuring it took."""


@dataclass(frozen=True, kw_only=True)
class Warned(_Standing):
    """Something is wrong; said once per condition and run."""

    kind: Literal["warning"] = "warning"
    condition: Condition
    text: str
    """What is wrong, and the step to take."""


@dataclass(frozen=True, kw_only=True)
class Paced(_Standing):
    """The speed had changed for long; precision and threads were measured again."""

    kind: Literal["pace"] = "pace"
    precision: str
    threads: int
    tokens_per_second: float
    """To be expected from now on."""
    text: str


@dataclass(frozen=True, kw_only=True)
class Diverged(_Standing):
    """The loss is not finite any more; the training ends with the best weights so far."""

    kind: Literal["diverged"] = "diverged"
    text: str


@dataclass(frozen=True, kw_only=True)
class End(_Standing):
    """The training is over."""

    kind: Literal["end"] = "end"
    valid: float
    """Loss of the weights that are kept, on validation text."""


@dataclass(frozen=True, kw_only=True)
class Failed(_Event):
    """A worker process could not carry out its training."""

    kind: Literal["error"] = "error"
    text: str


@dataclass(frozen=True, kw_only=True)
class Stopped(_Event):
    """A worker process was interrupted; everything is saved."""

    kind: Literal["interrupted"] = "interrupted"


@dataclass(frozen=True, kw_only=True)
class TurnOver(_Event):
    """A worker process waits for its next turn."""

    kind: Literal["turn"] = "turn"
    fraction: float
    """Of its budget that is used up."""


@dataclass(frozen=True, kw_only=True)
class RoundOver(_Event):
    """Every network of a comparison had its turn."""

    kind: Literal["round"] = "round"
    fraction: float
    """Of its budget that every network has used up."""
    ranking: list[str]
    """Models by their loss on validation text, the best first."""


LoggedEvent: TypeAlias = (
    TrainStep | Validation | GradientFlow | GradientNorms | Warned | Paced | Diverged | End
)
Event: TypeAlias = LoggedEvent | Message | Start | Failed | Stopped | TurnOver | RoundOver
OnEvent: TypeAlias = Callable[[Event], None]
Stop: TypeAlias = Callable[[], bool]
"""Asked now and then; once true, a training saves itself and raises `Interrupted`."""


Wait: TypeAlias = Callable[[float], None]
"""Called where a training may wait for its turn, with the part of its budget that is used up;
returns once it may go on, or raises `Interrupted`."""


class Interrupted(Exception):
    """A training was asked to stop; everything up to here is saved."""


def event_from_json(values: Any) -> Event:
    """Rebuilds an event.

    Raises:
        ValueError: it is none.
    """
    return from_json(Event, values, "event")


def named(on_event: OnEvent, run: str) -> OnEvent:
    """A callback that says of every event which training it is of."""
    return lambda event: on_event(replace(event, run=run))


def ignore(event: Event) -> None:
    """An `on_event` that does nothing."""


def never() -> bool:
    """A `stop` that never says so."""
    return False
