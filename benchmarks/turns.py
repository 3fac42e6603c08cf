"""What turns cost: a comparison in turns, and one network after the other, in turn.

    python benchmarks/turns.py [--pairs 3] [--budget 400ktokens] [--kinds rnn gru]

Both train the same networks on Shakespeare for the same tokens, to the same weights; one of them
takes a single round. Printed are the wall-clock seconds of each, their medians, and the quartiles
of the ratio (goal: 1.03).
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from unrolled.comparison import comparison
from unrolled.comparison.request import CompareRequest
from unrolled.settings.data import DataConfig
from unrolled.settings.training import Budget
from unrolled.system.machine import machine, versions
from unrolled.training.request import TrainRequest

TEXT = Path(__file__).parents[1] / "examples" / "shakespeare.txt.gz"
ROUNDS = {"in turns": comparison.MOST_ROUNDS, "one by one": 1}


def main() -> None:
    """Compares so often each way, the first to go changing from pair to pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--budget", default="400ktokens")
    parser.add_argument("--kinds", nargs="+", default=["rnn", "gru"])
    arguments = parser.parse_args()
    print(f"{machine()}; torch {versions()['torch']}; {arguments.budget}: {arguments.kinds}\n")
    train = TrainRequest("gru", DataConfig((str(TEXT),)), "small", Budget.parse(arguments.budget))
    request = CompareRequest(train, tuple(arguments.kinds))
    seconds: dict[str, list[float]] = {name: [] for name in ROUNDS}
    bits = set()
    for pair in range(arguments.pairs):
        for name in list(ROUNDS) if pair % 2 else list(reversed(ROUNDS)):
            comparison.MOST_ROUNDS = ROUNDS[name]
            with tempfile.TemporaryDirectory() as folder:
                began = time.monotonic()
                result = comparison.compare(Path(folder) / "out", request)
                seconds[name].append(time.monotonic() - began)
            bits.add(tuple(model.bits_per_byte for model in result.models))
        print("; ".join(f"{name} {times[-1]:.1f} s" for name, times in seconds.items()), flush=True)
    assert len(bits) == 1, f"they trained other weights: {bits}"
    turns, alone = seconds.values()
    ratios = sorted(a / b for a, b in zip(turns, alone, strict=True))
    print(f"\nmedian: in turns {median(turns):.1f} s, one by one {median(alone):.1f} s")
    print(f"ratio: {median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")


if __name__ == "__main__":
    main()
