"""What several commands share: flags, as dataclasses that cyclopts flattens, and standard input.

Standard input is read where a file is called "-".
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import CycloptsError, Parameter

from ..errors import ConfigError
from ..settings.data import DataConfig, DocumentKind, FileFormat, TokenizerKind
from ..settings.kinds import KindName, kinds_with
from ..settings.models import Connections, GateInit, RecurrentInit
from ..settings.own import check_kind

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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """What files do not say of themselves."""

    encoding: str | None = None
    """Encoding of the files: gb18030, big5, cp1252, ...; default: found out, and said."""
    delimiter: str | None = None
    """Delimiter of csv and tsv: one character, or \\t for a tab; default: found out."""
    header: bool | None = None
    """Whether the first line of csv and tsv names the columns; without, they are 0, 1, ..."""

    def file_format(self) -> FileFormat:
        """The library's form of these flags."""
        return FileFormat(encoding=self.encoding, delimiter=self.delimiter, header=self.header)


@Parameter(name="*", group="Text")
@dataclass(frozen=True)
class GivenTexts(FileOptions):
    """How to read the given files, where this differs from training."""

    column: str | None = None
    """Column with the text, by name or position, in csv, tsv, json, jsonl and parquet; default: as
    in training."""
    documents: DocumentKind | None = None
    """One document per file or per line; default: as in training."""


@Parameter(name="*", group="Text")
@dataclass(frozen=True)
class DataOptions(FileOptions):
    """How text becomes tokens and splits."""

    column: str | None = None
    """Column with the text, by name or position, in csv, tsv, json, jsonl and parquet."""
    documents: DocumentKind = "file"
    """One document per file or per line."""
    valid: Files = ()
    """Files to use as the validation split."""
    test: Files = ()
    """Files to use as the test split."""
    valid_fraction: float | None = DataConfig.valid_fraction
    """Fraction of the text for validation without --valid; default: 5 %, at most 500 kB."""
    test_fraction: float | None = DataConfig.test_fraction
    """Fraction of the text for the test without --test; default: the same; 0: none."""
    tokenizer: TokenizerKind = "auto"
    """Kind of token; auto chooses by script and size of the text."""
    vocab_size: int | None = None
    """Largest vocabulary, for word and bpe."""

    def config(self, texts: list[str]) -> DataConfig:
        """The library's form of these flags."""
        return DataConfig(tuple(texts), **vars(self))


def known_kinds(_: object, kinds: str | tuple[str, ...] | None) -> None:
    """Says that a flag names no kind of model, as cyclopts wants it."""
    try:
        for kind in (kinds,) if isinstance(kinds, str) else kinds or ():
            check_kind(kind)
    except ConfigError as error:
        raise ValueError(str(error)) from None


Kind = Annotated[KindName | str, Parameter(validator=known_kinds)]


def _for_kinds(setting: str, meaning: str) -> str:
    """Help of a setting that only some kinds of layer have."""
    return f"{meaning} ({kinds_with(setting)})."


@Parameter(name="*", group="Model")
@dataclass(frozen=True)
class ModelOptions:
    """Overrides of what --size chooses."""

    order: int | None = None
    """Longest n-gram, 1 to 8."""
    hidden_size: int | None = None
    """Hidden size of the recurrent or Transformer layers."""
    num_layers: int | None = None
    """Number of layers."""
    embedding_size: int | None = None
    """Embedding size of recurrent models."""
    nonlinearity: Literal["tanh", "relu"] | None = None
    """Nonlinearity of the Elman RNN."""
    num_heads: int | None = None
    """Attention heads of the Transformer; the hidden size is a multiple of twice this."""
    context: int | None = None
    """Attention window of a Transformer layer, in tokens."""
    dropout: float | None = None
    """Dropout of the Transformer."""
    input_dropout: float | None = None
    """Dropout of the first layer's input (recurrent models)."""
    hidden_dropout: float | None = None
    """Dropout between layers (recurrent models)."""
    output_dropout: float | None = None
    """Dropout of the softmax's input (recurrent models)."""
    embedding_dropout: float | None = None
    """Probability of zeroing a token's embedding for an update (recurrent models)."""
    weight_dropout: float | None = None
    """Dropout of the recurrent weights (recurrent models)."""
    state_dropout: Annotated[
        float | None,
        Parameter(
            help=_for_kinds(
                "state_dropout", "Dropout of the recurrent state, one mask for all time steps"
            )
        ),
    ] = None
    zoneout: Annotated[
        float | None,
        Parameter(
            help=_for_kinds("zoneout", "Probability that a unit keeps its previous state at a step")
        ),
    ] = None
    layer_norm: Annotated[
        bool | None,
        Parameter(negative=(), help=_for_kinds("layer_norm", "LayerNorm of the pre-activations")),
    ] = None
    recurrent_init: Annotated[
        RecurrentInit | None,
        Parameter(help=_for_kinds("recurrent_init", "Initial recurrent matrix")),
    ] = None
    forget_bias: Annotated[
        float | None,
        Parameter(
            help=_for_kinds(
                "forget_bias",
                "Initial bias of the gate that keeps the state; larger keeps longer",
            )
        ),
    ] = None
    gate_init: Annotated[
        GateInit | None,
        Parameter(
            help=_for_kinds(
                "gate_init",
                "Distribution of that bias over units; chrono: time scales up to --max-timescale",
            )
        ),
    ] = None
    max_timescale: int | None = None
    """Longest time scale of --gate-init chrono, in tokens."""
    connections: Connections | None = None
    """residual adds each layer's input to its output, sum feeds the sum of all layers to the
    softmax (recurrent models)."""
    attention: int | None = None
    """Past outputs that one attention head attends to; 0: no head (recurrent models)."""
    lookahead: float | None = None
    """Weight of the loss of predicting the token after the next (recurrent models)."""


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class TrainOptions:
    """Overrides of the training preset."""

    learning_rate: float | None = None
    """Peak learning rate; warmup, constant, then linear decay to zero at the budget's end."""
    batch_size: int | None = None
    """Batch size: sequences per update."""
    sequence_length: int | None = None
    """Tokens per sequence: the truncation length of backpropagation through time."""
    candidates: int | None = None
    """Tokens sampled to estimate the softmax over a large vocabulary; 0: exact softmax."""
    weight_decay: float | None = None
    """Weight decay of AdamW, of matrices only."""
    clip_norm: float | None = None
    """Largest gradient norm; larger ones are clipped."""
    clip_value: float | None = None
    """Largest entry of the gradient, clipped before the norm; 0: not clipped."""
    carry_state: bool | None = None
    """Start each sequence with the last state of the previous one."""
    length_variation: float | None = None
    """Fraction by which the length of sequences varies around --sequence-length."""
    beta1: float | None = None
    """AdamW beta1."""
    beta2: float | None = None
    """AdamW beta2."""
    decay_fraction: float | None = None
    """Last fraction of the budget, in which the learning rate decays."""
    average_fraction: float | None = None
    """Last fraction of the budget, in which weights are averaged."""
    precision: Literal["float32", "bfloat16"] | None = None
    """Precision of matrix products; default: the faster one on this machine, or float32 where the
    budget is in tokens or epochs."""
    threads: int | None = None
    """Number of threads; default: the faster of one and all, or all where the budget is in tokens
    or epochs."""
    checkpoint_seconds: float | None = None
    """Seconds between checkpoints."""


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


def name_of(file: str) -> str:
    """What a file is called in messages."""
    return "standard input" if file == STANDARD_INPUT else Path(file).name


def read_prompt() -> str:
    """The whole of standard input, without the last line end.

    Raises:
        TextError: it is empty, or cannot be decoded.
    """
    from ..text.files import STANDARD_INPUT, read_lines

    return "\n".join(line.rstrip("\r\n") for line in read_lines(STANDARD_INPUT))
