"""Measures n-gram estimation, scoring and next-word speed on PTB, beside KenLM where it is there.

    UNROLLED_DATA=FOLDER python benchmarks/ngram.py [--lmplz PATH] [--runs 7]
    UNROLLED_DATA=FOLDER python benchmarks/ngram.py --memory

FOLDER holds ptb/ptb.*.txt.zst and novels-en/novels.train.txt.zst. Where the package `kenlm` can be
imported, it reads our ARPA export: speed and agreement of its scores are printed. `--lmplz` names
KenLM's estimator, timed in turn with ours. `--memory` counts 10 M words and prints the peak.
"""

import argparse
import importlib
import importlib.metadata
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from unrolled.ngram.arpa import UNKNOWN, escape, read_arpa, write_arpa
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate

zstd = importlib.import_module(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
)

ROOT = Path(__file__).parent.parent
ORDER = 5
NUM_SENTENCES = 1000
"""Test sentences whose scores are compared with KenLM's."""


class Vocabulary:
    """Words by first appearance; 0 is the boundary, 1 is `<unk>`."""

    def __init__(self) -> None:
        self.ids = {"</s>": 0, UNKNOWN: 1}

    def encode(self, lines: Iterator[str]) -> np.ndarray:
        """One document a line, `[0, line, 0, line, ..., 0]`; empty lines are left out."""
        tokens = array("I", [0])
        for line in lines:
            if words := line.split():
                tokens.extend([self.ids.setdefault(word, len(self.ids)) for word in words])
                tokens.append(0)
        return np.frombuffer(tokens, np.uint32)


def read_lines(name: str) -> Iterator[str]:
    path = Path(os.environ["UNROLLED_DATA"]) / name
    with zstd.open(path, "rt", encoding="utf-8", newline="\n") as file:
        yield from file


def conditions() -> dict[str, Any]:
    """What a figure depends on."""
    commit = git("log", "-1", "--format=%h", "--", "src/unrolled/ngram")
    changed = git("status", "--porcelain", "--", "src/unrolled/ngram")
    models = [
        line for line in Path("/proc/cpuinfo").read_text().split("\n") if "model name" in line
    ]
    return {
        "machine": f"{models[0].partition(':')[2].strip()}, {os.cpu_count()} cores",
        "threads": 1,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "safetensors": importlib.metadata.version("safetensors"),
        "commit": commit + "-dirty" * bool(changed),
    }


def git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


class Stopwatch:
    """Keeps the seconds of every call by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def __call__(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        began = time.perf_counter()
        result = work(*arguments)
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        return result


def lmplz(binary: str, text: Path, arpa: Path) -> None:
    """Runs KenLM's estimator; its memory is limited, since the default touches most of RAM."""
    command = [binary, "-o", str(ORDER), "-S", "1G", "--text", str(text), "--arpa", str(arpa)]
    subprocess.run(command, check=True, capture_output=True)


def speed(runs: int, binary: str | None) -> dict[str, Any]:
    """Times everything on PTB."""
    vocabulary = Vocabulary()
    train = vocabulary.encode(read_lines("ptb/ptb.train.txt.zst"))
    test = vocabulary.encode(read_lines("ptb/ptb.test.txt.zst"))
    context = test[None, 1:ORDER].astype(np.int64)
    names = list(vocabulary.ids)
    clock = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        text, arpa, saved = (Path(folder) / name for name in ("train.txt", "ours.arpa", "ours.st"))
        # lmplz takes no <unk> in its text: as here, it is to be a word as any other.
        text.write_text("".join(read_lines("ptb/ptb.train.txt.zst")).replace(UNKNOWN, "UNKNOWN"))
        for _ in range(runs):
            counts = clock("count", count_ngrams, train, ORDER, len(names))
            model = clock("smooth", estimate, counts)
            clock("save", model.save, saved)
            clock("write ARPA", write_arpa, model, arpa, names)
            if binary:
                clock("lmplz: text to ARPA", lmplz, binary, text, Path(folder) / "kenlm.arpa")
            scores = clock("score the test split", model.score_stream, test)
            clock("score the training split", model.score_stream, train)
            clock("distribution after 1 context", model.next_log_probs, context)
            clock("read ARPA", read_arpa, arpa)
        kenlm = compare_with_kenlm(arpa, names, test, scores, runs, clock)
        sizes = {"safetensors": saved.stat().st_size, "arpa": arpa.stat().st_size}
    steps = [clock.seconds[name] for name in ("count", "smooth", "save")]
    times = {"estimate: count + smooth + save": np.sum(steps, axis=0).tolist(), **clock.seconds}
    figures = print_times(times, len(test) - 1, len(train) - 1)
    perplexity = math.exp(-scores.mean(dtype=np.float64))
    print(f"test perplexity {perplexity:.4f} over {len(scores)} predictions; {kenlm[0]}")
    return {
        **figures,
        "test_perplexity": perplexity,
        "test_predictions": len(scores),
        "kenlm_largest_difference_log10": kenlm[1],
        "num_ngrams": [len(level.keys) for level in model.levels],
        "file_bytes": sizes,
    }


def print_times(
    times: dict[str, list[float]], num_test: int, num_train: int
) -> dict[str, dict[str, float]]:
    print(f"\n{'milliseconds':34}{'median':>10}{'min':>10}{'max':>10}")
    figures = {}
    for name, seconds in times.items():
        low, middle, high = min(seconds), median(seconds), max(seconds)
        num_tokens = num_test * ("test split" in name) + num_train * ("training split" in name)
        rate = f"   {num_tokens / middle / 1e6:.2f} M tokens/s" if num_tokens else ""
        print(f"{name:34}{middle * 1e3:10.1f}{low * 1e3:10.1f}{high * 1e3:10.1f}{rate}")
        figures[name] = {"median_seconds": middle, "min_seconds": low, "max_seconds": high}
    return figures


def compare_with_kenlm(
    arpa: Path,
    names: list[str],
    test: np.ndarray,
    scores: np.ndarray,
    runs: int,
    clock: Stopwatch,
) -> tuple[str, float | None]:
    """Scores the test split with KenLM, sentence by sentence; says how far apart we are."""
    try:
        kenlm = importlib.import_module("kenlm")
    except ImportError:
        return "kenlm is not installed: not compared", None
    model = kenlm.Model(str(arpa))
    spelled = [name if name == UNKNOWN else escape(name) for name in names]
    cuts = np.flatnonzero(test == 0)
    pairs = list(zip(cuts[:-1], cuts[1:], strict=True))
    sentences = [" ".join(spelled[t] for t in test[a + 1 : b]) for a, b in pairs]
    for _ in range(runs):
        theirs = clock("KenLM score(), test split", lambda: [model.score(s) for s in sentences])
    ours = np.add.reduceat(scores, cuts[:-1], dtype=np.float64) / math.log(10)
    difference = float(np.abs(ours - theirs)[:NUM_SENTENCES].max())
    return f"{NUM_SENTENCES} sentences within {difference:.2g} of KenLM in log10", difference


def memory() -> dict[str, Any]:
    """Counts and smooths the novels; prints what it took."""
    vocabulary = Vocabulary()
    tokens = vocabulary.encode(read_lines("novels-en/novels.train.txt.zst"))
    before = peak_bytes()
    clock = Stopwatch()
    counts = clock("count", count_ngrams, tokens, ORDER, len(vocabulary.ids))
    model = clock("smooth", estimate, counts)
    result = {
        "num_tokens": len(tokens),
        "vocab_size": len(vocabulary.ids),
        "num_ngrams": model.num_ngrams,
        "count_seconds": clock.seconds["count"][0],
        "smooth_seconds": clock.seconds["smooth"][0],
        "peak_bytes_after_reading": before,
        "peak_bytes": peak_bytes(),
    }
    for name, value in result.items():
        print(f"{name:34}{value:>16,.6g}" if isinstance(value, float) else f"{name:34}{value:>16,}")
    return result


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--lmplz", help="KenLM's estimator, built from source")
    parser.add_argument("--memory", action="store_true", help="measure memory on 10 M words")
    options = parser.parse_args()
    if "UNROLLED_DATA" not in os.environ:
        parser.error("set UNROLLED_DATA to the folder that holds ptb/ and novels-en/")
    tests = [sys.executable, "-m", "pytest", "-q", "tests/ngram"]
    subprocess.run(tests, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    about = conditions()
    for name, value in about.items():
        print(f"{name:12}{value}")
    result = memory() if options.memory else speed(options.runs, options.lmplz)
    print(json.dumps({**about, **result}))


if __name__ == "__main__":
    main()
