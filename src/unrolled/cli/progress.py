"""What the terminal shows while a model trains, and what Ctrl-C does."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar


class Progress:
    """Hears the records of a training and draws one bar from them, on stderr."""

    def __init__(self, title: str = "") -> None:
        self.title = title
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
        )
        self.task: TaskID | None = None
        self.valid = ""

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def __call__(self, record: dict[str, Any]) -> None:
        """Shows one record."""
        if "text" in record:
            self.console.print(f"{self.title}{record['text']}")
            return
        if self.task is None:
            self.task = self.bar.add_task(self.title or "training", total=1.0, figures="")
        if "valid" in record:
            self.valid = f"valid {record['valid']:.3f}"
        loss = f"train {record['train']:.3f}" if "train" in record else ""
        seconds, fraction = record["seconds"], max(record["fraction"], 1e-6)
        figures = (
            f"{loss}  {self.valid} bits/byte  {record['tokens'] / max(seconds, 0.1):,.0f} tokens/s"
            f"  {clock(seconds * max(0.0, 1 / fraction - 1))} left"
        )
        self.bar.update(self.task, completed=min(record["fraction"], 1.0), figures=figures)


def clock(seconds: float) -> str:
    """Seconds as minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C into a request to stop tidily; a second one ends at once."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
