"""The run folder: the only file that knows what is in it.

config.json              model, data, training settings, conditions, results
tokenizer.json           text → ids
model.safetensors        the model to use
log.jsonl                one record a line: losses, gradients and warnings over time
train_state.safetensors  everything needed to go on, until the run has ended
tokens/                  the encoded text, until the run has ended
baselines/               unigram and n-gram of the same text, to read other figures by
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError, ConfigError
from ..inference.evaluation import evaluate_texts
from ..models.base import LanguageModel
from ..models.build import load_model
from ..models.ngram import NgramModel
from ..ngram.arpa import write_arpa
from ..results.comparison import TriedRate
from ..results.events import End, LoggedEvent
from ..results.loss import Evaluation
from ..results.run import Measured, RunResults
from ..results.summary import Summarized, Summary
from ..settings.data import DataConfig, DocumentKind, FileFormat
from ..settings.models import ModelConfig
from ..settings.training import TrainConfig
from ..system.files import parse_json, remove_left_behind, write_atomically, write_json, write_text
from ..system.records import Record, from_json
from ..text.store import Boundaries
from ..text.tokenizers import Tokenizer, load_tokenizer
from .prepared import load_baselines

CONFIG = "config.json"


@dataclass(frozen=True)
class TokenizerInfo(Record):
    """Which tokenizer a run reads with."""

    kind: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class RunConfig(Record):
    """The content of config.json."""

    OPTIONAL: ClassVar[tuple[str, ...]] = (
        *("tried_learning_rates", "train", "results", "measured", "boundaries"),
    )

    tokenizer: TokenizerInfo
    vocab_size: int
    data: DataConfig = DataConfig()
    data_hash: str = ""
    """Of the encoded text."""
    boundaries: Boundaries = Boundaries()
    """What stands before and after a text."""
    text: str
    """Folder of the prepared text, from the run."""
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    tried_learning_rates: list[TriedRate] = field(default_factory=list)
    model: ModelConfig
    train: TrainConfig | None = None
    """None: nothing is trained, as in an n-gram."""
    results: RunResults | None = None
    """None: the training is not finished."""
    measured: Measured | None = None
    """By `unrolled compare`."""


def load_config(run: Path) -> RunConfig:
    """Reads config.json.

    Raises:
        CheckpointError: there is none, or it is not that of a run.
    """
    path = run / CONFIG
    if not path.is_file():
        remedy = "Make one with: unrolled train"
        raise CheckpointError(run, "is not a run folder: it has no config.json", remedy)
    try:
        values = parse_json(path.read_bytes())
    except ValueError as error:
        raise CheckpointError(path, f"is not JSON ({error})", "Restore it, or retrain.") from None
    try:
        return RunConfig.from_json(values)
    except (ConfigError, ValueError) as error:
        problem = f"is not the config.json of a run ({str(error).rstrip('.')})"
        remedy = "Restore it, use the version of unrolled that wrote it, or retrain."
        raise CheckpointError(path, problem, remedy) from None


def save_config(run: Path, config: RunConfig) -> None:
    """Writes config.json whole or not at all."""
    write_json(run / CONFIG, config.to_json())


TOKENIZER, MODEL = "tokenizer.json", "model.safetensors"
LOG, TRAIN_STATE = "log.jsonl", "train_state.safetensors"
CLASSIFIER = "classifier.safetensors"
"""What a folder of `unrolled classify train` has instead."""


@dataclass(frozen=True, repr=False)
class Run(Summarized):
    """A trained model with what it needs to read text."""

    path: Path
    model: LanguageModel
    tokenizer: Tokenizer
    config: RunConfig
    """The content of config.json."""

    @property
    def boundaries(self) -> Boundaries:
        """What stood before and after a text in training, for `generate`, `score_text`, ..."""
        return self.config.boundaries

    @property
    def baselines(self) -> dict[str, NgramModel]:
        """Baselines of the same training text."""
        return load_baselines(self.path / self.config.text)

    def reading(
        self, column: str | None, documents: DocumentKind | None
    ) -> tuple[str | None, DocumentKind]:
        """The column with the text, and what a document is: as asked for, else as in training."""
        data = self.config.data
        return data.column if column is None else column, documents or data.documents

    def evaluate(
        self,
        texts: Sequence[str],
        column: str | None = None,
        documents: DocumentKind | None = None,
        files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
    ) -> Evaluation:
        """Scores files or folders with the model and its baselines; see `evaluate_texts`.

        Args:
            column, documents: How texts are read where it differs from the training.
            files: What the files do not say of themselves.
        """
        reading = self.reading(column, documents)
        return evaluate_texts(self.model, self.tokenizer, texts, self.baselines, *reading, files)

    def write_arpa(self, path: str | os.PathLike[str]) -> None:
        """Writes an n-gram as an ARPA file, gzipped if its name ends in ".gz".

        Raises:
            ConfigError: the model is no n-gram.
        """
        if not isinstance(self.model, NgramModel):
            kind = self.config.model.kind
            raise ConfigError("run", "that of an n-gram", kind, "Train one with: --model ngram")
        symbols = [self.tokenizer.symbol(token) for token in range(self.model.vocab_size)]
        write_arpa(self.model.kneser_ney, path, symbols)

    @property
    def results(self) -> RunResults:
        """What the finished model reached.

        Raises:
            CheckpointError: the training is not finished.
        """
        if self.config.results is None:
            remedy = f"Resume with: unrolled train --resume --out {self.path}"
            raise CheckpointError(self.path, "is not finished", remedy)
        return self.config.results

    def summary(self) -> Summary:
        """What the model reached, and below it the baselines."""
        results, name = self.config.results, f"{self.config.model.kind} in {self.path}"
        if results is None:
            return Summary(f"{name}: not finished")
        figures = f"{results.bits_per_byte:.3f} bits per byte ({results.split})"
        title = f"{name}: {results.num_parameters:,} parameters, {figures}"
        return replace(results.summary(), title=title)

    def __repr__(self) -> str:
        return self.summary().title


def contents(path: Path) -> Literal["language model", "classifier"] | None:
    """What a run folder holds; None: it is no run folder."""
    if (path / CLASSIFIER).is_file():
        return "classifier"
    return "language model" if (path / CONFIG).is_file() else None


def load(path: str | Path) -> Run:
    """Opens a run folder for use.

    Raises:
        CheckpointError: there is no run, or it is damaged or unfinished.
    """
    run = Path(path)
    if contents(run) == "classifier":
        problem = "holds a classifier, not a language model"
        raise CheckpointError(run, problem, "Use it with: unrolled classify")
    config = load_config(run)
    tokenizer = load_tokenizer(run / TOKENIZER)
    if tokenizer.fingerprint != config.tokenizer.fingerprint:
        raise CheckpointError(
            run, "has a tokenizer.json that it was not trained with", "Restore it, or retrain."
        )
    try:
        model = load_model(run / MODEL, config.model, tokenizer.vocab_size)
    except (TypeError, ValueError) as error:
        problem = f"has settings of no model ({error})"
        raise CheckpointError(run / CONFIG, problem, "Restore it, or retrain.") from None
    if model.vocab_size != tokenizer.vocab_size:
        problem = f"holds a model of {model.vocab_size} symbols, not {tokenizer.vocab_size}"
        raise CheckpointError(run / MODEL, problem, "Restore it, or retrain.")
    return Run(run, model, tokenizer, config)


def save_train_state(run: Path, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Writes tensors and JSON-able values in one safetensors file, atomically."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    metadata = {"values": json.dumps(values)}
    write_atomically(run / TRAIN_STATE, lambda path: save_file(contiguous, path, metadata))


def load_train_state(run: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads what `save_train_state` wrote.

    Raises:
        CheckpointError: there is nothing to resume, or the file is damaged.
    """
    path = run / TRAIN_STATE
    if not path.is_file():
        raise CheckpointError(run, "has nothing to resume", "Start it without --resume.")
    try:
        with safe_open(path, "pt") as file:
            values = parse_json(file.metadata()["values"])
            return {name: file.get_tensor(name) for name in file.keys()}, values  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(path, f"is damaged ({error})", "Train the run again.") from None


def remove_train_state(run: Path) -> None:
    """Removes what only `--resume` needs, and what killed writes left behind."""
    remove_left_behind(run)
    (run / TRAIN_STATE).unlink(missing_ok=True)  # last: without it nothing is done over again


def append_log(run: Path, event: LoggedEvent) -> None:
    """Adds an event to the log; a line that a kill cut short is passed over by `read_log`."""
    with (run / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(event.to_json()) + "\n")


def read_log(run: Path) -> Iterator[LoggedEvent]:
    """Yields the events of the log; lines that are none, as half-written ones, are passed over."""
    path = run / LOG
    for line in path.read_bytes().split(b"\n") if path.is_file() else ():
        with suppress(ValueError):
            yield from_json(LoggedEvent, parse_json(line), "event")


def trim_log(run: Path, step: int) -> None:
    """Removes what a run that goes on at `step` will do over again, and a half-written line."""
    kept = [row for row in read_log(run) if row.step <= step and not isinstance(row, End)]
    lines = "".join(json.dumps(event.to_json()) + "\n" for event in kept)
    write_text(run / LOG, lines)
