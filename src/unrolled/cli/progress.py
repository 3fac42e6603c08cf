"""What the terminal shows while models train."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar


class Progress:
    """Hears the records of trainings and draws one bar for each, on stderr."""

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.tasks:
            self.bar.stop()

    def __call__(self, record: dict[str, Any]) -> None:
        """Shows one record; "run" tells which training it comes from where there are several."""
        run = record.get("run", "training")
        if "text" in record:
            prefix = f"{run}: " if "run" in record else ""
            self.console.print(f"{prefix}{record['text']}", markup=False)
            return
        if record["kind"] == "gradient":
            return
        if not self.tasks:
            self.bar.start()
        if run not in self.tasks:
            self.tasks[run] = self.bar.add_task(run, total=1.0, figures="")
        if "valid" in record:
            self.valid[run] = f"valid {record['valid']:.3f} "
        fraction = min(record["fraction"], 1.0)
        if record["kind"] == "end":
            fraction = 1.0
        figures = self._figures(record, self.valid.get(run, ""), fraction)
        self.bar.update(self.tasks[run], completed=fraction, figures=figures)

    @staticmethod
    def _figures(record: dict[str, Any], valid: str, fraction: float) -> str:
        seconds = max(record["seconds"], 0.1)
        loss = f"train {record['train']:.3f} " if record.get("train") is not None else ""
        rate = f"{record['tokens'] / seconds:,.0f} tokens/s"
        if fraction >= 1:
            return f"{valid}bits/byte  {rate}  {clock(seconds)}"
        left = clock(seconds * (1 / max(fraction, 1e-6) - 1))
        return f"{loss}{valid}bits/byte  {rate}  {left} left"


def clock(seconds: float) -> str:
    """Seconds as minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
