"""One training in a process of its own, so that the memory it reports is its own.

What the finished run costs to use is measured there too: speeds, loss by position, samples.

`python -m unrolled.comparison.worker` reads a job as one JSON line and answers with events as JSON
lines.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ..diagnosis.monitor import GradientMonitor
from ..errors import UnrolledError, WorkerError
from ..inference.evaluation import loss_by_position, scoring_speed, to_bits_per_byte
from ..inference.generation import SamplingConfig, generate, sample_ids
from ..models.base import LanguageModel
from ..results.comparison import Position
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
from ..results.run import Measured
from ..runs.folder import CONFIG, load, load_config, save_config
from ..runs.prepared import PreparedText
from ..system.interrupt import stop_on_interrupt
from ..system.machine import keep_freed_memory, naming_lack_of_memory
from ..system.records import Record
from ..text.tokenizers import BOUNDARY_ID
from ..training.language_model import TrainRequest, resume, train

SECONDS = 1.0
"""Time that each speed is measured for."""
SAMPLE_BYTES = 400
NUM_SAMPLES = 3


def measure(run: Path, text: PreparedText) -> None:
    """Measures a finished run and keeps the figures in its config.json, under "measured"."""
    opened = load(run)
    split = opened.results.split
    tokens, info = text.store.tokens(split), text.store.split(split)
    settings = SamplingConfig(
        temperature=0.8, max_tokens=round(SAMPLE_BYTES * info.num_tokens / info.num_bytes)
    )
    measured = Measured(
        score_tokens_per_second=scoring_speed(opened.model, tokens, SECONDS),
        generate_tokens_per_second=generating_speed(opened.model, SECONDS),
        loss_by_position=[
            Position(row.position, to_bits_per_byte(row.nats_per_token, info))
            for row in loss_by_position(opened.model, tokens)
        ],
        samples=generate(
            opened.model, opened.tokenizer, "", settings, NUM_SAMPLES, opened.boundaries
        ),
        sampling=asdict(settings),
    )
    save_config(run, replace(opened.config, measured=measured))


@torch.inference_mode()
def generating_speed(model: LanguageModel, seconds: float) -> float:
    """Tokens per second of one text written token by token, measured for about `seconds`."""
    settings = SamplingConfig(max_tokens=1 << 30)
    done, started = 0, time.perf_counter()
    while True:  # a text may end early; then the next one begins
        for _ in sample_ids(model, [BOUNDARY_ID], settings, 1):
            done += 1
            elapsed = time.perf_counter() - started
            if elapsed >= seconds:
                return done / elapsed


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
        with naming_lack_of_memory():
            work(Job.from_json(json.loads(sys.stdin.readline())), _send, stop)
    except Interrupted:
        _send(Stopped())
    except UnrolledError as error:
        _send(Failed(text=str(error)))


if __name__ == "__main__":
    main()
