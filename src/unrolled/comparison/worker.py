"""One training in a process of its own, so that the memory it reports is its own.

`python -m unrolled.comparison.worker` reads a job as one JSON line and answers with events as JSON
lines.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..diagnosis.monitor import GradientMonitor
from ..errors import UnrolledError, WorkerError
from ..results.events import (
    Event,
    Failed,
    Interrupted,
    OnEvent,
    Stop,
    Stopped,
    event_from_json,
    ignore,
)
from ..runs.config import CONFIG, load_config
from ..runs.prepared import PreparedText
from ..system.interrupt import stop_on_interrupt
from ..system.machine import keep_freed_memory
from ..system.records import Record
from ..training.language_model import TrainRequest, resume, train
from .measuring import measure


@dataclass(frozen=True)
class Job(Record):
    """What a worker does."""

    run: Path
    request: TrainRequest
    text: Path
    """Folder of the prepared text."""
    began: float
    """`time.monotonic()` when the budget began to run."""


def run_worker(job: Job, on_event: OnEvent = ignore) -> None:
    """Trains or resumes a run in a new process, then measures it.

    Raises:
        Interrupted: Ctrl-C was pressed; the run is saved.
        WorkerError: the training failed; the message is its own.
    """
    command = [sys.executable, "-m", "unrolled.comparison.worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(job.to_json()) + "\n")
        process.stdin.close()
        for line in process.stdout:
            event = event_from_json(json.loads(line))
            if isinstance(event, Failed):
                raise WorkerError(event.text)
            if isinstance(event, Stopped):
                raise Interrupted
            on_event(event)
    if process.returncode:
        raise WorkerError(f"Training {job.run} ended with exit code {process.returncode}.")


def work(job: Job, on_event: OnEvent, stop: Stop) -> None:
    """Does one job in this process."""
    run, text = job.run, PreparedText.open(job.text)
    if not (run / CONFIG).exists():
        train(run, job.request, on_event, stop, GradientMonitor, job.began, text)
    elif load_config(run).results is None:  # else only measuring it was cut short
        resume(run, on_event, stop, GradientMonitor)
    measure(run, text)


def _send(event: Event) -> None:
    print(json.dumps(event.to_json()), flush=True)


def main() -> None:
    """Reads the job, does it, reports."""
    keep_freed_memory()
    parent = os.getppid()
    with stop_on_interrupt() as interrupted:
        try:
            # Without its parent nobody listens any more.
            _answer(lambda: interrupted() or os.getppid() != parent)
        except BrokenPipeError:
            os._exit(1)


def _answer(stop: Stop) -> None:
    try:
        work(Job.from_json(json.loads(sys.stdin.readline())), _send, stop)
    except Interrupted:
        _send(Stopped())
    except UnrolledError as error:
        _send(Failed(text=str(error)))


if __name__ == "__main__":
    main()
