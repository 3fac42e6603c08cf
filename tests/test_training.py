"""Text → run folder, also when it is killed on the way."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from unrolled import checkpoint, training
from unrolled.cli import main
from unrolled.config import Budget, DataConfig
from unrolled.errors import CheckpointError
from unrolled.fit import Training
from unrolled.training import TrainRequest

MODEL = {"hidden_size": 16, "embedding_size": 8}
TRAIN = {
    "batch_size": 4,
    "sequence_length": 32,
    "precision": "float32",
    "threads": 1,
}
BUDGET = "20ktokens"


def request(text: str, budget: str = BUDGET, **changes) -> TrainRequest:
    """A tiny LSTM with dropout, of which every number is decided."""
    values = {
        "kind": "lstm",
        "data": DataConfig((text,)),
        "budget": Budget.parse(budget),
        "model_settings": MODEL,
        "train_settings": TRAIN,
    }
    return TrainRequest(**values | changes)


def train(run: Path, *args, **kwargs) -> dict:
    """Trains without a listener, and as the command line does: with torch's usual algorithms."""
    torch.use_deterministic_algorithms(False)
    return training.train(run, *args, listener=lambda record: None, **kwargs)


def resume(run: Path) -> dict:
    torch.use_deterministic_algorithms(False)
    return training.resume(run, listener=lambda record: None)


def assert_same_weights(run: Path, other: Path) -> None:
    weights, expected = (load_file(path / checkpoint.MODEL) for path in (run, other))
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        assert torch.equal(value, expected[name]), name


def looks(run: Path) -> list[tuple[int, float]]:
    """Validation losses in the log."""
    return [(row["step"], row["valid"]) for row in checkpoint.read_log(run) if "valid" in row]


def flags(run: Path, **changes) -> list[str]:
    """The settings of `request` on the command line."""
    settings = {**MODEL, **TRAIN, "budget": BUDGET, "out": run, **changes}
    return [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]


def wait_for_step(run: Path, step: int) -> None:
    """Returns once a checkpoint of this step or a later one is there."""
    for _ in range(6000):
        try:
            if checkpoint.load_train_state(run)[1]["step"] >= step:
                return
        except CheckpointError:
            pass
        time.sleep(0.01)
    raise AssertionError("there is no checkpoint")


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> Path:
    """The run without a break, and without a checkpoint on the way."""
    run = tmp_path_factory.mktemp("whole") / "run"
    torch.set_num_threads(1)
    train(run, request(str(Path(__file__).parent / "data" / "english.txt")))
    return run


def test_kill_and_resume_end_at_the_same_weights(whole_run, tmp_path, english):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "unrolled", "train", english]
    # With a checkpoint at every step, most kills fall into the writing of one.
    with subprocess.Popen(
        [*command, *flags(run, checkpoint_seconds=0)], stderr=subprocess.DEVNULL
    ) as process:
        wait_for_step(run, 5)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    config = checkpoint.load_config(run)
    assert "results" not in config
    assert checkpoint.load(run).model.vocab_size == config["vocab_size"]  # usable meanwhile
    results = resume(run)["results"]
    assert_same_weights(run, whole_run)
    expected = checkpoint.load_config(whole_run)["results"]
    for name in ("loss_nats", "bits_per_byte", "train_tokens", "train_steps", "baselines"):
        assert results[name] == expected[name]
    assert looks(run) == looks(whole_run)
    assert {path.name for path in run.iterdir()} == {path.name for path in whole_run.iterdir()}


def test_interrupt_saves_and_resume_ends_at_the_same_weights(
    whole_run, tmp_path, english, capsys, monkeypatch
):
    def press_at_step_7(self, batch):
        if self.progress.step == 7:
            signal.raise_signal(signal.SIGINT)
        return update(self, batch)

    update, run = Training.update, tmp_path / "run"
    monkeypatch.setattr(Training, "update", press_at_step_7)
    torch.use_deterministic_algorithms(False)
    handler = signal.getsignal(signal.SIGINT)
    assert main(["train", english, *flags(run)]) == 130
    errors = capsys.readouterr().err
    said = f"Stopped and saved. Go on with: unrolled train --resume --out {run}\n"
    assert errors.endswith(said)
    assert signal.getsignal(signal.SIGINT) == handler
    assert checkpoint.load_train_state(run)[1]["step"] == 8
    assert main(["train", "--resume", "--out", str(run)]) == 0
    assert "Going on at step 8.\n" in capsys.readouterr().err
    assert_same_weights(run, whole_run)
