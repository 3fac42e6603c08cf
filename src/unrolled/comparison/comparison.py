"""All kinds of model on the same text under the same budget: which one to choose, and why."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from ..errors import CheckpointError, ConfigError
from ..report.comparison import html
from ..results.comparison import Comparison
from ..results.events import Interrupted, OnEvent, RoundOver, Stop, ignore, named, never
from ..runs.folder import CONFIG, load_config
from ..runs.prepared import PreparedText, clean_up
from ..settings.kinds import kind_order
from ..settings.training import Budget
from ..system.files import (
    locked,
    parse_json,
    remove_left_behind,
    temporary_folder,
    write_json,
    write_text,
)
from ..training.request import TrainRequest
from .collection import collect
from .matching import equal_parameters, equal_tokens
from .request import CompareRequest
from .worker import Job, workers

REPORT, RESULTS, BEST = "report.html", "comparison.json", "best"
RESERVE_SECONDS = 5.0
"""Kept back per network for measuring speeds and writing samples."""
FEWEST_SECONDS = 5
"""Share of a network below which a budget is refused."""
MOST_ROUNDS, TURN_SECONDS = 20, 3.0
"""How many turns a network has, as a rule, and what a turn takes at least."""


def compare(  # noqa: PLR0913
    out: str | Path,
    request: CompareRequest,
    on_event: OnEvent = ignore,
    resume: bool = False,
    began: float | None = None,
    stop: Stop = never,
) -> Comparison:
    """Trains every kind of model in its own process; writes report.html and comparison.json.

    A wall-clock budget is for everything; what is left after preparing the text and counting the
    n-gram is split evenly over the networks. A budget in tokens or epochs is for each of them.
    The networks train in turns, so that what disturbs the machine disturbs all; after every round
    report and figures are brought up to date.

    Args:
        out: Gets a run folder for each model, the report and its figures.
        on_event: Receives the events of all trainings; `event.run` names the one.
        resume: Keep the runs that are finished and continue those that are not, with more time
            where the budget is larger than it was. Where all are finished, only the report is
            written again.
        began: `time.monotonic()` when the budget began to run; default now.
        stop: Asked several times a second; once true, the trainings are saved and all ends.

    Raises:
        UnrolledError: the request cannot be carried out.
        Interrupted: Ctrl-C was pressed; all is saved, and `resume` continues.
    """
    began, out = time.monotonic() if began is None else began, Path(out)
    if not request.kinds or request.num_seeds < 1:
        raise ConfigError("models and seeds", "at least one", 0, "Compare at least one model.")
    for kind in request.kinds:
        if request.kinds.count(kind) > 1:
            raise ConfigError("models", "different ones", f"{kind} twice", "Name each once.")
    with locked(out):
        share = shared_before(out, request) if resume else None
        if not (resume and all(_is_finished(run) for run, _ in _runs(out, request))):
            text = _text(out, request, resume)
            share = _train_all(_Job(out, request, text, on_event, stop), share, began)
        comparison = _write(out, request, share)
        clean_up(out)
        for folder in (out, *(run for run, _ in _runs(out, request))):
            remove_left_behind(folder)
    return comparison


_Planned: TypeAlias = tuple[Path, TrainRequest]
"""A run and what to train there."""


@dataclass(frozen=True)
class _Job:
    """A comparison on its way."""

    out: Path
    request: CompareRequest
    text: PreparedText
    on_event: OnEvent
    stop: Stop


def shared_before(out: Path, request: CompareRequest) -> Budget | None:
    """The share of each network in a comparison that goes on; None: it was not decided yet.

    Raises:
        CheckpointError: its comparison.json is damaged.
        ConfigError: the budget is smaller than it was, or larger though a network is finished.
    """
    before = load_comparison(out)
    if before is None or before.budget is None or before.share is None:
        return None
    now, old = request.train.budget, before.budget
    networks = [run for run, one in _runs(out, request) if one.kind != "ngram"]
    if now == old:
        return before.share
    if now.unit != old.unit or now.amount < old.amount:
        raise ConfigError("budget", f"{old} or more, as before the break", now, "Give that.")
    if any(_is_finished(run) for run in networks):
        remedy = "Give that, or begin a new comparison in another --out."
        raise ConfigError("budget", f"{old}, since a network has finished with it", now, remedy)
    if not networks or before.share == old:
        return now
    if before.share.unit != "seconds":  # where tokens are matched
        tokens = round(now.amount / old.amount * before.share.amount)
        return replace(before.share, amount=tokens)
    more = (now.amount - old.amount) / len(networks)
    return replace(before.share, amount=before.share.amount + more)


def _share(budget: Budget, began: float, num_networks: int) -> Budget:
    """What each network may take of what is left of the budget.

    Raises:
        ConfigError: there is too little for each.
    """
    if budget.unit != "seconds" or not num_networks:
        return budget
    spent = time.monotonic() - began
    seconds = (budget.amount - spent) / num_networks - RESERVE_SECONDS
    if seconds < FEWEST_SECONDS:
        least = spent + num_networks * (RESERVE_SECONDS + FEWEST_SECONDS)
        rule = f"at least {math.ceil(least)}s for {num_networks} networks on this text"
        raise ConfigError("budget", rule, budget, "Give more time, or compare fewer models.")
    return replace(budget, amount=seconds)


def _train_all(job: _Job, share: Budget | None, began: float) -> Budget:
    """Trains what is not finished; returns the share of each network."""
    runs = _runs(job.out, job.request)
    counted = [(run, one) for run, one in runs if one.kind == "ngram"]
    _take_turns(job, counted, math.inf)
    networks = [(run, one) for run, one in runs if one.kind != "ngram"]
    wanted, store = [one for _, one in networks], job.text.store
    if job.request.match == "parameters" and networks:
        wanted = equal_parameters(wanted, store.vocab_size)
    is_resumed = share is not None
    if share is None:
        share = _share(job.request.train.budget, began, len(networks))
        if job.request.match == "tokens" and share.unit == "seconds" and networks:
            seconds, num_tokens = share.amount * len(networks), store.split("train").num_tokens
            wanted, share = equal_tokens(wanted, seconds, num_tokens, store.vocab_size)
    rounds = MOST_ROUNDS
    if share.unit == "seconds":
        rounds = max(1, min(rounds, int(share.amount / TURN_SECONDS)))
    runs = [run for run, _ in networks]
    networks = [(r, replace(one, budget=share)) for r, one in zip(runs, wanted, strict=True)]
    for number in range(job.request.num_seeds):  # not all at once: that much memory nobody has
        team = [each for each in networks if each[1].seed == job.request.train.seed + number]
        _take_turns(job, team, 1 / rounds, None if number else share, is_resumed)
        if number + 1 < job.request.num_seeds:  # a comparison of fewer seeds, but a whole one
            _write(job.out, replace(job.request, num_seeds=number + 1), share)
    return share


def _take_turns(
    job: _Job,
    runs: Sequence[_Planned],
    step: float,
    share: Budget | None = None,
    is_resumed: bool = False,
) -> None:
    """Trains several models in turns of such a part of their budgets, until all are finished.

    Args:
        share: Of the first seed: what is known is written after every round.
        is_resumed: What was known before the break stands until the end of the first round.
    """
    todo = [Job(run, one, job.text.folder) for run, one in runs if not _is_finished(run)]
    with workers(todo) as active:
        while active:
            if share is not None and not is_resumed:
                done = min(worker.fraction for worker in active)
                known = _write(job.out, job.request, share, done)
                ranking = [model.name for model in known.models]
                job.on_event(RoundOver(fraction=done, ranking=ranking))
            is_resumed = False
            least = min(worker.fraction for worker in active)
            until = step * (math.floor(least / step + 1e-6) + 1)
            for worker in active:
                if job.stop():
                    raise Interrupted
                if worker.fraction < until:
                    worker.turn(until, named(job.on_event, worker.job.run.name), job.stop)
            active = [worker for worker in active if not worker.is_finished]


def _write(
    out: Path, request: CompareRequest, share: Budget | None, cut_short: float | None = None
) -> Comparison:
    """Brings the figures, the report and the link to the best up to date."""
    comparison = collect(out, request, share, cut_short)
    if comparison.models:
        write_text(out / REPORT, html(comparison, request.language))
        _link_best(out, comparison)
    write_json(out / RESULTS, comparison.to_json())
    return comparison


def load_comparison(out: str | Path) -> Comparison | None:
    """What a comparison found so far; None: nothing was compared there yet.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = Path(out) / RESULTS
    if not path.is_file():
        return None
    try:
        return Comparison.from_json(parse_json(path.read_bytes()))
    except (ConfigError, ValueError) as error:
        problem = f"is no comparison ({str(error).rstrip('.')})"
        raise CheckpointError(path, problem, "Restore it, or compare again.") from None


def _link_best(out: Path, comparison: Comparison) -> None:
    """Makes `<out>/best` the winner, for commands that go on with it."""
    with temporary_folder(out) as folder:  # whenever it is killed, there is a best
        link = Path(folder) / BEST
        link.symlink_to(comparison.models[0].name, target_is_directory=True)
        link.replace(out / BEST)


def _text(out: Path, request: CompareRequest, resume: bool) -> PreparedText:
    if resume:
        try:
            return PreparedText.open(out)
        except CheckpointError:  # killed while it was prepared?
            if list(out.glob(f"*/{CONFIG}")):
                raise
    elif any(out.iterdir()):
        raise CheckpointError(out, "is not empty", "Choose another --out, or add --resume.")
    return PreparedText.prepare(request.train.data, out)


def _runs(out: Path, request: CompareRequest) -> list[_Planned]:
    """Every run with what to train; the n-gram first: the others share what time it leaves."""
    kinds = sorted(request.kinds, key=kind_order)
    runs = [(out / "ngram", replace(request.train, kind="ngram", train_settings={}))]
    runs *= "ngram" in kinds
    for number in range(request.num_seeds):
        for kind in (kind for kind in kinds if kind != "ngram"):
            run = out / (kind if number == 0 else f"{kind}-seed{number}")
            seed = request.train.seed + number
            runs.append((run, replace(request.train, kind=kind, seed=seed, search=True)))
    return runs


def _is_finished(run: Path) -> bool:
    return (run / CONFIG).is_file() and load_config(run).measured is not None
