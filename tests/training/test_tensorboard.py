"""TensorBoard event files, read back record by record."""

import struct
import sys
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from unrolled.cli import main
from unrolled.errors import MissingExtra
from unrolled.results.events import (
    End,
    GradientFlow,
    Message,
    Start,
    TrainStep,
    Validation,
    Warned,
    ignore,
)
from unrolled.runs.folder import read_log
from unrolled.training.loop import Training
from unrolled.training.tensorboard import EventFiles


def events(folder: Path) -> list[Event]:
    """All events of a folder: each is a length, its checksum, the event and its checksum."""
    found = []
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            found.append(Event.FromString(data[at + 12 : at + 12 + length]))
            at += length + 16
    return found


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Points (step, value) of every curve."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def starts(folder: Path) -> list[int]:
    """Steps from which on a file takes the place of those before it."""
    found = events(folder)
    return [event.step for event in found if event.session_log.status == SessionLog.START]


def test_records_become_curves(tmp_path):
    heard = []
    at = {"tokens": 8, "seconds": 1.0, "fraction": 0.5}
    records = [
        Start(step=0, text="Hello."),
        TrainStep(step=3, **at, train=2.5, gradient_norm=0.25),
        Validation(step=4, **at, train=2.25, valid=3.0),
        GradientFlow(
            step=4,
            **at,
            norm_median=0.5,
            norm_greatest=4.0,
            clip_rate=0.125,
            layer=1,
            path="hidden",
            lags=[0, 1],
            shares=[1.0, 0.5],
            half_life=1.0,
            horizon=None,
            look_seconds=0.1,
        ),
        Warned(step=5, **at, condition="vanishing", text="Gradients vanish."),
        End(step=6, **at, valid=2.75),
    ]
    with EventFiles(tmp_path / "tb", heard.append) as listener:
        for record in records:
            listener(record)
    assert heard == records
    found = curves(tmp_path / "tb")
    text = found.pop("warnings/text_summary")
    assert [step for step, _ in text] == [5]
    assert found == {
        "bits_per_byte/train": [(3, 2.5), (4, 2.25)],
        "bits_per_byte/valid": [(4, 3.0), (6, 2.75)],
        "gradient/norm": [(3, 0.25)],
        "gradient/norm_median": [(4, 0.5)],
        "gradient/norm_greatest": [(4, 4.0)],
        "gradient/clip_rate": [(4, 0.125)],
        "gradient/half_life": [(4, 1.0)],
    }
    said = [event for event in events(tmp_path / "tb") if b"Gradients" in event.SerializeToString()]
    assert [event.step for event in said] == [5]


def test_trainings_of_classifiers_have_folders_and_units_of_their_own(tmp_path):
    at = {"tokens": 8, "seconds": 1.0, "fraction": 0.5, "unit": "nats/text"}
    with EventFiles(tmp_path / "tb", ignore) as on_event:
        on_event(Message(run="linear", text="Trained."))
        for run in ("gru", "gru backward"):
            on_event(Start(run=run, step=0, text="Hello."))
            on_event(Validation(run=run, step=4, **at, train=0.5, valid=0.75, accuracy=0.625))
    assert sorted(path.name for path in (tmp_path / "tb").iterdir()) == ["gru", "gru backward"]
    assert curves(tmp_path / "tb" / "gru") == {
        "nats_per_text/train": [(4, 0.5)],
        "nats_per_text/valid": [(4, 0.75)],
        "accuracy/valid": [(4, 0.625)],
    }


def test_nothing_heard_writes_nothing(tmp_path):
    with EventFiles(tmp_path / "tb", ignore):
        pass
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra(tmp_path, monkeypatch, english, capsys):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtra) as caught:
        EventFiles(tmp_path, ignore)
    said = "TensorBoard output needs an extra: pip install 'unrolled[track]'."
    assert str(caught.value) == said
    out = str(tmp_path / "run")
    assert main(["train", english, "--out", out, "--tensorboard", str(tmp_path / "tb")]) == 1
    assert capsys.readouterr().err == f"error: {said}\n"
    assert not Path(out).exists()


def test_a_resumed_run_goes_on_along_the_same_axis(tmp_path, english, monkeypatch, capsys):
    run, board = tmp_path / "run", tmp_path / "tb"
    update = Training.update

    def stops(self, batch):
        if self.progress.step == 7:
            raise RuntimeError("killed")
        return update(self, batch)

    flags = ["--budget=6ktokens", "--hidden-size=8", "--embedding-size=8", "--batch-size=4"]
    flags += ["--threads=1", "--precision=float32", "--checkpoint-seconds=0"]
    monkeypatch.setattr(Training, "update", stops)
    arguments = ["train", english, *flags, "--out", str(run), "--tensorboard", str(board)]
    with pytest.raises(RuntimeError, match="killed"):
        main(arguments)
    assert starts(board / "run") == [1]
    monkeypatch.setattr(Training, "update", update)
    assert main(["train", "--resume", "--out", str(run), "--tensorboard", str(board)]) == 0
    assert starts(board / "run") == [1, 8]
    found = curves(board / "run")
    end = [row for row in read_log(run) if row.kind == "end"][-1]
    assert found["bits_per_byte/valid"][-1] == (end.step, pytest.approx(end.valid))
    steps = [step for step, _ in found["bits_per_byte/valid"]]
    assert steps == sorted(steps) and steps[0] < 8 < end.step
    capsys.readouterr()
