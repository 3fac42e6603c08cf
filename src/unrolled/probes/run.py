"""All trials of a request, in one folder that keeps what is finished."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import CheckpointError
from ..report.probes import html
from ..report.words import Language
from ..results.probes import Probes, Trial, TrialProgress
from ..system.files import locked, parse_json, write_json, write_text
from ..system.machine import machine, versions
from .request import VARIANTS, ProbeRequest
from .search import Limit, search
from .tasks import BUILDERS, Task

RESULTS, REPORT = "results.json", "report.html"

WORTH_AGAIN = 2.0
"""So much more time than before, and a trial that failed is tried again."""

OnTrial = Callable[[TrialProgress | Trial], None]
"""Called while a trial runs, and with each that is finished."""


def probe(out: str | Path, request: ProbeRequest, on_trial: OnTrial = lambda trial: None) -> Probes:
    """Asks every layer every question at rising lengths, and writes results.json and report.html.

    A layer that fails at a length is not tried at longer ones. All layers have the same time at a
    length; what they do not need goes to what follows.
    Each finished trial is saved at once, and the same call goes on with those that are missing. One
    that failed is tried again when it may take twice the time that it had.

    Args:
        out: Gets both files; trials that it has already are kept.

    Raises:
        CheckpointError: the folder has trials of other settings.
    """
    began, out = time.monotonic(), Path(out)
    with locked(out):
        probes = _start(out, request)
        trials = [row for row in probes.trials if not _worth_again(row, request)]
        probes = replace(probes, trials=trials)
        limits: dict[tuple[str, int], Limit] = {}
        while pending := list(_pending(request, trials)):
            task, name = pending[0]
            place = task.name, task.length
            if place not in limits:
                limits[place] = _limit(request, pending, time.monotonic() - began)
            limit = limits[place]
            trial = _try(task, name, limit, request, trials, on_trial)
            trials.append(trial)
            _save(out, probes, request.language)
            on_trial(trial)
        _save(out, probes, request.language)
        return probes


def _start(out: Path, request: ProbeRequest) -> Probes:
    """What the folder has, or nothing yet."""
    settings = {
        "tokens per trial": request.budget.amount if request.budget.unit == "tokens" else "any",
        "parameters": request.num_parameters,
        "batch size": request.batch_size,
        "seed": request.seed,
        "threads": torch.get_num_threads(),
        "machine": machine(),
        "versions": versions(),
    }
    path = out / RESULTS
    kept: list[Trial] = []
    if path.exists():
        before = _read(path)
        if before.settings != settings:
            different = ", ".join(
                f"{name} {'default' if value is None else value}"
                for name, value in before.settings.items()
                if settings.get(name) != value
            )
            raise CheckpointError(
                out, f"has trials of other settings ({different})", "Use another --out."
            )
        kept = before.trials
    return Probes(settings, kept)


def _read(path: Path) -> Probes:
    try:
        return Probes.from_json(parse_json(path.read_bytes()))
    except ValueError:
        problem = "is damaged, or no result of probes"
        raise CheckpointError(path, problem, "Delete it, or use another --out.") from None


def _worth_again(row: Trial, request: ProbeRequest) -> bool:
    """Whether a trial failed in so little time that what it may take now is much more."""
    if row.solved or row.allowed is None or request.budget.unit != "seconds":
        return False
    return request.budget.amount / request.num_trials >= WORTH_AGAIN * row.allowed


def _pending(request: ProbeRequest, trials: Sequence[Trial]) -> Iterator[tuple[Task, str]]:
    """Trials that are asked for, not finished, and not hopeless."""
    known = {(row.task, row.length, row.model) for row in trials}
    for name in dict.fromkeys(request.tasks):
        for length in sorted(set(request.lengths)):
            for model in dict.fromkeys(request.models):
                if (name, length, model) in known or failed_before(trials, name, length, model):
                    continue
                yield BUILDERS[name](length), model


def failed_before(trials: Sequence[Trial], task: str, length: int, model: str) -> bool:
    """Whether a model has failed at a shorter length of a task."""
    return any(
        row.task == task and row.model == model and row.length < length
        for row in trials
        if not row.solved
    )


def _limit(
    request: ProbeRequest, pending: Sequence[tuple[Task, str]], used_seconds: float
) -> Limit:
    """What each layer may use at the length that comes next.

    Tasks share evenly the time that is left. Of a task's share, half goes to the next length, or
    all of it to the longest: fewer layers will be left there.
    """
    task, _ = pending[0]
    if request.budget.unit == "tokens":
        tokens = request.sequences(task.name) * task.num_steps
        return Limit(steps=max(1, round(request.budget.amount / tokens)))
    num_tasks = len({other.name for other, _ in pending})
    lengths = [other.length for other, _ in pending if other.name == task.name]
    seconds = max(0.0, request.budget.amount - used_seconds) / num_tasks
    part = seconds / 2 if max(lengths) > task.length else seconds
    return Limit(seconds=part / lengths.count(task.length))


def _try(
    task: Task,
    name: str,
    limit: Limit,
    request: ProbeRequest,
    trials: Sequence[Trial],
    on_trial: OnTrial,
) -> Trial:
    def report(fraction: float, score: float | None) -> None:
        on_trial(TrialProgress(task.name, task.length, name, fraction, score))

    report(0.0, None)
    found = search(
        task,
        VARIANTS[name],
        _rate(trials, task, name),
        limit,
        num_parameters=request.num_parameters,
        batch_size=request.sequences(task.name),
        seed=request.seed,
        progress=report,
    )
    return Trial(
        task=task.name,
        length=task.length,
        model=name,
        measure=task.measure,
        score=found.score if math.isfinite(found.score) else None,
        chance=task.chance,
        goal=task.goal,
        solved=found.solved,
        num_parameters=found.model.num_parameters(),
        state_size=found.model.state_size(task.num_steps),
        learning_rate=found.learning_rate,
        tried=found.tried,
        steps=found.steps,
        allowed=round(limit.seconds, 2) if math.isfinite(limit.seconds) else None,
        seconds=round(found.seconds, 2),
    )


def _rate(trials: Sequence[Trial], task: Task, name: str) -> float:
    """The rate that solved the longest of the shorter lengths, or the one of the variant."""
    shorter = [
        row
        for row in trials
        if (row.task, row.model) == (task.name, name) and row.length < task.length
    ]
    if not shorter:
        return VARIANTS[name].rate
    return max(shorter, key=lambda row: row.length).learning_rate


def _save(out: Path, probes: Probes, language: Language) -> None:
    write_json(out / RESULTS, probes.to_json())
    if probes.trials:
        write_text(out / REPORT, html(probes, language))
