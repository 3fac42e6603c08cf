"""`unrolled probe`: what each kind of layer can remember."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from ..probes.request import CURES, LENGTHS, MODELS, PLAIN, TASKS, ProbeRequest
from ..report.probes import reached, score, verdict
from ..report.words import Language, Words
from ..results.probes import Probes, Trial, TrialProgress
from ..settings.training import Budget

Many = Parameter(negative=(), consume_multiple=True)
MODELS_HELP = f"Layers: {', '.join(PLAIN)} and variants with a remedy: {', '.join(CURES)}."


def probe(  # noqa: PLR0913  a parameter is a flag
    *,
    out: Path,
    tasks: Annotated[tuple[str, ...], Many] = TASKS,
    models: Annotated[tuple[str, ...], Many, Parameter(help=MODELS_HELP)] = MODELS,
    lengths: Annotated[tuple[int, ...], Many] = LENGTHS,
    budget: str = "10m",
    parameters: int = ProbeRequest.num_parameters,
    batch_size: int | None = None,
    seed: int = 0,
    language: Language = "en",
) -> int:
    """Train layers on synthetic memory tasks of increasing length.

    Example: unrolled probe --tasks adding --models rnn gru --lengths 20 50 --out runs/probe

    Parameters
    ----------
    out
        Folder to write: results.json and report.html. Finished trials in it are kept: after a stop,
        the same command resumes.
    tasks
        Tasks: adding, copy, selective-copy, recall, parity.
    lengths
        Sequence lengths T; a model that fails at one skips the longer ones.
    budget
        Wall-clock time for everything (10m), or tokens that each trial trains on (2Mtokens).
    parameters
        Number of parameters of every model, without its embedding.
    batch_size
        Sequences per update; default: 16 to 64, by task.
    seed
        Random seed of sequences and weights.
    language
        Language of the verdict and the report: en or zh.
    """
    amount = Budget.parse(budget)
    request = ProbeRequest(tasks, models, lengths, amount, parameters, batch_size, seed, language)
    from ..probes.run import REPORT
    from ..probes.run import probe as run

    with _Shown() as on_trial:
        result = run(out, request, on_trial)
    _print(result, request, out / REPORT)
    return 0


class _Shown:
    """Shows the running trial and reports each finished one, on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.status = self.console.status("Starting.")

    def __enter__(self) -> "_Shown":
        self.status.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.status.stop()

    def __call__(self, row: TrialProgress | Trial) -> None:
        """Shows how far a trial is, or what it came to."""
        if isinstance(row, Trial):
            done = "solved" if row.solved else "not solved"
            self.console.print(
                f"{row.task} {row.length} {row.model}: {done}, {score(row)} "
                f"after {row.steps:,} steps, {row.seconds:.0f} s",
                markup=False,
            )
            return
        now = "" if row.score is None else f", now at {row.score:.3g}"
        name = f"{row.task} {row.length} {row.model}"
        self.status.update(f"{name}: {row.fraction:.0%} of its share{now}")


def _print(result: Probes, request: ProbeRequest, report: Path) -> None:
    """The table tasks x lengths x models, the verdict, and where the pictures are."""
    console = Console(highlight=False)
    for task in dict.fromkeys(request.tasks):
        rows = [row for row in result.trials if row.task == task]
        console.print(_table(task, rows, request))
    words = Words("probes", request.language)
    console.print(verdict(result.trials, words), markup=False, soft_wrap=True)
    console.print(f"Pictures and conditions: {report}", markup=False, soft_wrap=True)


def _table(task: str, rows: Sequence[Trial], request: ProbeRequest) -> Table:
    measure: Literal["loss", "accuracy"] = rows[0].measure
    better = "loss, less is better" if measure == "loss" else "accuracy"
    table = Table(title=f"{task} ({better}; solved in bold)")
    table.add_column("model")
    lengths = sorted(set(request.lengths))
    for heading in (*map(str, lengths), "solved up to"):
        table.add_column(heading, justify="right")
    for model in dict.fromkeys(request.models):
        cells = {row.length: row for row in rows if row.model == model}
        shown = [_cell(cells.get(length)) for length in lengths]
        table.add_row(model, *shown, str(reached(rows, task, model) or "-"))
    return table


def _cell(row: Trial | None) -> str:
    if row is None:
        return "failed before"
    return f"[bold]{score(row)}[/bold]" if row.solved else score(row)
