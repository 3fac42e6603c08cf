"""All kinds of model on the same text under the same budget: which one to choose, and why."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import mean, stdev

from ..errors import CheckpointError, ConfigError
from ..report.comparison import html
from ..report.format import rank_order
from ..report.words import Language
from ..results.comparison import ComparedModel, Comparison, CurvePoint
from ..results.events import End, Interrupted, OnEvent, Stop, Validation, ignore, named, never
from ..results.run import RunResults
from ..runs.folder import CONFIG, RunConfig, load_config, read_log
from ..runs.prepared import PreparedText, clean_up
from ..settings.check import check
from ..settings.kinds import COMPARED, KINDS, KindName
from ..settings.training import Budget
from ..system.files import locked, remove_left_behind, write_json, write_text
from ..text.files import title_of
from ..training.language_model import TrainRequest
from ..training.learning_rate import FEWEST_UPDATES
from .recommendation import recommend
from .worker import Job, run_worker

REPORT, RESULTS, BEST = "report.html", "results.json", "best"
OVERHEAD_SECONDS = 8.0
"""Kept back per run for starting a process, measuring speeds and writing samples, at least."""
FEWEST_SECONDS = 5
"""Share of a network below which a budget is refused."""


@dataclass(frozen=True)
class CompareRequest:
    """What to compare.

    Raises:
        ConfigError: a value is of another type.
    """

    train: TrainRequest
    """Text, size, settings and the whole budget; its kind and seed are replaced."""
    kinds: tuple[KindName, ...] = COMPARED
    """Default: all but "mingru"."""
    num_seeds: int = 1
    """Trainings of each kind of network; the first one is kept at `<out>/<kind>`."""
    language: Language = "en"
    """Of the report."""

    def __post_init__(self) -> None:
        check(self)


@dataclass
class Shares:
    """What each network may take of a budget: equal parts of what is left of a time."""

    budget: Budget
    began: float
    """`time.monotonic()` when the budget began to run."""
    share: Budget | None = None
    """Of every network, once it is decided."""
    is_resumed: bool = False
    """What was spent before the break is not known; the share stays what it was."""
    overhead_seconds: float = OVERHEAD_SECONDS

    @classmethod
    def of(cls, out: Path, budget: Budget, began: float) -> "Shares":
        """Those of a comparison that begins or, with runs in its folder, goes on."""
        budgets = [run.train.budget for run in _begun(out) if run.train is not None]
        share = next((each for each in budgets if each.unit == "seconds"), None)
        return cls(budget, began, share, is_resumed=share is not None)

    def next(self, num_networks: int) -> Budget:
        """The share of the next of so many networks; less than an equal one where time ran away.

        Raises:
            ConfigError: there is too little for each.
        """
        if self.budget.unit != "seconds":
            return self.budget
        spent = time.monotonic() - self.began
        seconds = (self.budget.amount - spent) / num_networks - self.overhead_seconds
        if self.share is None:
            if seconds < FEWEST_SECONDS:
                least = spent + num_networks * (self.overhead_seconds + FEWEST_SECONDS)
                rule = f"at least {math.ceil(least)}s for {num_networks} networks on this text"
                remedy = "Give more time, or compare fewer models."
                raise ConfigError("budget", rule, self.budget, remedy)
            self.share = Budget(seconds, "seconds")
        if self.is_resumed:
            return self.share
        return replace(self.share, amount=max(1.0, min(self.share.amount, seconds)))

    def account(self, run: Path, seconds: float) -> None:
        """Learns from a worker that took so long what it spends beside training."""
        results = load_config(run).results
        if results is not None:
            self.overhead_seconds = max(self.overhead_seconds, seconds - results.seconds)


def compare(
    out: str | Path,
    request: CompareRequest,
    on_event: OnEvent = ignore,
    resume: bool = False,
    began: float | None = None,
    stop: Stop = never,
) -> Comparison:
    """Trains every kind of model in its own process; writes report.html and results.json.

    A wall-clock budget is for everything; what is left after preparing the text and counting the
    n-gram is split evenly over the networks. A budget in tokens or epochs is for each of them.

    Args:
        out: Gets a run folder for each model, the report and its figures.
        on_event: Receives the events of all trainings; `event.run` names the one.
        resume: Keep the runs that are finished and continue the one that is not. Where all are,
            only the report is written again.
        began: `time.monotonic()` when the budget began to run; default now.
        stop: Asked several times a second; once true, the training is saved and all ends.

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
        if not (resume and all(_is_finished(run) for run, _ in _runs(out, request))):
            text = _text(out, request, resume)
            _train_all(
                out, request, text, Shares.of(out, request.train.budget, began), on_event, stop
            )
        comparison = collect(out, request)
        write_json(out / RESULTS, comparison.to_json())
        write_text(out / REPORT, html(comparison, request.language))
        _link_best(out, comparison)
        clean_up(out)
        for folder in (out, *(run for run, _ in _runs(out, request))):
            remove_left_behind(folder)
    return comparison


def _train_all(  # noqa: PLR0913
    out: Path,
    request: CompareRequest,
    text: PreparedText,
    shares: Shares,
    on_event: OnEvent,
    stop: Stop,
) -> None:
    runs = _runs(out, request)
    for number, (run, one) in enumerate(runs):
        if stop():
            raise Interrupted
        if _is_finished(run):
            continue
        if one.kind != "ngram":
            one = replace(one, budget=shares.next(len(runs) - number))
        began = time.monotonic()
        run_worker(Job(run, one, text.folder), named(on_event, run.name), stop)
        shares.account(run, time.monotonic() - began)


def _link_best(out: Path, comparison: Comparison) -> None:
    """Makes `<out>/best` the winner, for commands that go on with it."""
    link = out / BEST
    link.unlink(missing_ok=True)
    link.symlink_to(comparison.models[0].name, target_is_directory=True)


def _text(out: Path, request: CompareRequest, resume: bool) -> PreparedText:
    if resume:
        try:
            return PreparedText.open(out)
        except CheckpointError:  # killed while it was prepared?
            if _begun(out):
                raise
    elif any(out.iterdir()):
        raise CheckpointError(out, "is not empty", "Choose another --out, or add --resume.")
    return PreparedText.prepare(request.train.data, out)


def _begun(out: Path) -> list[RunConfig]:
    """What is known of the runs that have begun."""
    paths = sorted(out.glob(f"*/{CONFIG}"))
    return [load_config(path.parent) for path in paths]


def _runs(out: Path, request: CompareRequest) -> list[tuple[Path, TrainRequest]]:
    """Every run with what to train; the n-gram first: the others share what time it leaves."""
    kinds = sorted(request.kinds, key=[*KINDS].index)
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


def collect(out: Path, request: CompareRequest) -> Comparison:
    """Reads finished runs into one comparison, ranked by bits per byte."""
    configs = [load_config(out / kind) for kind in request.kinds]
    models = [_compared(out, config, request.num_seeds) for config in configs]
    models.sort(key=rank_order)
    results = configs[0].results
    assert results is not None
    rows = results.baselines
    if "ngram" in request.kinds:  # stands in the table itself
        rows = [row for row in rows if not row.name.endswith("-gram")]
    return Comparison(
        title=title_of(configs[0].data.texts),
        conditions=_conditions(request, configs, results),
        split=results.split,
        baselines=rows,
        models=models,
        recommendation=recommend(models),
    )


def _compared(out: Path, config: RunConfig, num_seeds: int) -> ComparedModel:
    """One row: the run of the first seed, with the mean and spread of all."""
    kind, results, measured = config.model.kind, config.results, config.measured
    assert results is not None and measured is not None
    others = range(1, 1 if kind == "ngram" else num_seeds)
    all_results = [results, *(load_config(out / f"{kind}-seed{n}").results for n in others)]
    seeds = [each.bits_per_byte for each in all_results if each is not None]
    settings = config.model.to_json() | (config.train.to_json() if config.train else {})
    return ComparedModel(
        name=kind,
        run=str(out / kind),
        bits_per_byte=mean(seeds),
        spread=stdev(seeds) if len(seeds) > 1 else None,
        seeds=seeds,
        perplexity=results.perplexity,
        perplexity_per_word=results.perplexity_per_word,
        closed_vocabulary=results.closed_vocabulary,
        num_parameters=results.num_parameters,
        train_tokens_per_second=results.train_tokens_per_second,
        score_tokens_per_second=measured.score_tokens_per_second,
        generate_tokens_per_second=measured.generate_tokens_per_second,
        peak_bytes=results.peak_bytes,
        file_bytes=results.file_bytes,
        train_seconds=results.train_seconds,
        learning_rate=config.train.learning_rate if config.train else None,
        tried_learning_rates=config.tried_learning_rates,
        notes=results.notes,
        settings=settings,
        curve=_curve(out / kind),
        loss_by_position=measured.loss_by_position,
        samples=measured.samples,
        num_updates=results.train_steps,
        doubt=next((each.doubt for each in all_results if each is not None and each.doubt), None),
    )


def _curve(run: Path) -> list[CurvePoint]:
    points = []
    for event in read_log(run):
        if isinstance(event, Validation | End):
            train = event.train if isinstance(event, Validation) else None
            points.append(CurvePoint(event.seconds, event.tokens, train, event.valid))
    return points


def _conditions(
    request: CompareRequest, configs: Sequence[RunConfig], results: RunResults
) -> dict[str, str | float]:
    config, budget = configs[0], request.train.budget
    networks = [each.train for each in configs if each.train is not None]
    share = f", {networks[0].budget.amount:.0f}s per network" if networks else ""
    return {
        "text": ", ".join(config.data.texts),
        "data hash": config.data_hash[:16],
        "scored": f"{results.split}: {results.num_bytes:,} bytes, {results.num_tokens:,} tokens",
        "tokenizer": f"{config.tokenizer.kind}, {config.vocab_size:,} symbols",
        "budget": f"{budget}{share if budget.unit == 'seconds' else ' per network'}",
        "learning rates": "three tried per network, in 15 % of its budget, where that is enough "
        f"for {FEWEST_UPDATES} updates each",
        "seeds": request.num_seeds,
        "precision": ", ".join(sorted({train.precision for train in networks})) or "float64",
        "threads": max((train.threads for train in networks), default=1),
        "machine": config.machine,
        "versions": ", ".join(f"{name} {value}" for name, value in config.versions.items()),
        "date": date.today().isoformat(),
    }
