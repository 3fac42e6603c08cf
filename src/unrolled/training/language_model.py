"""Text → run folder: prepare, choose what is open, fit, evaluate, save."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .. import kernels
from ..errors import CheckpointError
from ..inference.evaluation import baselines, evaluate_blocks, to_bits_per_byte, validation_nats
from ..models.base import LanguageModel
from ..models.build import build
from ..results.events import End, Message, OnEvent, Start, Stop, Wait, ignore, never
from ..results.run import RunResults
from ..runs.folder import (
    CONFIG,
    LOG,
    MODEL,
    TOKENIZER,
    Run,
    RunConfig,
    TokenizerInfo,
    append_log,
    load,
    load_config,
    remove_train_state,
    save_config,
    trim_log,
)
from ..runs.prepared import PreparedText, clean_up, count_model, load_baselines
from ..settings.models import ModelConfig, NgramConfig
from ..settings.presets import override, regularize, superfluous, train_preset
from ..settings.training import Budget, TrainConfig
from ..system.files import locked
from ..system.machine import machine, peak_bytes, versions
from ..text.store import Boundaries, TokenStore
from .batches import fitted
from .clock import Clock
from .learning_rate import after_search, search_learning_rate
from .loop import Callbacks, MakeMonitor, Training
from .pace import Pace, PaceWatch
from .request import TrainRequest
from .size import sized
from .throughput import AGAIN, language_model_pace, without_clock
from .trainee import LanguageModelTrainee

SCORING_SPEED = 2
"""Tokens that are validated in the time of one that is trained, at least."""
VALIDATION_SHARE = 0.03
"""Of a wall-clock budget, that one validation takes at most; a slow model reads less of it."""
FEWEST_VALIDATED = 2000
"""Tokens."""


@dataclass(frozen=True)
class Job:
    """A training on its way: where it writes, what it reads, what it calls."""

    run: Path
    text: PreparedText
    callbacks: Callbacks
    clock: Clock


def train(  # noqa: PLR0913
    run: str | Path,
    request: TrainRequest,
    on_event: OnEvent = ignore,
    stop: Stop = never,
    monitor: MakeMonitor | None = None,
    began: float | None = None,
    text: PreparedText | None = None,
    wait: Wait | None = None,
) -> Run:
    """Trains one model in a new run folder.

    Args:
        on_event: Receives an event for each start, validation, warning and end.
        stop: Called after every step; once it returns true, the run is saved and training ends.
        monitor: Builds what observes every update; the weights are the same without.
        began: `time.monotonic()` when the budget began to run; default now.
        text: Default: `request.data`, prepared inside the run; its tokens are removed at the end.
        wait: Called now and then, where the training may wait for its turn.

    Raises:
        UnrolledError: the request cannot be carried out.
        Interrupted: `stop` returned true; `resume` continues.
    """
    run, clock = Path(run), Clock(0.0 if began is None else time.monotonic() - began)
    with locked(run):
        if (run / CONFIG).exists():
            remedy = "Choose another --out, or add --resume."
            raise CheckpointError(run, "already holds a run", remedy)
        _settings(request, vocab_size=2)  # wrong settings are refused before the work begins
        own = text is None
        text = PreparedText.prepare(request.data, run) if text is None else text
        try:
            _train(Job(run, text, Callbacks(on_event, stop, monitor, wait), clock), request)
        except BaseException:
            if not (run / CONFIG).exists():  # nothing that could be resumed
                for name in (TOKENIZER, MODEL, LOG):
                    (run / name).unlink(missing_ok=True)
                if own:
                    text.remove()
            raise
        if own:
            text.clean_up()
        return load(run)


def _train(job: Job, request: TrainRequest) -> None:
    text = job.text
    if request.size == "auto":
        request = sized(
            request, request.budget, text.store.split("train").num_tokens, text.store.vocab_size
        )
        if request.kind != "ngram":
            job.callbacks.on_event(Message(text=_announce_size(request)))
    model_config, train_config = _settings(request, text.store.vocab_size)
    text.tokenizer.save(job.run / TOKENIZER)
    config = _conditions(job, request, model_config)
    if isinstance(model_config, NgramConfig):
        _count(job, config, model_config)
    else:
        _fit(job, *_start(job, request, replace(config, train=train_config)))


def resume(
    run: str | Path,
    on_event: OnEvent = ignore,
    stop: Stop = never,
    monitor: MakeMonitor | None = None,
    wait: Wait | None = None,
    budget: Budget | None = None,
) -> Run:
    """Goes on with a run from its last checkpoint, to the same weights as without a break.

    Args:
        on_event, stop, monitor, wait: As of `train`.
        budget: In place of the one that it began with.

    Raises:
        CheckpointError: there is nothing to resume, or it is damaged.
        Interrupted: `stop` said so.
    """
    run = Path(run)
    load_config(run)  # where there is no run, no folder is made either
    with locked(run):
        config = load_config(run)
        if config.results is not None or config.train is None:
            _tidy(run, config)
            raise CheckpointError(run, "has nothing to resume: it is finished", "Use it as it is.")
        train_config = config.train
        if budget is not None:
            left = after_search(budget) if config.tried_learning_rates else budget
            train_config = replace(train_config, budget=left)
            config = replace(config, train=train_config)
            save_config(run, config)
        text = PreparedText.open(run / config.text)
        torch.set_num_threads(train_config.threads)
        job = Job(run, text, Callbacks(on_event, stop, monitor, wait), Clock())
        training = _whole_training(job, config.model, train_config)
        if not training.restore():  # it was killed before the first step
            trim_log(run, -1)
        step = training.progress.step
        on_event(Start(step=step, text=f"Resuming at step {step:,}."))
        _fit(job, config, training)
        _tidy(run, config)
        return load(run)


def _tidy(run: Path, config: RunConfig) -> None:
    """Removes what a finished run needs no more; a kill may have come before."""
    remove_train_state(run)
    if (run / config.text).resolve() == run.resolve():
        clean_up(run)


def _settings(request: TrainRequest, vocab_size: int) -> tuple[ModelConfig, TrainConfig]:
    model_config = request.model_config(vocab_size)
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


def _conditions(job: Job, request: TrainRequest, model_config: ModelConfig) -> RunConfig:
    text = job.text
    return RunConfig(
        tokenizer=TokenizerInfo(text.tokenizer.kind, text.tokenizer.fingerprint),
        vocab_size=text.store.vocab_size,
        data=request.data,
        data_hash=text.store.data_hash,
        boundaries=Boundaries.of(text.store.split("train")),
        text=os.path.relpath(text.folder, job.run),
        versions=versions(),
        machine=machine(),
        model=model_config,
    )


def _start(job: Job, request: TrainRequest, config: RunConfig) -> tuple[RunConfig, Training]:
    """Decides what is open, by measuring: precision, threads, learning rate, dropout."""
    store, model_config, train_config = job.text.store, config.model, config.train
    num_tokens = store.split("train").num_tokens
    assert train_config is not None
    asked = train_config
    if train_config.budget.unit != "seconds":
        train_config = without_clock(train_config)
    # Batches as the text has room for: those of the settings may be larger than memory.
    fitting = fitted(train_config, num_tokens)
    pace = language_model_pace(model_config, fitting, store.vocab_size)
    train_config = replace(train_config, precision=pace.precision, threads=pace.threads)
    validation_tokens = _affordable_validation(train_config, pace)
    if request.search:
        train_config, tried = search_learning_rate(
            train_config,
            lambda short: _training(job, None, model_config, short, 0, validation_tokens),
            pace.tokens_per_second,
            num_tokens,
            job.clock,
            job.callbacks,
        )
        config = replace(config, tried_learning_rates=tried)
    epochs = expected_epochs(train_config, num_tokens, pace, job.clock.seconds)
    regular = regularize(model_config, epochs, pace.num_parameters / num_tokens)
    config = replace(config, model=override(regular, **request.model_settings), train=train_config)
    save_config(job.run, config)
    training = _whole_training(job, config.model, train_config, validation_tokens)
    tokens_per_step = fitting.batch_size * fitting.sequence_length
    training.progress.next_update_seconds = tokens_per_step / pace.tokens_per_second
    if isinstance(trainee := training.trainee, LanguageModelTrainee):
        watched = fitted(asked, num_tokens)
        trainee.watch = _watch(watched, pace, config.model, store.vocab_size)
    job.callbacks.on_event(Start(step=0, text=announce(train_config, store, pace, epochs)))
    return config, training


def _watch(
    asked: TrainConfig, pace: Pace, model_config: ModelConfig, vocab_size: int
) -> PaceWatch | None:
    """What measures precision and threads again, if they are open and the clock may decide."""
    budget = asked.budget
    if budget.unit != "seconds" or (asked.precision != "auto" and asked.threads):
        return None
    asked = replace(asked, budget=replace(budget, amount=AGAIN * budget.amount))
    return PaceWatch(
        pace.tokens_per_second, lambda: language_model_pace(model_config, asked, vocab_size)
    )


def _affordable_validation(config: TrainConfig, pace: Pace) -> int | None:
    """Tokens that a validation may read; None: as many as usual."""
    if config.budget.unit != "seconds":
        return None
    seconds = VALIDATION_SHARE * config.budget.amount
    return max(FEWEST_VALIDATED, round(SCORING_SPEED * pace.tokens_per_second * seconds))


def _training(
    job: Job,
    run: Path | None,
    model_config: ModelConfig,
    train_config: TrainConfig,
    closing_tokens: int = 0,
    validation_tokens: int | None = None,
) -> Training:
    """Builds the model, from the seed and the unigram distribution of the text."""
    store = job.text.store
    torch.manual_seed(train_config.seed)
    model = build(model_config, store.vocab_size)
    unigram = job.text.unigram()
    model.set_output_bias(unigram)
    tokens = closing_tokens, validation_tokens
    trainee = LanguageModelTrainee(model, store, train_config, unigram, *tokens)
    return Training(trainee, run, Clock() if run is None else job.clock)


def _whole_training(
    job: Job,
    model_config: ModelConfig,
    train_config: TrainConfig,
    validation_tokens: int | None = None,
) -> Training:
    """The training of the run itself, which keeps time back for the last evaluation."""
    store = job.text.store
    tokens = store.split(_final_split(store)).num_tokens, validation_tokens
    return _training(job, job.run, model_config, train_config, *tokens)


def _announce_size(request: TrainRequest) -> str:
    """What `--size auto` took."""
    budget = replace(request.budget, amount=float(f"{request.budget.amount:.3g}"))
    return f"Size {request.size}, {request.train_settings['batch_size']} rows, for {budget}."


def expected_epochs(config: TrainConfig, num_tokens: int, pace: Pace, spent: float) -> float:
    """How often what is left of the budget after `spent` seconds lets the model read the text."""
    budget = config.budget
    if budget.unit == "epochs":
        return budget.amount
    if budget.unit == "tokens":
        return budget.amount / num_tokens
    left = max(0.0, budget.amount - spent)
    # Roughly a tenth of the time goes into validation and checkpoints.
    return 0.9 * left * pace.tokens_per_second / num_tokens


def announce(config: TrainConfig, store: TokenStore, pace: Pace, epochs: float) -> str:
    """What is going to happen, in words: size, precision, speed, time."""
    num_tokens = store.split("train").num_tokens
    seconds = epochs * num_tokens / pace.tokens_per_second
    if config.budget.unit == "seconds":
        seconds = config.budget.amount
    return (
        f"{pace.num_parameters:,} parameters; {pace}; {kernels.status()}. "
        f"About {pace.tokens_per_second:,.0f} tokens/s: {epochs:.1f} epochs of {num_tokens:,} "
        f"tokens in {seconds / 60:.1f} minutes."
    )


def _fit(job: Job, config: RunConfig, training: Training) -> None:
    job.callbacks.fit(training)
    training.save_best()
    progress, trainee = training.progress, training.trainee
    assert isinstance(trainee, LanguageModelTrainee)
    figures = {
        "num_parameters": trainee.model.num_parameters(),
        "train_tokens": progress.tokens,
        "train_steps": progress.step,
        "train_epochs": progress.tokens / trainee.batches.tokens_per_epoch,
        "train_tokens_per_second": progress.tokens / max(progress.update_seconds, 1e-9),
        "others_share": progress.others_seconds / max(progress.available_seconds, 1e-9),
    }
    training.tick()
    config = replace(config, train=trainee.config)  # precision and threads as they were at the end
    _conclude(job, config, trainee.model, figures, progress.seconds)


def _count(job: Job, config: RunConfig, model_config: NgramConfig) -> None:
    order, store = model_config.order, job.text.store
    job.callbacks.on_event(Message(text=f"Counting n-grams of order 1 to {order}."))
    model, seconds = count_model(store, order)
    model.save(job.run / MODEL)
    num_tokens = store.split("train").num_tokens
    valid = to_bits_per_byte(validation_nats(model, store), store.split("valid"))
    end = End(step=0, tokens=num_tokens, seconds=job.clock.seconds, fraction=1.0, valid=valid)
    append_log(job.run, end)
    job.callbacks.on_event(end)
    figures = {
        "num_parameters": model.num_parameters(),
        "train_tokens": num_tokens,
        "train_epochs": 1,
        "train_tokens_per_second": num_tokens / seconds,
        "notes": list(model.notes),
    }
    _conclude(job, config, model, figures, job.clock.seconds)


def _final_split(store: TokenStore) -> str:
    return "test" if "test" in store.splits else "valid"


def _conclude(
    job: Job, config: RunConfig, model: LanguageModel, figures: dict[str, Any], seconds: float
) -> None:
    """Scores the test split (or validation where there is none) and writes the results."""
    began, store, split = time.monotonic(), job.text.store, _final_split(job.text.store)
    simple = baselines(store, split, load_baselines(job.text.folder))
    loss, block_nats = evaluate_blocks(model, store, split)
    results = RunResults(
        **vars(loss),
        **figures,
        split=split,
        baselines=simple,
        block_nats=block_nats,
        file_bytes=(job.run / MODEL).stat().st_size,
        peak_bytes=peak_bytes(),
        train_seconds=seconds,
        seconds=seconds + time.monotonic() - began,
    )
    save_config(job.run, replace(config, results=results))
    remove_train_state(job.run)
