"""A busy machine: how much is trained beside other processes, and whether the winner stays.

    python benchmarks/busy.py threads [--other PYTHON] [--pairs 3] [--budget 60s] [--others 0 8]
    python benchmarks/busy.py compare [--tries 10] [--budget 5m]

`threads` trains an LSTM on Shakespeare with two threads, or --threads, beside so many processes
that compute all the time, with this version and, in turn, with that of another interpreter (an
environment with another commit), and prints the tokens that each trained and their ratio.

`compare` compares on the machine as it is, then beside a planted load: two busy processes in
bursts of random length, half of the time. It prints the ranking of each try.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from unrolled.system.machine import machine, versions

TEXT = Path(__file__).parents[1] / "examples" / "shakespeare.txt.gz"
BUSY = [sys.executable, "-c", "while True: pass"]
BURST_SECONDS = 2.0, 20.0


def main() -> None:
    """Measures one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["threads", "compare"])
    parser.add_argument("--other", default="", help="an interpreter")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--budget", default="")
    parser.add_argument("--threads", type=int, default=2, help="0: as each finds best")
    parser.add_argument("--others", nargs="+", type=int, default=[0, 8])
    arguments = parser.parse_args()
    print(f"{machine()}; torch {versions()['torch']}\n")
    if arguments.what == "threads":
        for number in arguments.others:
            flags = [f"--budget={arguments.budget or '60s'}", f"--threads={arguments.threads}"]
            threads(number, arguments.other, arguments.pairs, flags)
        return
    rankings = [compare(arguments.budget or "5m")]
    print(f"as it is: {' '.join(rankings[0])}", flush=True)
    for number in range(arguments.tries):
        with bursts(number):
            rankings.append(compare(arguments.budget or "5m"))
        print(f"beside bursts: {' '.join(rankings[-1])}", flush=True)
    first, *later = rankings
    print(f"same winner: {sum(one[0] == first[0] for one in later)} of {len(later)}")
    networks = [[name for name in one if name != "ngram"] for one in rankings]
    print(f"same order of networks: {sum(n == networks[0] for n in networks[1:])} of {len(later)}")


def threads(number: int, other: str, pairs: int, flags: list[str]) -> None:
    """Prints the tokens trained beside so many busy processes."""
    pythons = {"this": sys.executable} | ({"other": other} if other else {})
    tokens: dict[str, list[int]] = {name: [] for name in pythons}
    for pair in range(pairs):
        for name in list(pythons) if pair % 2 else list(reversed(pythons)):
            with busy(number):
                tokens[name].append(trained(pythons[name], flags))
    for name, counts in tokens.items():
        print(f"{number} others, {name}: {median(counts):,} tokens ({sorted(counts)})", flush=True)
    if other:
        ratios = sorted(a / b for a, b in zip(tokens["this"], tokens["other"], strict=True))
        print(f"{number} others: ratio {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def trained(python: str, flags: list[str]) -> int:
    """The tokens that one training reads."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [python, "-m", "unrolled", "train", str(TEXT), *flags]
        command += ["--model=lstm", "--size=small", "--precision=float32"]
        subprocess.run([*command, "--out", run], check=True, capture_output=True, cwd=folder)
        return json.loads((run / "config.json").read_text("utf-8"))["results"]["train_tokens"]


def compare(budget: str) -> list[str]:
    """The ranking of one comparison."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "unrolled", "compare", str(TEXT), f"--budget={budget}"]
        subprocess.run([*command, "--out", out], check=True, capture_output=True)
        found = json.loads((out / "comparison.json").read_text("utf-8"))
    return [model["name"] for model in found["models"]]


@contextmanager
def busy(number: int) -> Iterator[None]:
    """So many processes that compute all the time."""
    processes = [subprocess.Popen(BUSY) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


@contextmanager
def bursts(seed: int) -> Iterator[None]:
    """Two busy processes, on and off for random times, on half of the time."""
    over, chance = threading.Event(), random.Random(seed)

    def run() -> None:
        over.wait(chance.uniform(*BURST_SECONDS))
        while not over.is_set():
            with busy(2):
                over.wait(chance.uniform(*BURST_SECONDS))
            over.wait(chance.uniform(*BURST_SECONDS))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main()
