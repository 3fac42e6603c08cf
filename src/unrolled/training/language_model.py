"""Text → run folder: prepare, choose what is open, fit, evaluate, save."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from .. import kernels
from ..diagnosis.monitor import Watch
from ..errors import CheckpointError
from ..inference.evaluation import baselines, evaluate, to_bits_per_byte, validation_nats
from ..models.base import LanguageModel
from ..models.build import build
from ..runs.folder import (
    CONFIG,
    MODEL,
    TOKENIZER,
    TRAIN_STATE,
    append_log,
    load_config,
    remove_train_state,
    save_config,
    trim_log,
)
from ..runs.prepared import PreparedText, count_model, load_baselines
from ..settings.data import DataConfig
from ..settings.kinds import KindName, Size
from ..settings.models import ModelConfig, NgramConfig, model_config_from_dict
from ..settings.presets import model_preset, override, regularize, superfluous, train_preset
from ..settings.training import Budget, TrainConfig, train_config_from_dict
from ..system.machine import machine, peak_bytes, versions
from ..text.store import TokenStore
from .learning_rate import search_learning_rate
from .loop import Listener, Training, fit, unwatched
from .throughput import Pace, find_pace

Stop = Callable[[], bool]


@dataclass(frozen=True)
class TrainRequest:
    """What to train: the user's words, before the text has decided what they left open."""

    kind: KindName
    data: DataConfig
    size: Size = "medium"
    budget: Budget = field(default_factory=lambda: Budget(600, "seconds"))
    seed: int = 0
    model_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of the model's configuration that the user set."""
    train_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig that the user set."""
    search: bool = False
    """Whether a part of the budget goes into choosing the learning rate."""


@dataclass
class Job:
    """A training on its way: where it writes, what it reads, who listens."""

    run: Path
    text: PreparedText
    config: dict[str, Any]
    """Grows into the content of config.json."""
    listener: Listener
    stop: Stop
    watch: bool
    """Whether norms and gradients through time go into the log, and warnings to the listener."""


def train(
    run: Path,
    request: TrainRequest,
    listener: Listener,
    stop: Stop = lambda: False,
    began: float | None = None,
    text: PreparedText | None = None,
    watch: bool = True,
) -> dict[str, Any]:
    """Trains one model and returns the content of its config.json.

    Args:
        began: `time.monotonic()` when the budget began to run; default now.
        text: Default: `request.data`, prepared inside the run; its tokens are removed at the end.
        watch: Look at gradients while training, see watching.py; the weights are the same without.

    Raises:
        UnrolledError: the request cannot be carried out.
        Interrupted: `stop` said so; `resume` goes on.
    """
    began = time.monotonic() if began is None else began
    if run.exists() and not run.is_dir():
        raise CheckpointError(run, "is not a folder", "Choose another --out.")
    if (run / CONFIG).exists():
        raise CheckpointError(run, "already holds a run", "Choose another --out, or add --resume.")
    _settings(request, vocab_size=2)  # wrong settings are refused before the work begins
    own = text is None
    text = PreparedText.prepare(request.data, run) if text is None else text
    model_config, train_config = _settings(request, text.store.vocab_size)
    run.mkdir(parents=True, exist_ok=True)
    text.tokenizer.save(run / TOKENIZER)
    job = Job(run, text, _conditions(run, text, request), listener, stop, watch)
    if isinstance(model_config, NgramConfig):
        config = _count(job, model_config, began)
    else:
        config = _fit(job, _start(job, request, model_config, train_config, began))
    if own:
        text.clean_up()
    return config


def resume(run: Path, listener: Listener, stop: Stop = lambda: False) -> dict[str, Any]:
    """Goes on with a run from its last checkpoint, to the same weights as without a break."""
    config = load_config(run)
    if "results" in config or "train" not in config:
        raise CheckpointError(run, "has nothing to resume: it is finished", "Use it as it is.")
    text = PreparedText.open(run / config["text"])
    train_config = train_config_from_dict(config["train"])
    torch.set_num_threads(train_config.threads)
    job = Job(run, text, config, listener, stop, watch=True)
    model_config = model_config_from_dict(config["model"])
    training = _whole_training(job, model_config, train_config)
    if (run / TRAIN_STATE).exists():  # else it was killed before the first step
        training.restore()
    trim_log(run, training.progress.step)
    step = training.progress.step
    listener({"kind": "start", "step": step, "text": f"Going on at step {step:,}."})
    config = _fit(job, training)
    if text.folder.samefile(run):
        text.clean_up()
    return config


def _settings(request: TrainRequest, vocab_size: int) -> tuple[ModelConfig, TrainConfig]:
    model_config = override(
        model_preset(request.kind, request.size, vocab_size), **request.model_settings
    )
    if isinstance(model_config, NgramConfig):
        for name, value in request.train_settings.items():
            raise superfluous(name, "ngram", value)
    train_config = override(
        train_preset(request.kind, vocab_size),
        budget=request.budget,
        seed=request.seed,
        **request.train_settings,
    )
    return model_config, train_config


def _conditions(run: Path, text: PreparedText, request: TrainRequest) -> dict[str, Any]:
    return {
        "tokenizer": {"kind": text.tokenizer.kind, "fingerprint": text.tokenizer.fingerprint},
        "vocab_size": text.store.vocab_size,
        "data": asdict(request.data),
        "data_hash": text.store.data_hash,
        "text": os.path.relpath(text.folder, run),
        "versions": versions(),
        "machine": machine(),
    }


def _start(
    job: Job,
    request: TrainRequest,
    model_config: ModelConfig,
    train_config: TrainConfig,
    began: float,
) -> Training:
    """Decides what is open, by measuring: precision, threads, learning rate, dropout."""
    store = job.text.store
    pace = find_pace(model_config, train_config, store.vocab_size)
    train_config = replace(train_config, precision=pace.precision, threads=pace.threads)
    if request.search:
        train_config, job.config["tried_learning_rates"] = search_learning_rate(
            train_config, job.run, lambda run, config: _training(job, run, model_config, config)
        )
    num_tokens = store.split("train").num_tokens
    epochs = expected_epochs(train_config, num_tokens, pace, began)
    regular = regularize(model_config, epochs, pace.num_parameters / num_tokens)
    model_config = override(regular, **request.model_settings)
    job.config |= {"model": asdict(model_config), "train": asdict(train_config)}
    save_config(job.run, job.config)
    training = _whole_training(job, model_config, train_config)
    training.spend(time.monotonic() - began)
    job.listener({"kind": "start", "step": 0, "text": announce(training, pace, epochs)})
    return training


def _training(
    job: Job, run: Path, model_config: ModelConfig, train_config: TrainConfig
) -> Training:
    """Builds the model, from the seed and the unigram distribution of the text."""
    store = job.text.store
    torch.manual_seed(train_config.seed)
    model = build(model_config, store.vocab_size)
    unigram = job.text.unigram()
    model.set_output_bias(unigram)
    return Training(run, model, store, train_config, unigram)


def _whole_training(job: Job, model_config: ModelConfig, train_config: TrainConfig) -> Training:
    """The training of the run itself, which keeps time back for the last evaluation."""
    training = _training(job, job.run, model_config, train_config)
    store = job.text.store
    training.closing_tokens = store.split(_final_split(store)).num_tokens
    return training


def expected_epochs(config: TrainConfig, num_tokens: int, pace: Pace, began: float) -> float:
    """How often the budget lets the model read the training text."""
    budget = config.budget
    if budget.unit == "epochs":
        return budget.amount
    if budget.unit == "tokens":
        return budget.amount / num_tokens
    left = max(0.0, budget.amount - (time.monotonic() - began))
    # Roughly a tenth of the time goes into validation and checkpoints.
    return 0.9 * left * pace.tokens_per_second / num_tokens


def announce(training: Training, pace: Pace, epochs: float) -> str:
    """What is going to happen, in words: size, precision, speed, time."""
    budget, num_tokens = training.config.budget, training.store.split("train").num_tokens
    seconds = epochs * num_tokens / pace.tokens_per_second
    if budget.unit == "seconds":
        seconds = budget.amount
    return (
        f"{training.model.num_parameters():,} parameters; {pace}; {kernels.status()}. "
        f"About {pace.tokens_per_second:,.0f} tokens/s: {epochs:.1f} passes over {num_tokens:,} "
        f"tokens in {seconds / 60:.1f} minutes."
    )


def _fit(job: Job, training: Training) -> dict[str, Any]:
    fit(training, job.listener, job.stop, Watch(training) if job.watch else unwatched)
    training.save_best()
    progress = training.progress
    figures = {
        "num_parameters": training.model.num_parameters(),
        "train_tokens": progress.tokens,
        "train_steps": progress.step,
        "train_epochs": progress.tokens / training.batches.tokens_per_epoch,
        "train_tokens_per_second": progress.tokens / progress.update_seconds,
    }
    training.tick()
    return _conclude(job, training.model, figures, progress.seconds)


def _count(job: Job, model_config: NgramConfig, began: float) -> dict[str, Any]:
    order, store = model_config.order, job.text.store
    job.listener({"kind": "start", "text": f"Counting n-grams up to order {order}."})
    model, seconds = count_model(store, order)
    model.save(job.run / MODEL)
    job.config["model"] = asdict(model_config)
    num_tokens = store.split("train").num_tokens
    record = {"kind": "end", "step": 0, "tokens": num_tokens, "fraction": 1.0}
    valid = to_bits_per_byte(validation_nats(model, store), store.split("valid"))
    record |= {"seconds": time.monotonic() - began, "valid": valid}
    append_log(job.run, record)
    job.listener(record)
    figures = {
        "num_parameters": model.num_parameters(),
        "train_tokens": num_tokens,
        "train_epochs": 1,
        "train_tokens_per_second": num_tokens / seconds,
        "notes": list(model.notes),
    }
    return _conclude(job, model, figures, time.monotonic() - began)


def _final_split(store: TokenStore) -> str:
    return "test" if "test" in store.splits else "valid"


def _conclude(
    job: Job, model: LanguageModel, figures: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """Scores the test split (or validation where there is none) and writes the results."""
    began, store, split = time.monotonic(), job.text.store, _final_split(job.text.store)
    simple = baselines(store, split, load_baselines(job.text.folder))
    loss = evaluate(model, store, split)
    job.config["results"] = {
        "split": split,
        **loss.to_dict(),
        **figures,
        "baselines": [asdict(row) for row in simple],
        "file_bytes": (job.run / MODEL).stat().st_size,
        "peak_bytes": peak_bytes(),
        "train_seconds": seconds,
        "seconds": seconds + time.monotonic() - began,
    }
    save_config(job.run, job.config)
    remove_train_state(job.run)
    return job.config
