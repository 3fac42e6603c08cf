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
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError
from ..models.base import LanguageModel
from ..models.build import load_model
from ..models.ngram import NgramModel
from ..settings.data import DocumentKind
from ..settings.models import ModelConfig, model_config_from_dict
from ..system.files import write_atomically, write_json, write_text
from ..text.tokenizers import Tokenizer, load_tokenizer
from .prepared import load_baselines

CONFIG, TOKENIZER, MODEL = "config.json", "tokenizer.json", "model.safetensors"
LOG, TRAIN_STATE = "log.jsonl", "train_state.safetensors"
CLASSIFIER = "classifier.safetensors"
"""What a folder of `unrolled classify train` has instead."""
LEFT_BEHIND = (".*.json.*", ".*.jsonl.*", ".*.safetensors.*", ".search-*")
"""Folders in which a write or a search was killed."""


@dataclass(frozen=True)
class Run:
    """A trained model with what it needs to read text."""

    path: Path
    model: LanguageModel
    tokenizer: Tokenizer
    config: dict[str, Any]
    """The content of config.json."""

    @property
    def baselines(self) -> dict[str, NgramModel]:
        """Simple models of the same training text, to read this one's figures by."""
        return load_baselines(self.path / self.config["text"])

    def reading(
        self, column: str | None, documents: DocumentKind | None
    ) -> tuple[str | None, DocumentKind]:
        """The column with the text, and what a document is: as asked for, else as in training."""
        data = self.config.get("data", {})
        column = data.get("column") if column is None else column
        return column, documents or data.get("documents", "file")

    @property
    def model_config(self) -> ModelConfig:
        """The settings that the model was built with."""
        return model_config_from_dict(self.config["model"])


def load(path: str | Path) -> Run:
    """Opens a run folder for use.

    Raises:
        CheckpointError: there is no run, or it is damaged or unfinished.
    """
    run = Path(path)
    config = load_config(run)
    tokenizer = load_tokenizer(run / TOKENIZER)
    if tokenizer.fingerprint != config["tokenizer"]["fingerprint"]:
        raise CheckpointError(
            run, "has a tokenizer.json that it was not trained with", "Restore it, or retrain."
        )
    try:
        model_config = model_config_from_dict(config["model"])
        model = load_model(run / MODEL, model_config, tokenizer.vocab_size)
    except (TypeError, ValueError) as error:
        problem = f"has settings of no model ({error})"
        raise CheckpointError(run / CONFIG, problem, "Restore it, or retrain.") from None
    if model.vocab_size != tokenizer.vocab_size:
        problem = f"holds a model of {model.vocab_size} symbols, not {tokenizer.vocab_size}"
        raise CheckpointError(run / MODEL, problem, "Restore it, or retrain.")
    return Run(run, model, tokenizer, config)


def load_config(run: Path) -> dict[str, Any]:
    """Reads config.json."""
    path = run / CONFIG
    if not path.is_file():
        raise CheckpointError(
            run, "is not a run folder: it has no config.json", "Make one with: unrolled train"
        )
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise CheckpointError(path, f"is not JSON ({error})", "Restore it, or retrain.") from None
    needed = {"model": dict, "tokenizer": dict, "vocab_size": int, "text": str}
    complete = isinstance(config, dict) and all(
        isinstance(config.get(name), kind) for name, kind in needed.items()
    )
    if not complete or "fingerprint" not in config["tokenizer"]:
        raise CheckpointError(path, "is not the config.json of a run", "Restore it, or retrain.")
    return config


def save_config(run: Path, config: dict[str, Any]) -> None:
    """Writes config.json whole or not at all."""
    write_json(run / CONFIG, config)


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
            values = json.loads(file.metadata()["values"])
            return {name: file.get_tensor(name) for name in file.keys()}, values  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(path, f"is damaged ({error})", "Train the run again.") from None


def remove_train_state(run: Path) -> None:
    """Removes what only `--resume` needs, and what killed writes left behind."""
    (run / TRAIN_STATE).unlink(missing_ok=True)
    for pattern in LEFT_BEHIND:
        for folder in run.glob(pattern):
            shutil.rmtree(folder)


def append_log(run: Path, record: dict[str, Any]) -> None:
    """Adds a record to the log; a line that a kill cut short is passed over by `read_log`."""
    with (run / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read_log(run: Path) -> Iterator[dict[str, Any]]:
    """Yields the records of the log."""
    path = run / LOG
    for line in path.read_text("utf-8").split("\n") if path.is_file() else ():
        with suppress(ValueError):
            yield json.loads(line)


def trim_log(run: Path, step: int) -> None:
    """Removes what a run that goes on at `step` will do over again, and a half-written line."""
    records = [row for row in read_log(run) if row["step"] <= step and row["kind"] != "end"]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    write_text(run / LOG, lines)
