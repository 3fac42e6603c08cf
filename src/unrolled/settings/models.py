"""What a model is built from: one dataclass per family."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..errors import ConfigError
from ..system.records import Record
from .check import Rule, at_least, between, check, part_of_one
from .kinds import KINDS, RecurrentName, is_unused
from .own import check_kind

RecurrentInit: TypeAlias = Literal["orthogonal", "identity"]
GateInit: TypeAlias = Literal["constant", "uniform", "chrono"]
Connections: TypeAlias = Literal["none", "residual", "sum"]
Pooling: TypeAlias = Literal["last", "max", "mean", "all"]

SMALL_VOCABULARY = 1000
"""Up to here symbols are letters or bytes, each of them seen all the time."""

MAX_ORDER = 8
"""Of an n-gram."""
DROPOUT = part_of_one("Use for example 0.3.")


@dataclass(frozen=True)
class NgramConfig(Record):
    """Interpolated modified Kneser-Ney.

    Raises:
        ConfigError: the order is out of its range.
    """

    order: int = 5
    """Longest n-gram, 1 to 8."""

    kind: Literal["ngram"] = "ngram"

    def __post_init__(self) -> None:
        check(self, (between(1, MAX_ORDER), "order"))


@dataclass(frozen=True)
class RecurrentConfig(Record):
    """Embedding, L recurrent layers with carried state, projection, tied softmax.

    Raises:
        ConfigError: a value is out of its range, or one that the kind has no use for.
    """

    kind: RecurrentName = "lstm"
    embedding_size: int = 256
    """E, the width of the tied input and output embedding."""
    hidden_size: int = 512
    """H, the width of each recurrent layer."""
    num_layers: int = 1
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """Of the Elman RNN; GRU and LSTM have theirs."""
    input_dropout: float = 0.0
    """Locked dropout on the embedded input: one mask for all time steps."""
    hidden_dropout: float = 0.0
    """Locked dropout between layers."""
    output_dropout: float = 0.0
    """Locked dropout before the softmax."""
    embedding_dropout: float = 0.0
    """Share of the word types whose embedding is zeroed in a step."""
    weight_dropout: float = 0.0
    """Dropout of the recurrent weights, one mask for all time steps."""
    state_dropout: float = 0.0
    """Locked dropout on the state that a step reads (Gal & Ghahramani 2016)."""
    zoneout: float = 0.0
    """Probability that a unit keeps its state for a step (Krueger et al. 2017)."""
    layer_norm: bool = False
    """Whether what a cell adds up is normalized (Ba et al. 2016)."""
    recurrent_init: RecurrentInit = "orthogonal"
    """What the recurrent matrix starts as; identity with relu is Le et al. 2015."""
    forget_bias: float | None = None
    """Where the gate that keeps the state starts; None: 1 for LSTM, 0 for GRU and minGRU."""
    gate_init: GateInit = "constant"
    """How that bias is spread over the units: constant; uniform, so that what is kept is uniform in
    0 to 1 (Gu et al. 2020); chrono, time scales up to `max_timescale` (Tallec & Ollivier 2018)."""
    max_timescale: int = 100
    """Longest time scale of the chrono initialization, in tokens."""
    connections: Connections = "none"
    """residual: each layer adds what it read; sum: the softmax reads the sum of all layers."""
    attention: int = 0
    """Past states that one attention head looks back over; 0: no such head (Merity 2019)."""
    lookahead: float = 0.0
    """Weight of an auxiliary loss: a second projection predicts the token after the next."""

    def __post_init__(self) -> None:
        check(self)
        for name in KINDS[self.kind].unused:
            check_unused(self, name)
        check(
            self,
            (at_least(1), "embedding_size", "hidden_size", "num_layers"),
            (DROPOUT, "input_dropout", "hidden_dropout", "output_dropout", "embedding_dropout"),
            (DROPOUT, "weight_dropout", "state_dropout", "zoneout"),
            (between(-100, 100, "Use for example 1."), "forget_bias"),
            (at_least(2), "max_timescale"),
            (at_least(0, "Use for example 64, or 0 for no attention."), "attention"),
            (at_least(0, "Use for example 0.3."), "lookahead"),
        )
        if self.forget_bias is not None and self.gate_init != "constant":
            rule = f"left out for gate_init {self.gate_init}"
            raise ConfigError("forget_bias", rule, self.forget_bias, "Leave one of the two out.")
        if self.attention and self.hidden_size % 2:
            remedy = f"Use {self.hidden_size + 1}."
            raise ConfigError("hidden_size", "even for attention", self.hidden_size, remedy)


@dataclass(frozen=True)
class TransformerConfig(Record):
    """Decoder with RMSNorm, rotary positions, SwiGLU and a sliding window of keys and values.

    Queries and keys are normalized.

    Raises:
        ConfigError: a value is out of its range, or the heads do not divide the width.
    """

    kind: Literal["transformer"] = "transformer"
    hidden_size: int = 256
    num_layers: int = 4
    num_heads: int = 4
    context: int = 128
    """Tokens before the present one that a layer can attend to."""
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check(
            self,
            (at_least(1), "hidden_size", "num_layers", "num_heads", "context"),
            (DROPOUT, "dropout"),
        )
        step = 2 * self.num_heads
        if self.hidden_size % step:
            rule = f"a multiple of twice num_heads = {self.num_heads}"
            remedy = f"Use {step * max(1, self.hidden_size // step)}."
            raise ConfigError("hidden_size", rule, self.hidden_size, remedy)


@dataclass(frozen=True)
class ClassifierConfig(Record):
    """A recurrent text classifier: embedding, layers in one or two directions, pooling, softmax.

    Raises:
        ConfigError: a value is out of its range.
    """

    vocab_size: int
    num_classes: int
    kind: RecurrentName = "gru"
    embedding_size: int = 128
    hidden_sizes: tuple[int, ...] = (128,)
    """Width of each layer, from the words up."""
    bidirectional: bool = True
    """Whether other layers read each text from its end too."""
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """Of the Elman RNN; GRU and LSTM have theirs."""
    embedding_scale: float = 1.0
    """Embedded words are multiplied by this, as in the language model that they come from."""
    pooling: Pooling = "all"
    """What is made of the states of a text: the last, the greatest, the mean, or all three."""
    dropout: float = 0.4
    """On the pooled vector."""
    word_dropout: float = 0.1
    """Share of the words that are left out while training."""
    hidden_dropout: float = 0.2
    """Locked dropout between layers."""
    weight_dropout: float = 0.0
    """Dropout of the recurrent weights, one mask for all time steps."""

    def __post_init__(self) -> None:
        check(
            self,
            (Rule("one or more widths", lambda widths: min(widths, default=0) > 0), "hidden_sizes"),
            (at_least(1), "embedding_size"),
            (DROPOUT, "dropout", "word_dropout", "hidden_dropout", "weight_dropout"),
        )
        if is_unused(self.kind, "weight_dropout"):
            check_unused(self, "weight_dropout")


def check_unused(config: "RecurrentConfig | ClassifierConfig", name: str) -> None:
    """Raises ConfigError unless a setting that the kind of layer has no use for is left alone."""
    value, default = getattr(config, name), getattr(type(config), name)
    if value != default:
        rule = f"left at {default} for {config.kind}"
        raise ConfigError(name, rule, value, "It has nothing that this could act on.")


@dataclass(frozen=True)
class OwnConfig(Record):
    """A network of the user's, see settings/own.py.

    Raises:
        ConfigError: the name is not that of a class.
    """

    kind: str
    """"package.module:Class", or the name of an entry point."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What its constructor is given besides the size of the vocabulary."""

    def __post_init__(self) -> None:
        check(self)
        check_kind(self.kind)


ModelConfig: TypeAlias = NgramConfig | RecurrentConfig | TransformerConfig | OwnConfig


def flat_settings(config: ModelConfig) -> dict[str, Any]:
    """The settings of a model by name, its kind among them."""
    if isinstance(config, OwnConfig):
        return {"kind": config.kind, **config.settings}
    return config.to_json()
