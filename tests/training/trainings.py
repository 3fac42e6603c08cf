"""Small trainings to look at."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from unrolled.results.events import Event
from unrolled.settings.models import RecurrentConfig
from unrolled.settings.training import Budget, TrainConfig
from unrolled.training import clock, loop
from unrolled.training.loop import Training
from unrolled.training.state import clone_weights

V = 8
CONFIG = TrainConfig(
    budget=Budget(4096, "tokens"),
    learning_rate=0.02,
    batch_size=8,
    sequence_length=16,
    precision="float32",
    threads=1,
)
MODEL = RecurrentConfig(kind="lstm", hidden_size=16, embedding_size=8, output_dropout=0.1)
PERIOD = np.array([1, 2, 3, 1, 4, 5, 6, 7], np.uint16)  # 1 needs what was before it


def periodic(num_tokens: int) -> np.ndarray:
    return np.concatenate([[0], np.tile(PERIOD, num_tokens)[: num_tokens - 1], [0]])


def run(training: Training, **kwargs) -> tuple[float, list[Event]]:
    events: list[Event] = []
    return loop.fit(training, events.append, **kwargs), events


def snapshots(training: Training, monkeypatch) -> list[dict]:
    """Gets the weights after every update."""
    seen: list[dict] = []
    update = training.update

    def spy(batch):
        result = update(batch)
        seen.append(clone_weights(training.model))
        return result

    monkeypatch.setattr(training, "update", spy)
    return seen


def assert_weights(model: nn.Module, expected: dict) -> None:
    for name, value in model.state_dict().items():
        assert torch.equal(value, expected[name]), name


class Time:
    """A clock that only moves when it is told to."""

    def __init__(self, monkeypatch) -> None:
        self.now = 1000.0
        for module in (loop, clock):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
