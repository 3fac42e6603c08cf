"""Our recurrent layers beside those of another commit, forward and backward, in turn.

    git worktree add ../other COMMIT && scripts/setup ../other/.venv   # in that folder
    python benchmarks/commits.py ../other [--rounds 15] [elman|gru|lstm|min_gru|step ...]

Each commit runs in a process of its own, from its own checkout and virtual environment, with two
threads that do not spin while the other works; the two take turns within each round, and the one
that begins alternates. A turn is as many steps as fill a tenth of a second, at least one. Printed
are the median times of a step and the median of the rounds' ratios with its quartiles; the last
line is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import quantiles
from typing import Any

HERE = Path(__file__).resolve().parents[1]
NAMES = ["elman", "gru", "lstm", "min_gru", "step"]


def main() -> None:
    """Starts both sides and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="checkout with a .venv of its own")
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--largest", type=int, default=1024, help="largest hidden size")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.other)
        return
    sides = [start(checkout) for checkout in (HERE, arguments.other.resolve())]
    print("| layer | shape | precision | here | there | here / there | quartiles |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for case in ask(sides[0], ["cases", arguments.largest, *arguments.names]):
        num_steps = max(1, round(0.1 / max(ask(side, case) for side in sides)))
        rounds = []
        for number in range(arguments.rounds):
            order = sides if number % 2 else sides[::-1]
            times = [ask(side, num_steps) / num_steps for side in order]
            rounds.append(times if number % 2 else times[::-1])
        rows.append(show(case, rounds))
    print(json.dumps(rows))


def show(case: list[Any], rounds: list[list[float]]) -> dict[str, Any]:
    """Prints one line of the table and returns it."""
    name, shape, precision = case
    here, there = (sorted(times)[len(times) // 2] for times in zip(*rounds, strict=True))
    low, middle, high = quantiles([mine / other for mine, other in rounds], n=4)
    print(
        f"| {name} | {', '.join(map(str, shape))} | {precision} | {here * 1e3:.3g} ms "
        f"| {there * 1e3:.3g} ms | {middle:.3f} | {low:.3f}-{high:.3f} |",
        flush=True,
    )
    values = {"name": name, "shape": shape, "precision": precision, "ratio": middle}
    return values | {"here": here, "there": there}


def start(checkout: Path) -> subprocess.Popen[str]:
    """A process of a commit, which answers in JSON."""
    command = [str(checkout / ".venv/bin/python"), __file__, str(checkout), "--serve"]
    pipe, environment = subprocess.PIPE, os.environ | {"GOMP_SPINCOUNT": "1000"}
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)


def ask(side: subprocess.Popen[str], question: object) -> Any:
    """Sends a question and waits for the answer."""
    assert side.stdin is not None and side.stdout is not None
    print(json.dumps(question), file=side.stdin, flush=True)
    return json.loads(side.stdout.readline())


def serve(checkout: Path) -> None:
    """Answers questions: which cases there are, a case to make ready, a number of steps to time."""
    sys.path.insert(0, str(checkout / "benchmarks"))
    import torch

    import layers

    torch.set_num_threads(2)
    step: layers.Step | None = None
    for line in sys.stdin:
        question = json.loads(line)
        if step and isinstance(question, int):
            answer: Any = sum(layers.seconds_of(step) for _ in range(question))
        elif question[0] == "cases":
            shapes = [shape for shape in layers.SHAPES if shape[1] <= question[1]]
            answer = cases(question[2:], shapes, layers.PRECISIONS)
        else:
            step = ready(layers, *question)
            step()
            answer = layers.seconds_of(step)
        print(json.dumps(answer), flush=True)


def cases(names: list[str], shapes: list[Any], precisions: list[str]) -> list[list[Any]]:
    """What is measured: layer, sizes, precision."""
    steps = [["step", [size], "float32"] for size in (1, 4, 16, 64)] if "step" in names else []
    layers = [name for name in names if name != "step"]
    return [[n, s, p] for n in layers for s in shapes for p in precisions] + steps


def ready(layers: Any, name: str, shape: list[int], precision: str) -> Any:
    """The function to time, on the same data in both commits."""
    import torch

    torch.manual_seed(0)
    if name == "step":
        stack = [layers.LSTM(512, 512) for _ in range(2)]
        x, zeros = torch.randn(1, *shape, 512), torch.zeros(*shape, 512)

        @torch.no_grad()
        def read() -> None:
            for _ in range(layers.REPEATS):
                y = x
                for layer in stack:
                    y, _, _ = layer(y, zeros, zeros)

        return read
    E, H, T = shape
    if name != "min_gru":
        return layers.train_step(layers.our_layer(name, E, H), T, E, precision)
    module, zeros = layers.MinGRU(E, H), torch.zeros(layers.BATCH_SIZE, H)
    return layers.train_step((module, lambda x: module(x, zeros)[0]), T, E, precision)


if __name__ == "__main__":
    main()
