"""Flags that several commands share, as dataclasses that cyclopts flattens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..config import DataConfig, DocumentKind, TokenizerKind
from ..errors import ConfigError

Texts = Annotated[list[str], Parameter(negative=(), help="Files or folders of text; - for stdin.")]


@Parameter(name="*")
@dataclass(frozen=True)
class TextOptions:
    """How text is found in the given files."""

    column: str | None = None
    """Column with the text, by name or position, in csv, tsv, jsonl and parquet."""
    documents: DocumentKind = "file"
    """Whether a whole file or each line of it is one document."""


@Parameter(name="*")
@dataclass(frozen=True)
class DataOptions(TextOptions):
    """How text becomes tokens and splits."""

    valid: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """Files of a given validation split."""
    test: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """Files of a given test split."""
    valid_fraction: float = DataConfig.valid_fraction
    """Part of the text kept for validation where --valid is not given."""
    test_fraction: float = DataConfig.test_fraction
    """Part of the text kept for the test where --test is not given; 0: none."""
    tokenizer: TokenizerKind = "auto"
    """Symbols to read; auto chooses by script and size of the text."""
    vocab_size: int | None = None
    """Most symbols to keep, for word and bpe."""

    def config(self, texts: list[str]) -> DataConfig:
        """The library's form of these flags."""
        return DataConfig(tuple(texts), **vars(self))


@Parameter(name="*")
@dataclass(frozen=True)
class ModelOptions:
    """Overrides of what --size chooses; only those that the kind of model has."""

    order: int | None = None
    """Longest n-gram, 1 to 8."""
    hidden_size: int | None = None
    num_layers: int | None = None
    embedding_size: int | None = None
    nonlinearity: str | None = None
    """tanh or relu, for the Elman RNN."""
    num_heads: int | None = None
    context: int | None = None
    """Tokens that a Transformer layer can look back."""
    dropout: float | None = None
    input_dropout: float | None = None
    hidden_dropout: float | None = None
    output_dropout: float | None = None
    embedding_dropout: float | None = None
    weight_dropout: float | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class TrainOptions:
    """Overrides of the training preset."""

    learning_rate: float | None = None
    batch_size: int | None = None
    sequence_length: int | None = None
    weight_decay: float | None = None
    clip_norm: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    decay_fraction: float | None = None
    average_fraction: float | None = None
    precision: str | None = None
    """float32 or bfloat16; default: the faster one here."""
    threads: int | None = None
    checkpoint_seconds: float | None = None


def required(texts: list[str]) -> list[str]:
    """The texts, of which there has to be one."""
    if not texts:
        raise ConfigError("TEXT", "given", "none", "Name files or folders, or - for stdin.")
    return texts


def given(options: object) -> dict[str, object]:
    """The flags that the user set."""
    return {name: value for name, value in vars(options).items() if value is not None}


__all__ = [
    "DataOptions",
    "ModelOptions",
    "Path",
    "TextOptions",
    "Texts",
    "TrainOptions",
    "given",
    "required",
]
