"""What all programs in this folder share: the article's sizes and data, and how they are driven.

A program builds and warms up its model, prints `ready {about it, as JSON}`, and then for each line
`go N` on its standard input trains N steps and prints `{"seconds": ..., "loss": ...}`: the time of
all N, and the loss of the last. It ends where its input ends. Standard library only: each program
runs in a virtual environment of its own.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import SupportsFloat

VOCAB_SIZE = 10_000
EMBEDDING_SIZE = 128
HIDDEN_SIZES = (64, 32)
BATCH = 64
LENGTH = 500
LEARNING_RATE = 1e-3
THREADS = 2
NUM_WARM_UP = 3

Step = Callable[[], SupportsFloat]
"""Trains one step; `float` of what it returns waits for the step's end and is its loss."""


def read_precision(*choices: str) -> str:
    """The precision named on the command line, by default the first of `choices`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", choices=choices, default=choices[0])
    return parser.parse_args().precision


def make_batch() -> tuple[list[list[int]], list[list[float]]]:
    """Random token ids `(B, T)` and labels `(B, 1)`, the same for all programs."""
    draw = random.Random(0)
    tokens = [[draw.randrange(VOCAB_SIZE) for _ in range(LENGTH)] for _ in range(BATCH)]
    return tokens, [[float(draw.randrange(2))] for _ in range(BATCH)]


def measure(step: Step, num_steps: int) -> tuple[float, float]:
    """Trains; returns seconds for all steps and the loss of the last."""
    began = time.perf_counter()
    for _ in range(num_steps - 1):
        step()
    loss = float(step())
    return time.perf_counter() - began, loss


def fastest(steps: dict[str, Step], num_steps: int = 3) -> str:
    """Name of the step that takes the least time, the best of three turns each."""
    for step in steps.values():
        measure(step, NUM_WARM_UP)
    turns = {name: [] for name in steps}
    for _ in range(3):
        for name, step in steps.items():
            turns[name].append(measure(step, num_steps)[0])
    return min(turns, key=lambda name: min(turns[name]))


def serve(step: Step, packages: tuple[str, ...], note: str = "") -> None:
    """Warms up, says so, and trains as many steps as each line of the input asks for."""
    measure(step, NUM_WARM_UP)
    about = {"versions": {package: version(package) for package in packages}, "note": note}
    print(f"ready {json.dumps(about)}", flush=True)
    for line in sys.stdin:
        seconds, loss = measure(step, int(line.removeprefix("go ")))
        print(json.dumps({"seconds": seconds, "loss": loss}), flush=True)
