"""How often the intervals of half-life and horizon hold the figures of many more places.

    make demo
    python benchmarks/intervals.py runs/demo/gru runs/demo/lstm runs/demo/rnn

Of each run, the gradient is followed back from 1,536 places of Shakespeare. So many of them are
drawn again and again without replacement, and their interval is held against the figures of all.
Printed is also which part of the gradient at the horizon the 1 % of the places with most of it
carry.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from unrolled.diagnosis.flow import WARM_UP, flow_of, intervals, state_gradients, text_windows
from unrolled.models.recurrent import RecurrentModel
from unrolled.results.diagnosis import Flow
from unrolled.results.interval import Interval
from unrolled.runs.folder import load
from unrolled.system.machine import machine, versions
from unrolled.text.documents import read_documents

TEXT = Path(__file__).parents[1] / "examples" / "shakespeare.txt.gz"
ALL, AT_ONCE = 1536, 64
NUMBERS = 16, 64, 256
PATHS = "hidden", "cell"


def main() -> None:
    """Prints a table of all runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{machine()}; torch {versions()['torch']}\n")
    print("| run | places | half-life held | its width | horizon held | its width |")
    print("|---|---|---|---|---|---|")
    for path in arguments.runs:
        for name, norms in measured(path):
            compare(name, norms, arguments.draws)


def measured(path: Path) -> list[tuple[str, NDArray[np.float64]]]:
    """Norms `(128, ALL)` of each path of the last layer, the first step first."""
    run = load(path)
    if not isinstance(run.model, RecurrentModel):
        sys.exit(f"error: {path} has no gradient through time")
    model = run.model.double().eval()
    text = "".join(read_documents([TEXT]))
    tokens = np.array(run.tokenizer.encode(text))
    parts = text_windows(tokens, ALL).split(AT_ONCE)
    layers = [state_gradients(model, part, WARM_UP)[-1] for part in parts]
    joined = (torch.cat(each, 1).numpy() for each in zip(*layers, strict=True))
    return [(f"{path.name}, {name}", norms) for name, norms in zip(PATHS, joined, strict=False)]


def compare(name: str, norms: NDArray[np.float64], num_draws: int) -> None:
    """A line for each number of places."""
    whole = flow_of(1, "hidden", norms)
    generator = np.random.default_rng(0)
    for number in NUMBERS:
        found = []
        for _ in range(num_draws):
            drawn = norms[:, generator.choice(ALL, number, replace=False)]
            found.append(intervals(whole.lags, drawn[::-1][whole.lags[0] :]))
        half, gone = zip(*found, strict=True)
        cells = (*held(half, whole.half_life), *held(gone, whole.horizon))
        print(f"| {name} | {number} | " + " | ".join(cells) + " |", flush=True)
    print(f"| {name} | all | {described(whole, norms)} |", flush=True)


def held(found: Sequence[Interval], figure: float | None) -> tuple[str, str]:
    """The part of the intervals that hold a figure, and their median width."""
    value = number_of(figure)
    ends = [(number_of(each.low), number_of(each.high)) for each in found]
    inside = sum(low <= value <= high for low, high in ends) / len(ends)
    return f"{inside:.0%}", f"{median(high - low if low < high else 0 for low, high in ends):.2g}"


def number_of(end: float | None) -> float:
    """What lies beyond all that was measured is greater than every number."""
    return math.inf if end is None else end


def described(whole: Flow, norms: NDArray[np.float64]) -> str:
    """Figures of all places, and what the strongest 1 % of them carry."""
    lag = whole.lags[-1] if whole.horizon is None else whole.horizon
    ordered = np.sort(norms[::-1][lag])[::-1]
    part = ordered[: ALL // 100].sum() / ordered.sum()
    half = "more" if whole.half_life is None else f"{whole.half_life:.2f}"
    gone = "more" if whole.horizon is None else str(whole.horizon)
    return f"is {half} | | is {gone} | 1 % of the places carry {part:.0%} there"


if __name__ == "__main__":
    main()
