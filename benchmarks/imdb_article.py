"""The article's sentiment program in Keras, as written, beside `--preset article` of unrolled.

    scripts/bench-peers
    python benchmarks/imdb.py prepare --work runs/imdb
    python benchmarks/imdb_article.py --work runs/imdb [--epochs 4]

Keras trains on all 24,877 reviews that `prepare` leaves, those whose text is not in the test file:
the 10,000 most frequent words, the last 500 of a review, zeros behind shorter ones, no mask.
unrolled trains its preset, lengths respected, on the same reviews but a tenth, which it holds out.
The two take turns: half of Keras's epochs, unrolled, the other half. Each has 2 threads. The time
that Keras takes for the whole program is ten of its median epochs.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.parquet as pq

LENGTH, VOCABULARY, EPOCHS = 500, 10_000, 10
WORDS = re.compile(r"[a-z0-9']+")
COLUMNS = ["--text", "text", "--label", "label"]


def main() -> None:
    """Prints one JSON line for each epoch of Keras, and what unrolled did."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("runs/imdb"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--venv", type=Path, default=Path(".venv-peers/keras"))
    arguments = parser.parse_args()
    data = arguments.work / "keras.npz"
    prepare(arguments.work, data)
    program = Path(__file__).parent / "peers" / "keras_imdb.py"
    keras = subprocess.Popen(
        [arguments.venv / "bin" / "python", program, data],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds: list[float] = []
    own: dict[str, Any] = {}
    for epoch in range(1, arguments.epochs + 1):
        row = ask(keras)
        seconds.append(row["seconds"])
        print(json.dumps({"keras epoch": epoch} | row), flush=True)
        if epoch == max(1, arguments.epochs // 2):
            own = unrolled(arguments.work)
    assert keras.stdin
    keras.stdin.close()
    print(
        json.dumps(
            own
            | {
                "keras epoch, median": median(seconds),
                "ratio": EPOCHS * median(seconds) / own["recurrent seconds"],
            }
        )
    )


def ask(keras: subprocess.Popen) -> dict[str, float]:
    """Lets Keras train an epoch; ends the benchmark if Keras ended."""
    assert keras.stdin and keras.stdout
    keras.stdin.write("go\n")
    keras.stdin.flush()
    if line := keras.stdout.readline():
        return json.loads(line)
    sys.exit("error: Keras ended; the reason is above.")


def prepare(work: Path, path: Path) -> None:
    """Words as numbers by frequency, 1 the most frequent, zeros behind the text."""
    parts = {name: pq.read_table(work / f"{name}.parquet") for name in ("train", "test")}
    counts = Counter(
        word for text in parts["train"]["text"].to_pylist() for word in WORDS.findall(text.lower())
    )
    known = {word: place for place, (word, _) in enumerate(counts.most_common(VOCABULARY - 2), 2)}
    arrays = {}
    for name, table in parts.items():
        tokens = np.zeros((len(table), LENGTH), np.int32)
        for row, text in zip(tokens, table["text"].to_pylist(), strict=True):
            ids = [known.get(word, 1) for word in WORDS.findall(text.lower())][-LENGTH:]
            row[: len(ids)] = ids
        arrays |= {f"{name}_tokens": tokens, f"{name}_labels": np.array(table["label"], np.float32)}
    np.savez(path, **arrays)


def unrolled(work: Path) -> dict[str, Any]:
    """Trains the preset from the command line, then reads the test file."""
    out = work / "article"
    began = time.monotonic()
    train = ["classify", "train", str(work / "train.parquet"), *COLUMNS, "--group", "movie"]
    run(*train, "--preset", "article", "--out", str(out))
    whole = time.monotonic() - began
    results = json.loads((out / "results.json").read_text("utf-8"))
    test = ["classify", "evaluate", str(out), str(work / "test.parquet"), *COLUMNS, "--json"]
    found = json.loads(run(*test))["models"]
    return {
        "recurrent seconds": results["seconds"]["lstm"],
        "whole command": whole,
        "first looks": [row["valid_accuracy"] for row in results["curves"]["lstm"][:2]],
        "test": {name: row["accuracy"] for name, row in found.items()},
    }


def run(*arguments: str) -> str:
    """A command of unrolled."""
    command = [sys.executable, "-m", "unrolled", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
