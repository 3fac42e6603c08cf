"""What a model is built from: one dataclass per family."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ..errors import ConfigError
from ..system.records import Record
from .check import check_choice
from .kinds import RECURRENT, RecurrentName, is_unused

RecurrentInit: TypeAlias = Literal["orthogonal", "identity"]
GateInit: TypeAlias = Literal["constant", "uniform", "chrono"]
Connections: TypeAlias = Literal["none", "residual", "sum"]
Pooling: TypeAlias = Literal["last", "max", "mean", "all"]

SMALL_VOCABULARY = 1000
"""Up to here symbols are letters or bytes, each of them seen all the time."""

MAX_ORDER = 8
"""Of an n-gram."""


@dataclass(frozen=True)
class NgramConfig(Record):
    """Interpolated modified Kneser-Ney."""

    order: int = 5
    """Longest n-gram, 1 to 8."""

    kind: Literal["ngram"] = "ngram"


@dataclass(frozen=True)
class RecurrentConfig(Record):
    """Embedding, L recurrent layers with carried state, projection, tied softmax."""

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


@dataclass(frozen=True)
class TransformerConfig(Record):
    """Decoder with RMSNorm, rotary positions, SwiGLU and a sliding window of keys and values.

    Queries and keys are normalized.
    """

    kind: Literal["transformer"] = "transformer"
    hidden_size: int = 256
    num_layers: int = 4
    num_heads: int = 4
    context: int = 128
    """Tokens before the present one that a layer can attend to."""
    dropout: float = 0.0


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
        check_choice("kind", self.kind, RECURRENT)
        check_choice("pooling", self.pooling, get_args(Pooling))
        if not self.hidden_sizes or min(self.hidden_sizes) < 1:
            raise ConfigError("hidden_sizes", "one or more widths", self.hidden_sizes, "Write 128.")
        if self.embedding_size < 1:
            raise ConfigError("embedding_size", "at least 1", self.embedding_size, "Write 128.")
        if self.weight_dropout and is_unused(self.kind, "weight_dropout"):
            rule, remedy = f"left at 0.0 for {self.kind}", "It has nothing that this could act on."
            raise ConfigError("weight_dropout", rule, self.weight_dropout, remedy)
        for name in ("dropout", "word_dropout", "hidden_dropout", "weight_dropout"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise ConfigError(name, "at least 0 and below 1", value, "Use for example 0.3.")


ModelConfig: TypeAlias = NgramConfig | RecurrentConfig | TransformerConfig
