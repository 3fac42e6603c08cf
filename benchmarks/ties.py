"""Is a tie called a tie? Comparisons of a model with itself under two seeds.

    python benchmarks/ties.py [--kinds gru lstm] [--seeds 15] [--budget 300ktokens]

Trains each kind with so many seeds on each text; every pair of seeds is a comparison of the model
with itself, as `unrolled compare` makes it: with one seed of each, and the assumed spread over
seeds (SEED_SPREAD of comparison/uncertainty.py). Printed are the spread over seeds as a part of
the loss, the mean half-width of the interval, its part that is the text's, and how many of the
pairs are called a tie (goal: 90 of 100). Finished trainings are kept in --out, by default
runs/ties, and used again.
"""

import argparse
import os
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev

from unrolled.comparison.uncertainty import Trained, difference, seed_spread
from unrolled.results.run import RunResults
from unrolled.runs.folder import CONFIG, load_config
from unrolled.runs.prepared import PreparedText
from unrolled.settings.data import DataConfig
from unrolled.settings.training import Budget
from unrolled.system.machine import machine, versions
from unrolled.training.language_model import TrainRequest, resume, train

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("UNROLLED_DATA", ROOT.parent / "shared" / "data"))


def main() -> None:
    """Trains what is missing and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", nargs="+", default=[str(ROOT / "examples/shakespeare.txt.gz")])
    parser.add_argument("--kinds", nargs="+", default=["gru", "lstm"])
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--budget", default="300ktokens")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "ties")
    arguments = parser.parse_args()
    print(f"{machine()}; torch {versions()['torch']}; {arguments.budget}, size small\n")
    print("| text | kind | bits/byte | spread over seeds | margin | of the text | ties |")
    print("|---|---|---|---|---|---|---|")
    for text in arguments.texts:
        for kind in arguments.kinds:
            show(
                Path(text).name,
                kind,
                [one_seed(text, kind, n, arguments) for n in range(arguments.seeds)],
            )


def one_seed(text: str, kind: str, seed: int, arguments: argparse.Namespace) -> RunResults:
    """The results of one training, done before or now."""
    folder = arguments.out / f"{Path(text).name}-{arguments.budget}"
    if not (folder / "tokens").is_dir():
        PreparedText.prepare(DataConfig((text,)), folder)
    run = folder / f"{kind}-{seed}"
    request = TrainRequest(
        kind,
        DataConfig((text,)),
        "small",
        Budget.parse(arguments.budget),
        seed,
        train_settings={"threads": arguments.threads},
    )
    if not (run / CONFIG).exists():
        return train(run, request, text=PreparedText.open(folder)).results
    results = load_config(run).results
    return resume(run).results if results is None else results


def show(text: str, kind: str, seeds: list[RunResults]) -> None:
    """One row of the table."""
    bits = [each.bits_per_byte for each in seeds]
    pairs = list(combinations([Trained([each], is_random=True) for each in seeds], 2))
    found = [difference(*pair, seed_spread(pair)) for pair in pairs]
    by_text = mean(difference(*pair, spread=0.0).margin for pair in pairs)
    part, margin = stdev(bits) / mean(bits), mean(each.margin for each in found)
    ties = sum(each.is_tie for each in found)
    print(
        f"| {text} | {kind} | {mean(bits):.3f} | {stdev(bits):.4f}, {part:.2%} | {margin:.4f} "
        f"| {by_text:.4f} | {ties} of {len(pairs)}, {ties / len(pairs):.1%} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
