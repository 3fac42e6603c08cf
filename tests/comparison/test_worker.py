"""One training in a process of its own: how it is stopped."""

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from unrolled.comparison.worker import Job, workers
from unrolled.errors import WorkerError
from unrolled.results.events import Interrupted, Start
from unrolled.runs.folder import load_config, load_train_state
from unrolled.runs.prepared import PreparedText
from unrolled.settings.data import DataConfig
from unrolled.settings.training import Budget
from unrolled.training.request import TrainRequest

ENGLISH = str(Path(__file__).parents[1] / "data" / "english.txt")
SETTINGS = {"batch_size": 4, "sequence_length": 16, "threads": 1, "checkpoint_seconds": 1e6}
COMMAND = [sys.executable, "-m", "unrolled", "compare", ENGLISH, "--size=small", "--threads=1"]


@pytest.fixture
def job(tmp_path) -> Job:
    """A training of hours."""
    text = PreparedText.prepare(DataConfig((ENGLISH,)), tmp_path)
    budget = Budget(1e9, "tokens")
    request = TrainRequest("rnn", DataConfig((ENGLISH,)), "small", budget, 0, {}, SETTINGS)
    return Job(tmp_path / "rnn", request, text.folder)


def test_a_training_that_is_stopped_is_saved(job):
    events = []
    with pytest.raises(Interrupted), workers([job]) as (worker,):
        worker.turn(1.0, events.append, lambda: len(events) > 2)
    assert load_config(job.run).results is None
    _, values = load_train_state(job.run)
    assert values["step"] > 0  # that of the beginning is not the last one


def test_a_worker_that_is_told_to_stop_says_so(job):
    def tell(event):
        if isinstance(event, Start):
            (child,) = _children(os.getpid())
            os.kill(child, signal.SIGTERM)

    with pytest.raises(Interrupted), workers([job]) as (worker,):
        worker.turn(1.0, tell)


def test_what_a_worker_says_is_wrong_is_raised_here(job, tmp_path):
    wrong = replace(job, text=tmp_path / "none")
    with pytest.raises(WorkerError) as caught, workers([wrong]) as (worker,):
        worker.turn(1.0)
    assert str(caught.value).startswith(f"{tmp_path / 'none' / 'tokens' / 'tokenizer.json'} ")


def test_a_worker_that_was_killed_while_it_waited_is_an_error(job, tmp_path):
    job = replace(job, request=replace(job.request, budget=Budget(20_000, "tokens")))
    jobs = [job, replace(job, run=tmp_path / "other")]
    with pytest.raises(WorkerError, match="ended with exit code -9"), workers(jobs) as team:
        for worker in team:
            worker.turn(0.01)
        for child in _children(os.getpid()):
            os.kill(child, signal.SIGKILL)
        team[0].turn(1.0)
    assert not _children(os.getpid())


def test_a_turn_ends_with_the_first_validation_after_its_part(job):
    """Meanwhile the worker waits, its clock stands, and all is saved."""
    short = replace(job, request=replace(job.request, budget=Budget(20_000, "tokens")))
    events = []
    with workers([short]) as (worker,):
        worker.turn(0.3, events.append)
        assert 0.3 <= worker.fraction < 0.4 and not worker.is_finished
        _, saved = load_train_state(job.run)
        time.sleep(1.5)
        worker.turn(0.6, events.append)
        assert 0.6 <= worker.fraction < 0.7
        worker.turn(math.inf, events.append)
        assert (worker.fraction, worker.is_finished) == (1.0, True)
    looks = [event for event in events if event.kind == "valid"]
    after = next(look for look in looks if look.step > saved["step"])
    assert after.seconds - saved["seconds"] < 1.5
    assert load_config(job.run).measured is not None


def test_a_worker_whose_parent_was_killed_before_it_spoke_ends():
    command = [sys.executable, "-m", "unrolled.comparison.worker"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def _children(parent: int) -> list[int]:
    return [
        int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_search_ends_with_its_comparison(tmp_path, number):
    """Signals reach the parent alone; the worker is in its search, and there is no checkpoint."""
    out = tmp_path / "out"
    flags = ["--models", "lstm", "--budget", "100Mtokens", "--out", str(out)]
    with subprocess.Popen(
        [*COMMAND, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _wait(lambda: (out / "lstm" / "tokenizer.json").exists())
        (worker,) = _children(process.pid)
        time.sleep(0.5)
        assert not (out / "lstm" / "config.json").exists()
        process.send_signal(number)
        shown, errors = process.communicate(timeout=60)
    _wait(lambda: not Path(f"/proc/{worker}").exists())
    assert "Traceback" not in errors and shown == ""
    if number == signal.SIGKILL:
        assert process.returncode == -number
        return
    assert process.returncode == 130
    assert errors.endswith("Stopped and saved. Resume with the same command and --resume.\n")


def _wait(is_so) -> None:
    for _ in range(6000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")
