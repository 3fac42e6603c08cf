"""What the page of a diagnosis shows: plain values, as they stand in its results file."""

from typing import Any, Literal, NotRequired, TypedDict

VerdictKind = Literal["vanishing", "exploding", "healthy", "no gradient"]


class Flow(TypedDict):
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


class Gate(TypedDict):
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


class Dynamics(TypedDict):
    """The network as a dynamical system that text drives."""

    exponents: list[float]
    """Leading Lyapunov exponents, nats per token, greatest first."""
    radii: list[dict[str, Any]]
    """{"layer", "matrix", "radius"}: spectral radius of each recurrent matrix."""
    gates: list[Gate]
    dead: list[float]
    """Of each layer, the share of units that are 0 on all text (relu only; else [])."""


class ContextLoss(TypedDict):
    """Cost of the same tokens with so much context."""

    context: int
    bits: float
    """Bits per byte."""


class Perturbed(TypedDict):
    """What disturbing everything further back than `beyond` tokens costs."""

    kind: Literal["shuffled", "reversed", "replaced"]
    beyond: int
    bits: float
    """More bits per byte than with the true text."""


class Memory(TypedDict):
    """How much of its context a model uses."""

    name: str
    curve: list[ContextLoss]
    effective: float
    """Tokens of context from which on the cost is within 1 % of that with all of it."""
    effective_low: float
    effective_high: float
    """Ends of its 95 % bootstrap interval."""
    perturbed: list[Perturbed]
    repeated: dict[str, Any] | None
    """{"order", "num_repeated", "num_new", "repeated_bits", "new_bits"}: bits per token
    of those that complete a run of `order` tokens seen before in the context, and of the others."""


class GradientLook(TypedDict):
    """One look at the gradient during the training, from the run's log."""

    seconds: float
    tokens: float
    lags: list[int]
    shares: list[float]


class Tried(TypedDict):
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


class Cure(TypedDict):
    """Remedies, best first; `untreated` is the model as it was, trained as briefly."""

    budget: str
    """Of each trial."""
    untreated: Tried
    tried: list[Tried]
    test: dict[str, float] | None
    """{"untreated", "best"}: bits per byte on the test split, looked at once."""


class Verdict(TypedDict):
    """What the figures come to; report/diagnosis_words.py says it in words."""

    kind: VerdictKind
    layer: int | None
    horizon: int | None
    """Lag after which less than 1 % is left, in the layer and on the path that keep most."""
    half_life: float | None
    rate: float | None
    growth: float | None
    """Greatest share at any lag: above 1 it grows on the way back."""
    arrives: NotRequired[float]
    """Of a classifier: what arrives at the first word, as a part of the greatest."""


class Diagnosis(TypedDict):
    """Everything that the page shows; what is left out, None or empty has no section."""

    title: str
    model: str
    """Kind of model: "rnn", "lstm", "transformer", ..."""
    verdict: Verdict
    flows: list[Flow]
    dynamics: Dynamics | None
    memory: list[Memory]
    """The model's own first, then its baselines'."""
    history: list[GradientLook]
    words: NotRequired[dict[str, Any] | None]
    """Of a classifier: {"positions", "shares", "length", "padded_to"}: gradient at the embedded
    word of each position as a part of the greatest, padding included; None: not padded."""
    cure: Cure | None
    conditions: dict[str, Any]
