"""What the terminal shows while models train."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from ..report.probes import score as trial_score
from ..results.events import (
    End,
    Event,
    GradientNorms,
    OnEvent,
    RoundOver,
    Stopped,
    TrainStep,
    TurnOver,
    Validation,
)
from ..results.probes import Trial, TrialProgress


class Progress:
    """An `on_event` callback that draws one bar for each training, on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
        )
        self.tasks: dict[str, TaskID] = {}
        self.valid: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.tasks:
            self.bar.stop()

    def __call__(self, event: Event) -> None:
        """Shows one event; its run names the training where there are several."""
        if isinstance(event, TrainStep | Validation | End):
            self._advance(event)
        elif isinstance(event, RoundOver):
            for rank, run in enumerate(event.ranking, 1):
                if run in self.tasks:
                    self.bar.update(self.tasks[run], description=f"{rank}. {run}")
        elif not isinstance(event, GradientNorms | Stopped | TurnOver):
            prefix = f"{event.run}: " if event.run else ""
            self.console.print(f"{prefix}{event.text}", markup=False)

    def _advance(self, event: TrainStep | Validation | End) -> None:
        run = event.run or "training"
        if not self.tasks:
            self.bar.start()
        if run not in self.tasks:
            self.tasks[run] = self.bar.add_task(run, total=1.0, figures="")
        if not isinstance(event, TrainStep):
            self.valid[run] = f"valid {event.valid:.3f} "
        if isinstance(event, Validation) and event.accuracy is not None:
            self.valid[run] = f"{100 * event.accuracy:.1f} % right, {self.valid[run]}"
        fraction = 1.0 if isinstance(event, End) else min(event.fraction, 1.0)
        figures = self._figures(event, self.valid.get(run, ""), fraction)
        self.bar.update(self.tasks[run], completed=fraction, figures=figures)

    @staticmethod
    def _figures(event: TrainStep | Validation | End, valid: str, fraction: float) -> str:
        seconds = max(event.seconds, 0.1)
        train = None if isinstance(event, End) else event.train
        loss = "" if train is None else f"train {train:.3f} "
        rate = f"{event.tokens / seconds:,.0f} tokens/s"
        if fraction >= 1:
            return f"{valid}{event.unit}  {rate}  {clock(seconds)}"
        left = clock(seconds * (1 / max(fraction, 1e-6) - 1))
        return f"{loss}{valid}{event.unit}  {rate}  {left} left"


class Trials:
    """An `on_trial` callback of `probe`: the running trial, and a line for each finished one."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.status = self.console.status("Starting.")

    def __enter__(self) -> Self:
        self.status.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.status.stop()

    def __call__(self, trial: TrialProgress | Trial) -> None:
        """Shows how far a trial is, or its result."""
        name = f"{trial.task} {trial.length} {trial.model}"
        if isinstance(trial, TrialProgress):
            now = "" if trial.score is None else f", now at {trial.score:.3g}"
            self.status.update(f"{name}: {trial.fraction:.0%} of its share{now}")
            return
        solved = "solved" if trial.solved else "not solved"
        taken = f"after {trial.steps:,} steps, {trial.seconds:.0f} s"
        self.console.print(f"{name}: {solved}, {trial_score(trial)} {taken}", markup=False)


@contextmanager
def shown(tensorboard: Path | None, run: Path) -> Iterator[OnEvent]:
    """What receives the events of a training: the terminal, and event files where asked for.

    Args:
        tensorboard: Folder of the event files; the run gets a folder of its name in it.
    """
    with Progress() as progress:
        if tensorboard is None:
            yield progress
            return
        from ..training.tensorboard import EventFiles

        with EventFiles(tensorboard / run.resolve().name, progress) as files:
            yield files


def clock(seconds: float) -> str:
    """Seconds as minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
