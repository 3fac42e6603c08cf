"""What an examination of a model found."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ..system.records import Record
from .interval import Interval
from .summary import Figure, Summarized, Summary

VerdictKind = Literal["vanishing", "exploding", "healthy", "no gradient"]


@dataclass(frozen=True)
class Flow(Record):
    """How much of the gradient of a loss arrives so many steps earlier, in one layer."""

    layer: int
    """1 is the layer nearest to the words."""
    path: Literal["hidden", "cell"]
    """Through h, or through the c of an LSTM."""
    lags: list[int]
    shares: list[float]
    """|dL_T/dh_{T-k}| / |dL_T/dh_T| of each lag k, averaged over text."""
    half_life: float | None
    """Steps until half is left; None: more than half is left at the last lag."""
    rate: float | None
    """Nats per step of the fitted exponential; below 0 it falls, above 0 it grows."""
    horizon: int | None
    """First lag with less than 1 % left; None: never."""
    half_life_interval: Interval | None = None
    horizon_interval: Interval | None = None
    """95 % bootstrap intervals over the choice of the places; an end that is None lies beyond the
    last lag. No interval: not computed, as while training, or the gradient is not finite."""


@dataclass(frozen=True)
class Gate(Record):
    """One gate of one layer over real text."""

    layer: int
    name: str
    """"input", "forget", "output"; "reset", "update"; "state" of an Elman layer."""
    mean: float
    closed: list[float]
    """Of each unit, the share of steps with the gate below 0.1 (a tanh state below -0.99)."""
    open: list[float]
    """The same above 0.9 (0.99)."""
    timescales: list[float]
    """Of the gate that keeps the state, -1 / log(mean) of each unit in tokens, rising; else []."""


@dataclass(frozen=True)
class SpectralRadius(Record):
    """Largest absolute eigenvalue of a recurrent matrix."""

    layer: int
    matrix: str
    """"recurrent", or the gate that it belongs to."""
    radius: float


@dataclass(frozen=True)
class Dynamics(Record):
    """The network as a dynamical system that text drives."""

    exponents: list[float]
    """Leading Lyapunov exponents, nats per token, greatest first."""
    radii: list[SpectralRadius]
    gates: list[Gate]
    dead: list[float]
    """Of each layer, the share of units that are 0 on all text (relu only; else [])."""


@dataclass(frozen=True)
class ContextLoss(Record):
    """Cost of the same tokens with so much context."""

    context: int
    bits: float
    """Bits per byte."""


@dataclass(frozen=True)
class Perturbed(Record):
    """What disturbing everything further back than `beyond` tokens costs."""

    kind: Literal["shuffled", "reversed", "replaced"]
    beyond: int
    bits: float
    """More bits per byte than with the true text."""


@dataclass(frozen=True)
class Repetition(Record):
    """Tokens that complete a run of `order` tokens seen before in the context, and the others."""

    order: int
    num_repeated: int
    num_new: int
    repeated_bits: float
    """Bits per token."""
    new_bits: float


@dataclass(frozen=True)
class Memory(Record):
    """How much of its context a model uses."""

    name: str
    curve: list[ContextLoss]
    effective: float
    """Tokens of context from which on the cost is within 1 % of that with all of it."""
    effective_low: float
    effective_high: float
    """Ends of its 95 % bootstrap interval."""
    perturbed: list[Perturbed]
    repeated: Repetition | None


@dataclass(frozen=True)
class GradientLook(Record):
    """One look at the gradient during the training, from the run's log."""

    seconds: float
    tokens: float
    lags: list[int]
    shares: list[float]


@dataclass(frozen=True)
class Tried(Record):
    """What one remedy changed in a short training."""

    name: str
    flags: str
    """As `unrolled train` takes it."""
    source: str
    bits_per_byte: float | None
    """Held-out; None where it diverged."""
    gain: float | None
    """Bits per byte less than without; below 0: worse."""
    half_life: float | None
    horizon: int | None
    effective: float | None
    tokens_per_second: float | None


@dataclass(frozen=True)
class FinalBits(Record):
    """Bits per byte on the test split, looked at once."""

    unchanged: float
    best: float


@dataclass(frozen=True)
class Cure(Record):
    """Remedies, best first; `unchanged` is the model as it was, trained as briefly."""

    budget: str
    """Of each trial."""
    unchanged: Tried
    tried: list[Tried]
    test: FinalBits | None


@dataclass(frozen=True)
class Verdict(Record):
    """What the figures come to; the report says it in words."""

    kind: VerdictKind
    layer: int | None = None
    horizon: int | None = None
    """Lag after which less than 1 % is left, in the layer and on the path that keep most."""
    half_life: float | None = None
    rate: float | None = None
    growth: float | None = None
    """Greatest share at any lag: above 1 it grows on the way back."""
    arrives: float | None = None
    """Of a classifier: what arrives at the first word, as a part of the greatest."""


@dataclass(frozen=True)
class WordFlow(Record):
    """How much of a classifier's gradient arrives at the word of each position."""

    positions: list[int]
    shares: list[float]
    """Of the gradient at the embedded words, as a part of the greatest; padding included."""
    length: int
    """Words of the text."""
    padded_to: int | None
    """None: not padded."""


@dataclass(frozen=True, repr=False)
class Diagnosis(Summarized, Record):
    """All figures of one examination; what is None or empty was not measured."""

    title: str
    model: str
    """Kind of model: "rnn", "lstm", "transformer", ..."""
    verdict: Verdict
    flows: list[Flow] = field(default_factory=list)
    dynamics: Dynamics | None = None
    memory: list[Memory] = field(default_factory=list)
    """The model's own first, then its baselines'."""
    history: list[GradientLook] = field(default_factory=list)
    words: WordFlow | None = None
    """Of a classifier."""
    cure: Cure | None = None
    conditions: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> Summary:
        """The verdict, the gradient in each layer, the context that is used, and the remedies."""
        rows: list[tuple[Figure, ...]] = []
        for flow in self.flows:
            place = f"layer {flow.layer}, {flow.path} path"
            half, gone = _written(flow.half_life_interval), _written(flow.horizon_interval)
            rows.append(
                (f"{place}: half of the gradient left after", flow.half_life, half, "steps")
            )
            rows.append((f"{place}: less than 1 % left after", flow.horizon, gone, "steps"))
        for row in self.memory:
            interval = _written(Interval(row.effective_low, row.effective_high))
            rows.append((f"context that {row.name} uses", row.effective, interval, "tokens"))
        for tried in self.cure.tried if self.cure is not None else ():
            rows.append((f"gained by {tried.name}", tried.gain, None, "bits/byte"))
        title = f"{self.model} on {self.title}: gradients {self.verdict.kind}"
        return Summary(title, ("measured", "figure", "95 % interval", "unit"), rows)


def _written(interval: Interval | None) -> str | None:
    """Both ends; nothing where the whole interval is beyond what was measured."""
    if interval is None or interval.low is None:
        return None
    high = "or more" if interval.high is None else f"to {interval.high:.3g}"
    return f"{interval.low:.3g} {high}"
