"""config.json: what a run is, what it depends on and what it reached."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ..errors import CheckpointError, ConfigError
from ..results.comparison import TriedRate
from ..results.run import Measured, RunResults
from ..settings.data import DataConfig
from ..settings.models import ModelConfig
from ..settings.training import TrainConfig
from ..system.files import write_json
from ..system.records import Record

CONFIG = "config.json"


@dataclass(frozen=True)
class TokenizerInfo(Record):
    """Which tokenizer a run reads with."""

    kind: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class RunConfig(Record):
    """The content of config.json."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("tried_learning_rates", "train", "results", "measured")

    tokenizer: TokenizerInfo
    vocab_size: int
    data: DataConfig = DataConfig()
    data_hash: str = ""
    """Of the encoded text."""
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
        values = json.loads(path.read_text("utf-8"))
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
