"""What several commands share: flags, as dataclasses that cyclopts flattens, and reading files.

Standard input is read where a file is called "-".
"""

import itertools
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from cyclopts import CycloptsError, Parameter

from ..errors import ConfigError, TextError
from ..settings.data import DataConfig, DocumentKind, TokenizerKind
from ..settings.kinds import kinds_with
from ..settings.models import Connections, GateInit, RecurrentInit

Texts = Annotated[
    list[str],
    Parameter(
        name="TEXT",
        negative=(),
        allow_leading_hyphen=True,
        show_default=False,
        help="Files or folders of text; - for stdin.",
    ),
]


Files = Annotated[
    tuple[str, ...], Parameter(negative=(), consume_multiple=True, show_default=False)
]


@Parameter(name="*", group="Text")
@dataclass(frozen=True)
class GivenTexts:
    """How text is found in the given files, where it differs from the run's."""

    column: str | None = None
    """Column with the text, by name or position, in csv, tsv, jsonl and parquet; default: as in
    training."""
    documents: DocumentKind | None = None
    """Whether a whole file or each line of it is one document; default: as in training."""


@Parameter(name="*", group="Text")
@dataclass(frozen=True)
class DataOptions:
    """How text becomes tokens and splits."""

    column: str | None = None
    """Column with the text, by name or position, in csv, tsv, jsonl and parquet."""
    documents: DocumentKind = "file"
    """Whether a whole file or each line of it is one document."""
    valid: Files = ()
    """Files of a given validation split."""
    test: Files = ()
    """Files of a given test split."""
    valid_fraction: float | None = DataConfig.valid_fraction
    """Part of the text for validation if --valid is not given; default: 5 %, at most 500 kB."""
    test_fraction: float | None = DataConfig.test_fraction
    """Part of the text for the test if --test is not given; default: the same; 0: none."""
    tokenizer: TokenizerKind = "auto"
    """Symbols to read; auto chooses by script and size of the text."""
    vocab_size: int | None = None
    """Most symbols to keep, for word and bpe."""

    def config(self, texts: list[str]) -> DataConfig:
        """The library's form of these flags."""
        return DataConfig(tuple(texts), **vars(self))


def _of(setting: str, meaning: str) -> str:
    """Help of a setting that only some kinds of layer have."""
    return f"Of {kinds_with(setting)}: {meaning}"


@Parameter(name="*", group="Model")
@dataclass(frozen=True)
class ModelOptions:
    """Overrides of what --size chooses; only those that the kind of model has."""

    order: int | None = None
    """Longest n-gram, 1 to 8."""
    hidden_size: int | None = None
    """Width of the recurrent or Transformer layers."""
    num_layers: int | None = None
    """Layers on top of each other."""
    embedding_size: int | None = None
    """Width of a symbol's vector, of recurrent models."""
    nonlinearity: Literal["tanh", "relu"] | None = None
    """Of the Elman RNN."""
    num_heads: int | None = None
    """Attention heads of the Transformer; they divide the width."""
    context: int | None = None
    """Tokens that a Transformer layer can look back."""
    dropout: float | None = None
    """Of the Transformer."""
    input_dropout: float | None = None
    """Of recurrent models: on what the first layer reads."""
    hidden_dropout: float | None = None
    """Of recurrent models: between layers."""
    output_dropout: float | None = None
    """Of recurrent models: on what the softmax reads."""
    embedding_dropout: float | None = None
    """Of recurrent models: share of the symbols that are left out of a step."""
    weight_dropout: float | None = None
    """Of recurrent models: on the weights from one time step to the next."""
    state_dropout: Annotated[
        float | None,
        Parameter(
            help=_of(
                "state_dropout", "on the state that a step reads, the same units at every step."
            )
        ),
    ] = None
    zoneout: Annotated[
        float | None,
        Parameter(help=_of("zoneout", "probability that a unit keeps its state for a step.")),
    ] = None
    layer_norm: Annotated[
        bool | None,
        Parameter(negative=(), help=_of("layer_norm", "normalize what a cell adds up.")),
    ] = None
    recurrent_init: Annotated[
        RecurrentInit | None,
        Parameter(help=_of("recurrent_init", "what the recurrent matrix starts as.")),
    ] = None
    forget_bias: Annotated[
        float | None,
        Parameter(
            help=_of(
                "forget_bias", "where the gate that keeps the state starts; more keeps longer."
            )
        ),
    ] = None
    gate_init: Annotated[
        GateInit | None,
        Parameter(
            help=_of(
                "gate_init", "how that bias is spread; chrono: time scales up to --max-timescale."
            )
        ),
    ] = None
    max_timescale: int | None = None
    """Of --gate-init chrono, in tokens."""
    connections: Connections | None = None
    """Of recurrent models: layers add what they read, or the softmax reads the sum of all."""
    attention: int | None = None
    """Of recurrent models: past outputs that one attention head looks back over."""
    lookahead: float | None = None
    """Of recurrent models: weight of also predicting the token after the next in training."""


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class TrainOptions:
    """Overrides of the training preset."""

    learning_rate: float | None = None
    """Peak of the schedule: up, flat, down to zero at the end of the budget."""
    batch_size: int | None = None
    """Lanes of text read side by side."""
    sequence_length: int | None = None
    """Tokens per lane and update: how far gradients reach back."""
    candidates: int | None = None
    """Tokens that stand for a large vocabulary in a step; 0: the whole of it."""
    weight_decay: float | None = None
    """Of AdamW, on matrices."""
    clip_norm: float | None = None
    """Largest norm of the gradient."""
    clip_value: float | None = None
    """Largest single entry of the gradient, clipped before the norm; 0: not clipped."""
    carry_state: bool | None = None
    """Whether a piece of text begins with the state that the one before it left."""
    length_variation: float | None = None
    """By what part the length of a piece varies around --sequence-length."""
    beta1: float | None = None
    """Of AdamW."""
    beta2: float | None = None
    """Of AdamW."""
    decay_fraction: float | None = None
    """Part of the budget over which the learning rate falls."""
    average_fraction: float | None = None
    """Last part of the budget over which weights are averaged."""
    precision: Literal["float32", "bfloat16"] | None = None
    """Of matrix products; default: the faster one here."""
    threads: int | None = None
    """Default: the faster of one and all."""
    checkpoint_seconds: float | None = None
    """Time between checkpoints."""


def required(texts: list[str], name: str = "TEXT") -> list[str]:
    """The texts, of which there has to be one; "-" may stand among them, other flags may not."""
    for text in texts:
        if text.startswith("-") and text != "-":
            raise CycloptsError(msg=f"Unknown option: {text}. See --help.")
    if not texts:
        raise ConfigError(name, "given", "none", "Name files or folders, or - for stdin.")
    return texts


def given(options: object) -> dict[str, object]:
    """The flags that the user set."""
    return {name: value for name, value in vars(options).items() if value is not None}


STANDARD_INPUT = "-"


@contextmanager
def saved_input(config: DataConfig, out: Path | None = None) -> Iterator[DataConfig]:
    """Saves standard input, where it is asked for, in a file for the time of a command.

    Args:
        config: May have "-" among its texts.
        out: What the command writes; the file is on the same disk, which has to be large enough
            for the text anyway. Default: where temporary files are.

    Yields:
        The configuration with the file in place of "-".
    """
    if STANDARD_INPUT not in (*config.texts, *config.valid, *config.test):
        yield config
        return
    folder = out and next(parent for parent in out.absolute().parents if parent.is_dir())
    with TemporaryDirectory(prefix=".unrolled-", dir=folder) as temporary:
        path = Path(temporary) / "standard-input"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)

        def named(texts: Sequence[str]) -> tuple[str, ...]:
            return tuple(str(path) if text == STANDARD_INPUT else text for text in texts)

        yield replace(
            config, texts=named(config.texts), valid=named(config.valid), test=named(config.test)
        )


def name_of(file: str) -> str:
    """What a file is called in messages."""
    return "standard input" if file == STANDARD_INPUT else Path(file).name


def read_sentences(file: str, column: str | None = None) -> Iterator[str]:
    """The texts of a file or of "-", blank ones left out.

    Raises:
        TextError: there is none, or the file cannot be read.
    """
    sentences = read_lines() if file == STANDARD_INPUT else _rows(file, column)
    visible = (sentence for sentence in sentences if sentence.strip())
    first = next(visible, None)
    if first is None:
        raise TextError(name_of(file), "holds no sentence", "Give one per line.")
    return itertools.chain([first], visible)


def read_lines() -> Iterator[str]:
    """Lines of standard input as they come, without their ends.

    Raises:
        TextError: a line is not UTF-8.
    """
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            source = f"line {number} of standard input"
            raise TextError(source, "is not UTF-8", "Convert it, or give a file.") from None


def _rows(file: str, column: str | None) -> Iterator[str]:
    """Lines of a text or cells of a table in any encoding."""
    from ..text.documents import read_documents
    from ..text.files import find_files

    yield from read_documents(find_files([file]), column, documents="line")
