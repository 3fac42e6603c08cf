"""How long `unrolled --help` takes, in a new process: `python benchmarks/help.py`."""

import subprocess
import sys
import time
from statistics import median


def seconds(command: list[str]) -> float:
    """Wall-clock time of a command."""
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


if __name__ == "__main__":
    ours, empty = [], []
    for _ in range(11):
        ours.append(seconds([sys.executable, "-m", "unrolled", "--help"]))
        empty.append(seconds([sys.executable, "-c", ""]))
    print(f"unrolled --help: median {median(ours):.3f} s, {min(ours):.3f} to {max(ours):.3f} s;")
    print(f"Python alone: {median(empty):.3f} s")
