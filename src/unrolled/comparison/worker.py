"""One training in a process of its own, so that the memory it reports is its own.

What the finished run costs to use is measured there too: speeds, loss by position, samples.

`python -m unrolled.comparison.worker` reads a job as one JSON line and answers with events as JSON
lines.
"""

import json
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
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
    never,
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
POLL_SECONDS = 0.1
SAVING_SECONDS = 10.0
"""For a worker that was told to stop; a large model is still being written then."""
LIMIT_SECONDS = 2.0
"""Where the budget is a time, that samples take at most, and losses by position."""


def measure(run: Path, text: PreparedText) -> None:
    """Measures a finished run and keeps the figures in its config.json, under "measured".

    Where the budget is a time, a slow model writes shorter samples and reads fewer windows.
    """
    opened = load(run)
    split, train_config = opened.results.split, opened.config.train
    by_clock = train_config is not None and train_config.budget.unit == "seconds"
    limit = LIMIT_SECONDS if by_clock else math.inf
    tokens, info = text.store.tokens(split), text.store.split(split)
    speed = generating_speed(opened.model, SECONDS)
    num_tokens = round(SAMPLE_BYTES * info.num_tokens / info.num_bytes)
    settings = SamplingConfig(
        temperature=0.8, max_tokens=max(1, round(min(num_tokens, limit * speed / NUM_SAMPLES)))
    )
    measured = Measured(
        score_tokens_per_second=scoring_speed(opened.model, tokens, SECONDS),
        generate_tokens_per_second=speed,
        loss_by_position=[
            Position(row.position, to_bits_per_byte(row.nats_per_token, info))
            for row in loss_by_position(opened.model, tokens, limit_seconds=limit)
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


def run_worker(job: Job, on_event: OnEvent = ignore, stop: Stop = never) -> None:
    """Trains or resumes a run in a new process, then measures it.

    Ctrl-C in a terminal reaches this process alone, which passes it on. When this process dies,
    the worker's standard input ends, and the worker stops too.

    Args:
        stop: Asked several times a second; once true, the worker saves the run and ends.

    Raises:
        Interrupted: `stop` returned true, or the worker was told to stop.
        WorkerError: the training failed; the message is its own.
    """
    command = [sys.executable, "-m", "unrolled.comparison.worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    ) as process:
        try:
            _listen(process, job, on_event, stop)
            if stop():
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(SAVING_SECONDS)
                raise Interrupted
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise WorkerError(f"Training {job.run} ended with exit code {process.returncode}.")


def _listen(process: subprocess.Popen[bytes], job: Job, on_event: OnEvent, stop: Stop) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(job.to_json()).encode() + b"\n")
    process.stdin.flush()
    for line in _lines(process, stop):
        event = event_from_json(json.loads(line))
        if isinstance(event, Failed):
            raise WorkerError(event.text)
        if isinstance(event, Stopped):
            raise Interrupted
        on_event(event)


def _lines(process: subprocess.Popen[bytes], stop: Stop) -> Iterator[bytes]:
    """What a worker writes, until it ends or is to stop."""
    assert process.stdout is not None
    pending = b""
    while not stop():
        ready, _, _ = select.select([process.stdout], [], [], POLL_SECONDS)
        if not ready:
            continue
        piece = os.read(process.stdout.fileno(), 1 << 16)
        if not piece:
            return
        *lines, pending = (pending + piece).split(b"\n")
        yield from lines


def work(job: Job, on_event: OnEvent, stop: Stop) -> None:
    """Does one job in this process."""
    run, text = job.run, PreparedText.open(job.text)
    if not (run / CONFIG).exists():
        train(run, job.request, on_event, stop, GradientMonitor, text=text)
    elif load_config(run).results is None:  # else only measuring it was cut short
        resume(run, on_event, stop, GradientMonitor)
    measure(run, text)


def _send(event: Event) -> None:
    print(json.dumps(event.to_json()), flush=True)


def main() -> None:
    """Reads the job, does it, reports."""
    keep_freed_memory()
    with stop_on_interrupt() as stop:
        line = sys.stdin.readline()
        if not line:  # its parent was killed before it said what to do
            return
        threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
        with suppress(BrokenPipeError, KeyboardInterrupt):  # nobody listens any more
            _answer(line, stop)
            os._exit(0)
        os._exit(1)


def _stop_at_end_of_input() -> None:
    """Without its parent a worker has nobody to work for."""
    sys.stdin.read()
    signal.raise_signal(signal.SIGTERM)


def _answer(line: str, stop: Stop) -> None:
    try:
        with naming_lack_of_memory():
            work(Job.from_json(json.loads(line)), _send, stop)
    except (Interrupted, KeyboardInterrupt):
        _send(Stopped())
    except UnrolledError as error:
        _send(Failed(text=str(error)))


if __name__ == "__main__":
    main()
