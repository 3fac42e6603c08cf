"""Every setting of a run: frozen dataclasses that become JSON and back."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from .errors import ConfigError

TokenizerKind: TypeAlias = Literal["auto", "byte", "char", "word", "bpe"]
DocumentKind: TypeAlias = Literal["file", "line"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
Size: TypeAlias = Literal["small", "medium", "large"]
RecurrentKind: TypeAlias = Literal["rnn", "gru", "lstm", "mingru"]
RecurrentInit: TypeAlias = Literal["orthogonal", "identity"]
GateInit: TypeAlias = Literal["constant", "uniform", "chrono"]
Connections: TypeAlias = Literal["none", "residual", "sum"]
Pooling: TypeAlias = Literal["last", "max", "mean", "all"]


SMALL_VOCABULARY = 1000
"""Up to here symbols are letters or bytes, each of them seen all the time."""


@dataclass(frozen=True)
class DataConfig:
    """Which text, how it is cut into documents, splits and tokens."""

    texts: tuple[str, ...] = ()
    """Files or folders, or "-" for standard input: the training text, or all of it."""
    valid: tuple[str, ...] = ()
    """Files of a given validation split; empty: a part of `texts`."""
    test: tuple[str, ...] = ()
    """Files of a given test split; empty: a part of `texts`."""
    column: str | None = None
    """Column that holds the text in csv, jsonl and parquet; None where there is only one."""
    documents: DocumentKind = "file"
    """What one document is in a plain text file; rows of tables are always documents."""
    tokenizer: TokenizerKind = "auto"
    """Symbols that the model reads."""
    vocab_size: int | None = None
    """Most symbols to keep (word, bpe); None: by the size of the text."""
    valid_fraction: float | None = None
    """Part of `texts` for validation where `valid` is empty; None: 5 %, at most 500 kB."""
    test_fraction: float | None = None
    """Part of `texts` for the test where `test` is empty; None: as above, 0: no test split."""


@dataclass(frozen=True)
class Budget:
    """How long to train: a wall-clock time, a number of tokens, or passes over the text."""

    amount: float
    unit: Literal["seconds", "tokens", "epochs"]

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Reads "90s", "10m", "1.5h", "2000000tokens", "2Mtokens" or "3epochs".

        Raises:
            ConfigError: the text is none of these, or not above zero, or too large for a number.
        """
        match = re.fullmatch(r"\s*([\d.]+)\s*(s|m|h|(?:[kM]\s*)?tokens?|epochs?)\s*", text)
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


MAX_ORDER = 8
"""Of an n-gram."""


@dataclass(frozen=True)
class NgramConfig:
    """Interpolated modified Kneser-Ney."""

    order: int = 5
    """Longest n-gram, 1 to 8."""

    kind: Literal["ngram"] = "ngram"


@dataclass(frozen=True)
class RecurrentConfig:
    """Embedding, L recurrent layers with carried state, projection, tied softmax."""

    kind: RecurrentKind = "lstm"
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


UNUSED: dict[str, tuple[str, ...]] = {
    "rnn": ("forget_bias", "gate_init", "max_timescale"),
    "gru": ("nonlinearity",),
    "lstm": ("nonlinearity",),
    "mingru": (
        *("nonlinearity", "weight_dropout", "state_dropout", "zoneout", "layer_norm"),
        "recurrent_init",
    ),
}
"""Settings of RecurrentConfig that a kind of layer has nothing for."""


@dataclass(frozen=True)
class TransformerConfig:
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
class ClassifierConfig:
    """A recurrent text classifier: embedding, layers in one or two directions, pooling, softmax.

    Raises:
        ConfigError: a value is out of its range.
    """

    vocab_size: int
    num_classes: int
    kind: RecurrentKind = "gru"
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
        check_choice("pooling", self.pooling, get_args(Pooling))
        if not self.hidden_sizes or min(self.hidden_sizes) < 1:
            raise ConfigError("hidden_sizes", "one or more widths", self.hidden_sizes, "Write 128.")
        if self.embedding_size < 1:
            raise ConfigError("embedding_size", "at least 1", self.embedding_size, "Write 128.")
        if self.kind == "mingru" and self.weight_dropout:
            rule, remedy = "left at 0.0 for mingru", "It has nothing that this could act on."
            raise ConfigError("weight_dropout", rule, self.weight_dropout, remedy)
        for name in ("dropout", "word_dropout", "hidden_dropout", "weight_dropout"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise ConfigError(name, "at least 0 and below 1", value, "Use for example 0.3.")


@dataclass(frozen=True)
class ClassifierTrainConfig:
    """How a recurrent classifier is trained.

    Raises:
        ConfigError: a value is out of its range.
    """

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
    """Of matrix products; "auto": bfloat16 where the processor multiplies it faster."""
    threads: int = 0
    """0: all."""
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)


ModelConfig: TypeAlias = NgramConfig | RecurrentConfig | TransformerConfig


@dataclass(frozen=True)
class TrainConfig:
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
    """Tokens that stand for the vocabulary in a step, see ops/sampled_log_probs.py; 0: all."""
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
    """Of matrix products; "auto" times both on this machine. Weights are always float32."""
    threads: int = 0
    """0: times one thread against all and takes the faster."""
    checkpoint_seconds: float = 60.0
    """At most so much work is lost when the process is killed."""
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)


RULES: tuple[tuple[tuple[str, ...], str, Callable[[float], bool]], ...] = (
    (("learning_rate", "clip_norm", "layer_decay"), "above 0", lambda value: 0 < value < math.inf),
    (("batch_size", "sequence_length", "max_tokens"), "1 or more", lambda value: value >= 1),
    (
        (
            *("candidates", "weight_decay", "clip_value", "adversarial_norm"),
            *("threads", "checkpoint_seconds", "seed"),
        ),
        "0 or more",
        lambda value: 0 <= value < math.inf,
    ),
    (("beta1", "beta2"), "at least 0 and below 1", lambda value: 0 <= value < 1),
    (
        (
            *("warmup_fraction", "decay_fraction", "average_fraction"),
            *("length_variation", "unfreeze_fraction"),
        ),
        "from 0 to 1",
        lambda value: 0 <= value <= 1,
    ),
)
"""What settings of training may be, in language models and classifiers; None is always allowed."""


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raises ConfigError unless a setting is one of some names."""
    if value not in choices:
        raise ConfigError(name, f"one of {', '.join(choices)}", value, "Choose one of these.")


def _check(config: TrainConfig | ClassifierTrainConfig) -> None:
    check_choice("precision", config.precision, get_args(Precision))
    for names, rule, holds in RULES:
        for name in names:
            value = getattr(config, name, None)
            if value is not None and not holds(value):
                default = getattr(type(config), name)
                remedy = f"Use for example {default}." if default is not None else "Leave it out."
                raise ConfigError(name, rule, value, remedy)


def data_config_from_dict(values: dict[str, Any]) -> DataConfig:
    """Rebuilds the configuration that `asdict` made and JSON has turned into lists."""
    names = ("texts", "valid", "test")
    return _from_dict(DataConfig, values | {name: tuple(values[name]) for name in names})


def model_config_from_dict(values: dict[str, Any]) -> ModelConfig:
    """Rebuilds the configuration that `asdict` made.

    Raises:
        ConfigError: it is of no known kind, or has a setting that its kind does not have.
    """
    kinds = {"ngram": NgramConfig, "transformer": TransformerConfig}
    kinds |= dict.fromkeys(("rnn", "gru", "lstm", "mingru"), RecurrentConfig)
    kind = values.get("kind")
    if kind not in kinds:
        rule = f"one of {', '.join(sorted(kinds))}"
        raise ConfigError("model", rule, kind, "Retrain, or mend config.json.")
    return _from_dict(kinds[kind], values)


def train_config_from_dict(values: dict[str, Any]) -> TrainConfig:
    """Rebuilds the configuration that `asdict` made.

    Raises:
        ConfigError: it has a setting that is unknown or out of its range.
    """
    return _from_dict(TrainConfig, {**values, "budget": Budget(**values["budget"])})


def classifier_config_from_dict(values: dict[str, Any]) -> ClassifierConfig:
    """Rebuilds the configuration that `asdict` made."""
    return _from_dict(ClassifierConfig, values | {"hidden_sizes": tuple(values["hidden_sizes"])})


def classifier_train_config_from_dict(values: dict[str, Any]) -> ClassifierTrainConfig:
    """Rebuilds the configuration that `asdict` made."""
    return _from_dict(ClassifierTrainConfig, values | {"budget": Budget(**values["budget"])})


def _from_dict(kind: type[Any], values: dict[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    for name in values.keys() - known:
        remedy = "Use the version of unrolled that wrote config.json, or mend it."
        raise ConfigError("a setting", f"one that {kind.__name__} has", name, remedy)
    return kind(**values)


__all__ = [
    "SMALL_VOCABULARY",
    "UNUSED",
    "Budget",
    "ClassifierConfig",
    "ClassifierTrainConfig",
    "Connections",
    "DataConfig",
    "DocumentKind",
    "GateInit",
    "ModelConfig",
    "NgramConfig",
    "Pooling",
    "Precision",
    "RecurrentConfig",
    "RecurrentInit",
    "RecurrentKind",
    "Size",
    "TokenizerKind",
    "TrainConfig",
    "TransformerConfig",
    "asdict",
    "check_choice",
    "classifier_config_from_dict",
    "classifier_train_config_from_dict",
    "data_config_from_dict",
    "model_config_from_dict",
    "train_config_from_dict",
]
