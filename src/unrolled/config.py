"""Every setting of a run: frozen dataclasses that become JSON and back."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias

from .errors import ConfigError

TokenizerKind: TypeAlias = Literal["auto", "byte", "char", "word", "bpe"]
DocumentKind: TypeAlias = Literal["file", "line"]
Size: TypeAlias = Literal["small", "medium", "large"]


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
    valid_fraction: float = 0.05
    """Part of `texts` for validation where `valid` is empty."""
    test_fraction: float = 0.05
    """Part of `texts` for the test where `test` is empty; 0: no test split."""


@dataclass(frozen=True)
class NgramConfig:
    """Interpolated modified Kneser-Ney."""

    order: int = 5
    """Longest n-gram, 1 to 8."""

    kind: Literal["ngram"] = "ngram"


@dataclass(frozen=True)
class RecurrentConfig:
    """Embedding, L recurrent layers with carried state, projection, tied softmax."""

    kind: Literal["rnn", "gru", "lstm"] = "lstm"
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


@dataclass(frozen=True)
class TransformerConfig:
    """Decoder with RMSNorm, rotary positions, SwiGLU and a sliding window of keys and values."""

    kind: Literal["transformer"] = "transformer"
    hidden_size: int = 256
    num_layers: int = 4
    num_heads: int = 4
    context: int = 256
    """Tokens before the present one that a layer can attend to."""
    dropout: float = 0.0


ModelConfig: TypeAlias = NgramConfig | RecurrentConfig | TransformerConfig


def model_config_from_dict(values: dict[str, Any]) -> ModelConfig:
    """Rebuilds the configuration that `asdict` made."""
    kind = values.get("kind")
    for config in (NgramConfig, RecurrentConfig, TransformerConfig):
        if kind in _kinds(config):
            return config(**values)
    raise ConfigError(
        "model", "one of ngram, rnn, gru, lstm, transformer", kind, "Retrain, or mend config.json."
    )


def _kinds(config: type) -> tuple[str, ...]:
    annotation = next(field.type for field in fields(config) if field.name == "kind")
    return annotation.__args__ if hasattr(annotation, "__args__") else (annotation,)


__all__ = [
    "DataConfig",
    "DocumentKind",
    "ModelConfig",
    "NgramConfig",
    "RecurrentConfig",
    "Size",
    "TokenizerKind",
    "TransformerConfig",
    "asdict",
    "model_config_from_dict",
]
