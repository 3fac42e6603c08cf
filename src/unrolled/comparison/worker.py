"""One training in a process of its own, so that the memory it reports is its own.

What the finished run costs to use is measured there too: speeds, loss by position, samples.

`python -m unrolled.comparison.worker` reads a job as one JSON line, then for each of its turns the
part of the budget that it may use up, and answers with events as JSON lines.
"""

import json
import math
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
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
    TurnOver,
    Wait,
    event_from_json,
    ignore,
    never,
)
from ..results.run import Measured
from ..runs.folder import CONFIG, load, load_config, save_config
from ..runs.prepared import PreparedText
from ..settings.kinds import KINDS
from ..settings.own import search_path
from ..system.interrupt import stop_on_interrupt
from ..system.machine import keep_freed_memory, naming_lack_of_memory, process_began
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


class Worker:
    """A training in a process of its own, which works in turns.

    Ctrl-C in a terminal reaches this process alone, which passes it on. When this process dies,
    the worker's standard input ends, and the worker stops too.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.fraction = 0.0
        """Part of its budget that is used up."""
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    @property
    def is_finished(self) -> bool:
        """Whether the process has done its work."""
        return self._process is not None and self._process.poll() == 0

    def turn(self, until: float, on_event: OnEvent = ignore, stop: Stop = never) -> None:
        """Lets it train until that part of its budget is used up, and a validation follows.

        The process begins with the first turn. The one that uses up the whole budget measures the
        finished run too, and ends the process.

        Args:
            stop: Asked several times a second; once true, the worker saves the run and ends.

        Raises:
            Interrupted: `stop` returned true, or the worker was told to stop.
            WorkerError: the training failed; the message is its own.
        """
        process = self._start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # why it ended is in what it wrote
            process.stdin.write(json.dumps(until).encode() + b"\n")
            process.stdin.flush()
        for line in self._lines(process, stop):
            event = event_from_json(json.loads(line))
            if isinstance(event, Failed):
                raise WorkerError(event.text)
            if isinstance(event, Stopped):
                raise Interrupted
            if isinstance(event, TurnOver):
                self.fraction = event.fraction
                return
            on_event(event)
        if stop():
            raise Interrupted
        if process.wait():
            raise WorkerError(f"Training {self.job.run} ended with exit code {process.returncode}.")
        self.fraction = 1.0

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-m", "unrolled.comparison.worker"]
            own = {} if self.job.request.kind in KINDS else {"PYTHONPATH": search_path()}
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                process_group=0,
                env=os.environ | own,
            )
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(self.job.to_json()).encode() + b"\n")
        return self._process

    def _lines(self, process: subprocess.Popen[bytes], stop: Stop) -> Iterator[bytes]:
        """What the worker writes, until it ends or is to stop."""
        assert process.stdout is not None
        while not stop():
            line, end, rest = self._pending.partition(b"\n")
            if end:
                self._pending = rest
                yield line
                continue
            ready, _, _ = select.select([process.stdout], [], [], POLL_SECONDS)
            if not ready:
                continue
            piece = os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                return
            self._pending += piece

    def tell_to_stop(self) -> None:
        """Asks it to save what it has and to end; where it waits for its turn, all is saved."""
        if self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """Waits until it has ended, and ends it where that takes long."""
        if self._process is None:
            return
        process = self._process
        try:
            process.wait(SAVING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None and process.stdout is not None
        process.stdout.close()
        with suppress(BrokenPipeError):  # what it did not live to read
            process.stdin.close()


@contextmanager
def workers(jobs: Iterable[Job]) -> Iterator[list[Worker]]:
    """Workers for several jobs; whatever happens, none is left behind."""
    made = [Worker(job) for job in jobs]
    try:
        yield made
    finally:
        for worker in made:
            worker.tell_to_stop()
        for worker in made:
            worker.close()


class _Turns:
    """The worker's side: what the next line of standard input allows."""

    def __init__(self, stop: Stop) -> None:
        self._stop, self._until = stop, 0.0
        self._lines: queue.Queue[str] = queue.Queue()

    def listen(self) -> None:
        """Reads turns, in a thread; without its parent a worker has nobody to work for."""
        for line in sys.stdin:
            self._lines.put(line)
        signal.raise_signal(signal.SIGTERM)

    def wait(self, fraction: float) -> None:
        """Returns when it may go on.

        Raises:
            Interrupted: it is to stop.
        """
        if fraction < self._until - 1e-6:
            return
        if self._until:
            _send(TurnOver(fraction=fraction))
        while not self._stop():
            with suppress(queue.Empty):
                self._until = float(self._lines.get(timeout=POLL_SECONDS))
                return
        raise Interrupted


def work(job: Job, on_event: OnEvent, stop: Stop, wait: Wait) -> None:
    """Does one job in this process."""
    run, text, began = job.run, PreparedText.open(job.text), process_began()
    if not (run / CONFIG).exists():
        train(run, job.request, on_event, stop, GradientMonitor, began, text, wait)
    elif load_config(run).results is None:  # else only measuring it was cut short
        resume(run, on_event, stop, GradientMonitor, wait, job.request.budget)
    measure(run, text)


def _send(event: Event) -> None:
    print(json.dumps(event.to_json()), flush=True)


def main() -> None:
    """Reads the job, does it, reports."""
    keep_freed_memory()
    with stop_on_interrupt() as stop:
        line, turns = sys.stdin.readline(), _Turns(stop)
        if not line:  # its parent was killed before it said what to do
            return
        threading.Thread(target=turns.listen, daemon=True).start()
        with suppress(BrokenPipeError, KeyboardInterrupt):  # nobody listens any more
            _answer(line, stop, turns)
            os._exit(0)
        os._exit(1)


def _answer(line: str, stop: Stop, turns: _Turns) -> None:
    try:
        with naming_lack_of_memory():
            turns.wait(0.0)
            work(Job.from_json(json.loads(line)), _send, stop, turns.wait)
    except (Interrupted, KeyboardInterrupt):
        _send(Stopped())
    except UnrolledError as error:
        _send(Failed(text=str(error)))


if __name__ == "__main__":
    main()
