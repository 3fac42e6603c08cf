"""Accuracy on the 25,000 test reviews of the Large Movie Review Dataset (Maas et al. 2011).

    UNROLLED_DATA=data python benchmarks/imdb.py prepare --work runs/imdb
    python benchmarks/imdb.py linear scratch pretrained --work runs/imdb

Reads imdb/{train,test,unsup}.parquet of UNROLLED_DATA: columns text, label (0 or 1), movie, and
in_test, which marks texts that stand in the test file too. Such texts are left out of training and
of the language model. A tenth of the training reviews, of other films, chooses everything; the test
file is read by the last command of each model, once.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

COLUMNS = ["--text", "text", "--label", "label"]
SPLIT = [*COLUMNS, "--group", "movie"]
LANGUAGE_MODEL = """
    --column text --tokenizer word --vocab-size 30000 --test-fraction 0 --model lstm
    --hidden-size 1024 --embedding-size 256 --num-layers 1 --candidates 3000 --batch-size 64
    --sequence-length 64 --learning-rate 3e-3 --input-dropout 0.05 --output-dropout 0.1
    --weight-dropout 0
"""
MODELS = {
    "linear": "--kind linear",
    "article": "--preset article --budget 4epochs",
    "scratch": (
        "--kind gru --budget 3epochs --word-dropout 0.3 --dropout 0.5 --adversarial-norm 5"
    ),
    "pretrained": "--budget 5epochs --adversarial-norm 5 --unfreeze-fraction 0.05",
    "both": "--budget 3epochs",
}
STARTS = {
    "pretrained": ("language-model",),
    "both": ("language-model", "backward-language-model"),
}
"""Language models that a classifier begins from."""
LANGUAGE_MODELS = {
    "language-model": ("texts", "3epochs"),
    "backward-language-model": ("mirrored", "3epochs"),
}
"""What the run in each folder is trained on, and how long."""


def main() -> None:
    """Runs what was asked for and prints one JSON line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="+", choices=["prepare", *LANGUAGE_MODELS, *MODELS])
    parser.add_argument("--work", type=Path, default=Path("runs/imdb"))
    arguments = parser.parse_args()
    for what in arguments.what:
        if what == "prepare":
            prepare(arguments.work)
        elif what in LANGUAGE_MODELS:
            train_language_model(arguments.work, what)
        else:
            print(json.dumps(measure(arguments.work, what)), flush=True)


def prepare(work: Path) -> None:
    """Writes the training reviews and the texts of the language model."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from unrolled.text.labels import plain
    from unrolled.text.words import mirrored

    data = Path(os.environ["UNROLLED_DATA"]) / "imdb"
    work.mkdir(parents=True, exist_ok=True)
    train, unsup = (
        table.filter([not shared for shared in table["in_test"].to_pylist()])
        for table in (pq.read_table(data / f"{name}.parquet") for name in ("train", "unsup"))
    )
    pq.write_table(train, work / "train.parquet")
    texts = [plain(text) for table in (train, unsup) for text in table["text"].to_pylist()]
    texts = list(dict.fromkeys(texts))
    pq.write_table(pa.table({"text": texts}), work / "texts.parquet")
    pq.write_table(pa.table({"text": list(map(mirrored, texts))}), work / "mirrored.parquet")
    pq.write_table(pq.read_table(data / "test.parquet"), work / "test.parquet")


def train_language_model(work: Path, name: str) -> None:
    """Trains, or goes on with, a language model of all texts but the test's."""
    texts, budget = LANGUAGE_MODELS[name]
    begun = (work / name / "config.json").exists()
    options = [str(work / f"{texts}.parquet"), *LANGUAGE_MODEL.split(), "--budget", budget]
    unrolled("train", *(["--resume"] if begun else options), "--out", str(work / name))


def measure(work: Path, name: str) -> dict[str, object]:
    """Trains one classifier without the test file, then reads that."""
    options = MODELS[name].split()
    for start in STARTS.get(name, ()):
        options += [f"--{start}", str(work / start)]
    out, began = str(work / name), time.monotonic()
    unrolled("classify", "train", str(work / "train.parquet"), *SPLIT, *options, "--out", out)
    seconds = time.monotonic() - began
    printed = unrolled("classify", "evaluate", out, str(work / "test.parquet"), *COLUMNS, "--json")
    found = json.loads(printed)
    rows = {model: round(100 * row["accuracy"], 2) for model, row in found["models"].items()}
    return {"model": name, "seconds": round(seconds), "test accuracy": rows}


def unrolled(*arguments: str) -> str:
    """Runs a command; its progress goes to stderr."""
    command = [sys.executable, "-m", "unrolled", *arguments]
    print("$ unrolled", *arguments, file=sys.stderr, flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
