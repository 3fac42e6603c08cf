"""What a single call from Python costs: processor time as it comes, against that of one thread.

    python benchmarks/single_calls.py [--rounds 7] [--calls 30]

Small models of random weights, and a classifier trained for a moment on tests/data/reviews.csv.
Each is called in two processes that take turns: one with default settings, one with
OMP_NUM_THREADS=1. Printed are milliseconds of the processor a call, all threads counted, the median
over the rounds, and the ratio (goal: at most 1.2).
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

REVIEWS = Path(__file__).parents[1] / "tests" / "data" / "reviews.csv"
PREFIX = "It was a bright cold day in April, and the clocks were "
TEXT = PREFIX + "striking thirteen."
GOAL = 1.2


def main() -> None:
    """Prints a row for each call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=30, help="in a round")
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        answer(arguments.calls)
        return
    with start(arguments.calls, {}) as usual, start(arguments.calls, one_thread()) as alone:
        print(ask(usual))
        ask(alone)
        rounds = [(json.loads(ask(usual)), json.loads(ask(alone))) for _ in range(arguments.rounds)]
        for process in (usual, alone):
            process.stdin.close()  # pyrefly: ignore[missing-attribute]
    print(f"\n{'call':<26}{'default':>10}{'one thread':>12}{'ratio':>8}")
    ratios = {}
    for name in rounds[0][0]:
        first, second = (median(both[i][name] for both in rounds) for i in (0, 1))
        ratios[name] = round(first / second, 3)
        print(f"{name:<26}{first:>7.2f} ms{second:>9.2f} ms{ratios[name]:>8.2f}")
    print(json.dumps({"goal": GOAL, "ratios": ratios}))


def one_thread() -> dict[str, str]:
    """The environment of a process that has one."""
    return {"OMP_NUM_THREADS": "1"}


def start(num_calls: int, environment: dict[str, str]) -> subprocess.Popen[str]:
    """A process that measures a round for each line that it reads."""
    command = [sys.executable, __file__, "--answer", "--calls", str(num_calls)]
    settings = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return subprocess.Popen(
        command,
        env=settings | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(process: subprocess.Popen[str]) -> str:
    """A line for a line."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def answer(num_calls: int) -> None:
    """Measures a round for each line of standard input; the first is answered by the conditions."""
    calls = prepare()
    for number, _ in enumerate(sys.stdin):
        if number == 0:
            for call in calls.values():
                call()
            print(conditions(), flush=True)
            continue
        costs = {}
        for name, call in calls.items():
            began = time.process_time()
            for _ in range(num_calls):
                call()
            costs[name] = 1000 * (time.process_time() - began) / num_calls
        print(json.dumps(costs), flush=True)


def conditions() -> str:
    """Machine, threads, versions."""
    import torch

    from unrolled.kernels import status
    from unrolled.system.machine import machine, versions

    threads, spins = torch.get_num_threads(), os.environ.get("GOMP_SPINCOUNT")
    return f"{machine()}; {threads} threads; torch {versions()['torch']}; {status()}; spins {spins}"


def prepare() -> dict[str, Callable[[], Any]]:
    """The calls, by name."""
    import unrolled
    from unrolled.models.build import build
    from unrolled.settings.presets import model_preset
    from unrolled.text.tokenizers import ByteTokenizer

    tokenizer, settings = ByteTokenizer(), unrolled.SamplingConfig(max_tokens=20)
    calls: dict[str, Callable[[], Any]] = {}
    for kind in ("rnn", "gru", "lstm", "transformer"):
        config = model_preset(kind, "small", tokenizer.vocab_size)
        model = build(config, tokenizer.vocab_size).eval()
        calls |= {
            f"next_tokens {kind}": lambda m=model: unrolled.next_tokens(m, tokenizer, PREFIX),
            f"score_text {kind}": lambda m=model: unrolled.score_text(m, tokenizer, TEXT),
            f"generate {kind}": lambda m=model: unrolled.generate(m, tokenizer, PREFIX, settings),
        }
    with REVIEWS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    texts, labels = zip(*((row["review"], row["opinion"]) for row in rows), strict=True)
    for kind in ("linear", "gru", "lstm"):
        classifier = unrolled.TextClassifier(kind=kind, budget="1epoch").fit(texts, labels)
        calls[f"predict_proba {kind}"] = lambda c=classifier: c.predict_proba([TEXT])
    return calls


if __name__ == "__main__":
    main()
