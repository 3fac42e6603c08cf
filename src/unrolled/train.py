"""Text → run folder: prepare, choose what is open, fit, evaluate, save."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from . import checkpoint, kernels, presets
from .config import (
    Budget,
    DataConfig,
    ModelConfig,
    NgramConfig,
    Size,
    TrainConfig,
    model_config_from_dict,
)
from .errors import CheckpointError
from .evaluate import baselines, evaluate
from .fit import Listener, Pace, Training, find_pace, fit
from .models.base import LanguageModel
from .models.baselines import UnigramModel, fit_unigram
from .models.build import build, save_weights
from .models.ngram import NgramModel
from .ngram.counts import count_ngrams
from .ngram.kneser_ney import estimate
from .text.store import TokenStore, prepare
from .text.tokenizers import Tokenizer, load_tokenizer

BASELINE_TOKENS = 2_000_000
"""Training tokens that the n-gram baseline counts."""


@dataclass(frozen=True)
class TrainRequest:
    """What to train: the user's words, before the text has decided what they left open."""

    kind: presets.Kind
    data: DataConfig
    size: Size = "medium"
    budget: Budget = field(default_factory=lambda: Budget(600, "seconds"))
    seed: int = 0
    model_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of the model's configuration that the user set."""
    train_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig that the user set."""
    store_path: str | None = None
    """Prepared text to use instead of preparing `data`: compare shares one among its models."""


def train(
    run: Path,
    request: TrainRequest,
    listener: Listener,
    stop: Callable[[], bool] = lambda: False,
    began: float | None = None,
) -> dict[str, Any]:
    """Trains one model and returns the content of its config.json.

    Args:
        began: `time.monotonic()` when the budget began to run; default now.

    Raises:
        UnrolledError: the request cannot be carried out.
        Interrupted: `stop` said so; `resume` goes on.
    """
    began = time.monotonic() if began is None else began
    if (run / checkpoint.CONFIG).exists():
        raise CheckpointError(run, "already holds a run", "Choose another --out, or add --resume")
    tokenizer, store = _prepared(run, request)
    model_config = presets.override(
        presets.model_preset(request.kind, request.size, tokenizer.vocab_size),
        **request.model_settings,
    )
    config: dict[str, Any] = {
        "model": asdict(model_config),
        "tokenizer": {"kind": tokenizer.kind, "fingerprint": tokenizer.fingerprint},
        "vocab_size": tokenizer.vocab_size,
        "data": asdict(request.data),
        "data_hash": store.data_hash,
        "store": request.store_path,
        "versions": checkpoint.versions(),
        "machine": machine(),
    }
    if isinstance(model_config, NgramConfig):
        return _train_ngram(run, store, tokenizer, model_config, config, listener, began)
    settings = {"budget": request.budget, "seed": request.seed, **request.train_settings}
    train_config = presets.override(presets.train_preset(request.kind), **settings)
    pace = _pace(model_config, train_config, tokenizer.vocab_size)
    train_config = replace(train_config, precision=pace.precision, threads=pace.threads)
    epochs = expected_epochs(train_config, store, pace, time.monotonic() - began)
    regular = presets.regularize(model_config, epochs)
    model_config = presets.override(regular, **request.model_settings)
    config |= {"model": asdict(model_config), "train": asdict(train_config)}
    checkpoint.save_config(run, config)
    torch.manual_seed(train_config.seed)
    training = _training(run, store, model_config, train_config, tokenizer.vocab_size)
    training.model.set_output_bias(_unigram(store, tokenizer.vocab_size).log_probs)
    training.best = {name: value.clone() for name, value in training.model.state_dict().items()}
    training.spend(time.monotonic() - began)
    listener({"kind": "start", "text": announce(training, pace, epochs)})
    return _finish(training, store, tokenizer, config, listener, stop)


def resume(
    run: Path, listener: Listener, stop: Callable[[], bool] = lambda: False
) -> dict[str, Any]:
    """Goes on with a run from its last checkpoint, to the same weights as without a break."""
    config = checkpoint.load_config(run)
    if config.get("results"):
        raise CheckpointError(run, "has nothing to resume: it is finished", "Use it as it is.")
    if "train" not in config:
        raise CheckpointError(run, "has no checkpoint", "Delete it and train again.")
    store = TokenStore.open(Path(config["store"] or run / checkpoint.TOKENS))
    tokenizer = load_tokenizer(run / checkpoint.TOKENIZER)
    values = config["train"]
    train_config = TrainConfig(**{**values, "budget": Budget(**values["budget"])})
    torch.set_num_threads(train_config.threads)
    model_config = model_config_from_dict(config["model"])
    training = _training(run, store, model_config, train_config, tokenizer.vocab_size)
    training.restore()
    listener({"kind": "start", "text": f"Going on at step {training.progress.step:,}."})
    return _finish(training, store, tokenizer, config, listener, stop)


def _prepared(run: Path, request: TrainRequest) -> tuple[Tokenizer, TokenStore]:
    if request.store_path is None:
        tokenizer, store = prepare(request.data, run / checkpoint.TOKENS)
    else:
        tokenizer = load_tokenizer(Path(request.store_path) / checkpoint.TOKENIZER)
        store = TokenStore.open(Path(request.store_path))
    tokenizer.save(run / checkpoint.TOKENIZER)
    return tokenizer, store


def _training(
    run: Path, store: TokenStore, model: ModelConfig, config: TrainConfig, vocab_size: int
) -> Training:
    scored = store.split("valid").num_tokens
    scored = store.split("test").num_tokens if "test" in store.splits else scored
    return Training(run, build(model, vocab_size), store, config, closing_tokens=scored)


def _pace(model_config: ModelConfig, config: TrainConfig, vocab_size: int) -> Pace:
    torch.manual_seed(0)
    return find_pace(build(model_config, vocab_size), config, vocab_size)


def expected_epochs(config: TrainConfig, store: TokenStore, pace: Pace, spent: float) -> float:
    """How often the budget lets the model read the training text."""
    num_tokens = store.split("train").num_tokens
    if config.budget.unit == "epochs":
        return config.budget.amount
    if config.budget.unit == "tokens":
        return config.budget.amount / num_tokens
    # Roughly a tenth of the time goes into validation and checkpoints.
    return 0.9 * max(0.0, config.budget.amount - spent) * pace.tokens_per_second / num_tokens


def announce(training: Training, pace: Pace, epochs: float) -> str:
    """What is going to happen, in words: size, speed, precision, time."""
    config, train_tokens = training.config, training.store.split("train").num_tokens
    seconds = epochs * train_tokens / pace.tokens_per_second
    if config.budget.unit == "seconds":
        seconds = config.budget.amount
    return (
        f"{training.model.num_parameters():,} parameters; {pace.precision}, "
        f"{pace.threads} thread{'s' * (pace.threads > 1)} ({pace.reason}); "
        f"{kernels.status()}. About {pace.tokens_per_second:,.0f} tokens/s: "
        f"{epochs:.1f} passes over {train_tokens:,} tokens in {seconds / 60:.1f} minutes."
    )


def _unigram(store: TokenStore, vocab_size: int) -> UnigramModel:
    return fit_unigram(store.tokens("train"), vocab_size)


def _finish(
    training: Training,
    store: TokenStore,
    tokenizer: Tokenizer,
    config: dict[str, Any],
    listener: Listener,
    stop: Callable[[], bool],
) -> dict[str, Any]:
    fit(training, listener, stop)
    model = training.model.eval().requires_grad_(False)
    path = training.run / checkpoint.MODEL
    checkpoint.write_atomically(path, lambda temporary: save_weights(model, temporary))
    progress = training.progress
    figures = {
        "num_parameters": training.model.num_parameters(),
        "train_tokens": progress.tokens,
        "train_steps": progress.step,
        "train_epochs": progress.tokens / training.batches.tokens_per_epoch,
        "train_tokens_per_second": progress.tokens / max(progress.seconds, 1e-9),
    }
    training.tick()
    return _conclude(training.run, model, store, tokenizer, config, figures, progress.seconds)


def _train_ngram(
    run: Path,
    store: TokenStore,
    tokenizer: Tokenizer,
    model_config: NgramConfig,
    config: dict[str, Any],
    listener: Listener,
    began: float,
) -> dict[str, Any]:
    listener({"kind": "start", "text": f"Counting n-grams up to order {model_config.order}."})
    model, seconds = count_model(store, tokenizer.vocab_size, model_config.order)
    model.save(run / checkpoint.MODEL)
    num_tokens = store.split("train").num_tokens
    figures = {
        "num_parameters": model.num_parameters(),
        "train_tokens": num_tokens,
        "train_epochs": 1,
        "train_tokens_per_second": num_tokens / seconds,
        "notes": list(model.notes),
    }
    return _conclude(run, model, store, tokenizer, config, figures, time.monotonic() - began)


def count_model(
    store: TokenStore, vocab_size: int, order: int, max_tokens: int | None = None
) -> tuple[NgramModel, float]:
    """Counts and smooths an n-gram model of the training split; returns it and the seconds."""
    began = time.monotonic()
    tokens = store.tokens("train")[:max_tokens]
    model = NgramModel(estimate(count_ngrams(tokens, order, vocab_size)))
    return model, time.monotonic() - began


def _conclude(
    run: Path,
    model: LanguageModel,
    store: TokenStore,
    tokenizer: Tokenizer,
    config: dict[str, Any],
    figures: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """Scores the test split (or validation where there is none) and writes the results."""
    split = "test" if "test" in store.splits else "valid"
    began = time.monotonic()
    results = {"split": split, **evaluate(model, store, split).to_dict(), **figures}
    results["file_bytes"] = (run / checkpoint.MODEL).stat().st_size
    results["peak_bytes"] = peak_bytes()
    results["train_seconds"] = seconds
    results["seconds"] = seconds + time.monotonic() - began
    config = {**config, "results": results}
    checkpoint.save_config(run, config)
    (run / checkpoint.TRAIN_STATE).unlink(missing_ok=True)
    if config["store"] is None:
        shutil.rmtree(run / checkpoint.TOKENS, ignore_errors=True)
    return config


def peak_bytes() -> int:
    """Most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def machine() -> str:
    """The processor and its cores, for the conditions of a figure."""
    name = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().split("\n")
        name = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    return f"{name or 'unknown processor'}, {os.cpu_count()} cores"


