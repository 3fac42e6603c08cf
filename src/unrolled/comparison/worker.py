"""One training in a process of its own, so that the memory it reports is its own.

`python -m unrolled.comparison.worker` reads a job as one JSON line and answers with records as
JSON lines.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import UnrolledError, WorkerError
from ..runs.folder import CONFIG, load_config
from ..runs.prepared import PreparedText
from ..settings.data import data_config_from_dict
from ..settings.training import Budget
from ..system.interrupt import stop_on_interrupt
from ..system.machine import keep_freed_memory
from ..training.language_model import Stop, TrainRequest, resume, train
from ..training.loop import Interrupted, Listener
from .measuring import measure


def run_worker(
    run: Path, request: TrainRequest, text: Path, began: float, listener: Listener
) -> None:
    """Trains or resumes a run in a new process, then measures it.

    Args:
        text: Folder of the prepared text.
        began: `time.monotonic()` when the budget began to run.

    Raises:
        Interrupted: Ctrl-C was pressed; the run is saved.
        WorkerError: the training failed; the message is its own.
    """
    job = {"run": str(run), "request": asdict(request), "text": str(text), "began": began}
    command = [sys.executable, "-m", "unrolled.comparison.worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.close()
        for line in process.stdout:
            record = json.loads(line)
            if record["kind"] == "error":
                raise WorkerError(record["text"])
            if record["kind"] == "interrupted":
                raise Interrupted
            listener(record)
    if process.returncode:
        raise WorkerError(f"Training {run} ended with exit code {process.returncode}.")


def work(job: dict[str, Any], listener: Listener, stop: Stop) -> None:
    """Does one job in this process."""
    run, text = Path(job["run"]), PreparedText.open(Path(job["text"]))
    if not (run / CONFIG).exists():
        train(run, _request(job["request"]), listener, stop, job["began"], text)
    elif "results" not in load_config(run):  # else only measuring it was cut short
        resume(run, listener, stop)
    measure(run, text)


def _request(values: dict[str, Any]) -> TrainRequest:
    data = data_config_from_dict(values["data"])
    parts: dict[str, Any] = {"data": data, "budget": Budget(**values["budget"])}
    return TrainRequest(**(values | parts))


def _send(record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)


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
        work(json.loads(sys.stdin.readline()), _send, stop)
    except Interrupted:
        _send({"kind": "interrupted"})
    except UnrolledError as error:
        _send({"kind": "error", "text": str(error)})


if __name__ == "__main__":
    main()
