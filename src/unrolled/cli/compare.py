"""`unrolled compare`: all kinds of model on one text."""

import sys
import time
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from ..report.words import Language
from ..results.comparison import Comparison
from ..settings.kinds import COMPARED, KindName, Match, SizeChoice
from ..settings.training import Budget
from .options import DataOptions, Texts, known_kinds, required

Format: TypeAlias = Literal["table", "csv", "json", "latex", "markdown"]


def compare(  # noqa: PLR0913  a parameter is a flag
    texts: Texts = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    /,
    *,
    out: Path,
    budget: str | None = None,
    models: Annotated[
        tuple[KindName | str, ...],
        Parameter(
            negative=(), consume_multiple=True, show_default=", ".join, validator=known_kinds
        ),
    ] = COMPARED,
    size: SizeChoice = "auto",
    match: Match = "time",
    seeds: int = 1,
    seed: int = 0,
    resume: Annotated[bool, Parameter(negative=())] = False,
    precision: Literal["float32", "bfloat16"] | None = None,
    threads: int | None = None,
    language: Language = "en",
    format: Format = "table",
    data: DataOptions = DataOptions(),  # noqa: B008
) -> int:
    """Train several kinds of model on your text, rank them, and recommend one.

    Example: unrolled compare my-texts/ --budget 10m --out runs/mine

    Without texts, what an earlier comparison wrote to --out is printed again.

    Parameters
    ----------
    out
        Folder to write: report.html, comparison.json, and a run folder for each model.
    budget
        Wall-clock time for everything, split evenly over the networks (10m), or tokens
        (2Mtokens) or epochs (3epochs) for each of them; default: 10m. With --resume: default what
        it was, and more lets all go on for longer.
    models
        Kinds of model to compare, or module:Class for one of yours.
    size
        Size of the networks; auto: by the budget, the text and the speed of this machine.
    match
        What is held equal between the networks: their time, the tokens that they read (in about
        the same total time), or their parameters (in equal time).
    seeds
        Runs per network with different seeds, for a standard deviation.
    seed
        First random seed.
    resume
        Resume a stopped or killed comparison; repeat its other flags.
    precision
        Precision of matrix products; default: the faster one on this machine, or float32 where
        the budget is in tokens or epochs.
    threads
        Number of threads; default: the faster of one and all, or all where the budget is in
        tokens or epochs.
    language
        Language of the recommendation and the report: en or zh.
    format
        What to print: table: the ranking and the recommendations; csv: all figures, exact; json:
        what stands in comparison.json; latex, markdown: the ranking.
    """
    began = time.monotonic()
    limit = Budget.parse("10m" if budget is None else budget)
    from ..comparison import comparison

    if not texts and not resume and budget is None:
        found = comparison.load_comparison(out)
        if found is not None and found.models:
            _show(found, out, format, language)
            return 0
    source = data.config(required(texts))
    from ..results.events import Interrupted
    from ..system.interrupt import stop_on_interrupt
    from ..training.request import TrainRequest
    from .progress import Progress

    try:
        with Progress() as progress, stop_on_interrupt() as interrupted:
            settings = {"precision": precision, "threads": threads}
            before = comparison.load_comparison(out) if resume and budget is None else None
            train = TrainRequest(
                kind=models[0],
                data=source,
                size=size,
                budget=limit if before is None or before.budget is None else before.budget,
                seed=seed,
                train_settings={k: value for k, value in settings.items() if value is not None},
            )
            request = comparison.CompareRequest(train, models, seeds, match, language)
            result = comparison.compare(out, request, progress, resume, began, interrupted)
    except (Interrupted, KeyboardInterrupt):
        found = comparison.load_comparison(out)
        if found is not None and found.models:
            _show(found, out, format, language)
        saved = "and saved. Resume with the same command and --resume."
        print(f"Stopped {saved}" if out.is_dir() else "Stopped.", file=sys.stderr)
        return 130
    _show(result, out, format, language)
    return 0


def _show(result: Comparison, out: Path, format: Format, language: Language) -> None:
    from ..comparison.comparison import REPORT
    from .tables import print_comparison, print_comparison_as

    if format == "table":
        print_comparison(result, language, out / REPORT)
    else:
        print_comparison_as(result, format, language)
