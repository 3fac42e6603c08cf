"""How much of its context each kind of model uses, on standard texts: figures and pictures.

    UNROLLED_DATA=FOLDER python benchmarks/memory_length.py --work runs/memory-length [--budget 4m]

FOLDER as in benchmarks/quality.py: tinyshakespeare/input.txt (letters; first 90 % train, rest
validation, as nanoGPT) and ptb/ptb.{train,valid,test}.txt.zst (words, a sentence per line). Every
model is trained by `unrolled train` in a process of its own; finished runs in the work folder are
taken as they are, interrupted ones go on. Then the same tokens of the validation split are scored
after 1, 2, 4, ... 512 tokens of context, and with disturbed contexts: unrolled.diagnosis.memory.
Writes WORK/TEXT/memory-length.json and FIGURES/memory-TEXT.svg (matplotlib, of the group "dev").
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from figures import begin, save
from unrolled.diagnosis.memory import measure_memory
from unrolled.errors import CheckpointError
from unrolled.runs.folder import load
from unrolled.runs.prepared import PreparedText
from unrolled.settings.data import DataConfig

SHAKESPEARE, PTB = "shakespeare", "ptb"
MODELS = {
    "rnn": "Elman RNN",
    "gru": "GRU",
    "lstm": "LSTM",
    "transformer": "Transformer",
    "ngram": "5-gram",
}
TITLES = {
    SHAKESPEARE: ("tiny-shakespeare, letters", "letters of context"),
    PTB: ("Penn Treebank, words", "words of context"),
}


def main() -> None:
    """Trains what is missing, measures all, and draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="*", default=[SHAKESPEARE, PTB], metavar="TEXT")
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--budget", default="4m", help="of each training; n-grams need none")
    parser.add_argument("--size", default="small", help="of the neural models")
    parser.add_argument("--targets", type=int, default=1000, help="tokens scored in each context")
    parser.add_argument("--figures", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    data = data_folder()
    results: dict[str, list[dict[str, Any]]] = {}
    for text in options.texts:
        for kind in MODELS:
            own = ["--budget", options.budget, "--size", options.size]
            own = ["--order", "5"] if kind == "ngram" else own
            train(options.work / text / kind, [*data_flags(text, data), "--model", kind, *own])
        results[text] = measure_all(options.work / text, data_config(text, data), options.targets)
        path = options.work / text / "memory-length.json"
        path.write_text(json.dumps(results[text], indent=1) + "\n", "utf-8")
        draw(results[text], text, options.figures / f"memory-{text}.svg")
    for text, rows in results.items():
        print_table(text, rows)


def data_folder() -> Path:
    """The folder with the texts."""
    data = os.environ.get("UNROLLED_DATA")
    if not data:
        sys.exit("error: UNROLLED_DATA must name the folder with the texts.")
    return Path(data)


def data_config(text: str, data: Path) -> DataConfig:
    """Which files a text consists of, and how they are split."""
    if text == SHAKESPEARE:
        shakespeare = str(data / "tinyshakespeare" / "input.txt")
        return DataConfig((shakespeare,), valid_fraction=0.1, test_fraction=0)
    if text != PTB:
        sys.exit(f"error: TEXT must be {SHAKESPEARE} or {PTB}, got {text}.")
    train, valid, test = (
        (str(data / "ptb" / f"ptb.{split}.txt.zst"),) for split in ("train", "valid", "test")
    )
    return DataConfig(train, valid, test, documents="line", tokenizer="word")


def data_flags(text: str, data: Path) -> list[str]:
    """The same for the command line."""
    config = data_config(text, data)
    if text == SHAKESPEARE:
        return [*config.texts, "--valid-fraction", "0.1", "--test-fraction", "0"]
    splits = ["--valid", *config.valid, "--test", *config.test]
    return [*config.texts, *splits, "--documents", "line", "--tokenizer", "word"]


def train(run: Path, flags: list[str]) -> None:
    """Trains a run, goes on with it, or leaves it alone where it is finished."""
    config = run / "config.json"
    known = json.loads(config.read_text("utf-8")) if config.exists() else {}
    if "results" in known:
        return
    arguments = ["--resume"] if known else flags
    command = [sys.executable, "-m", "unrolled", "train", *arguments, "--out", str(run)]
    print("$ unrolled", *command[3:], flush=True)
    subprocess.run(command, check=True)


def measure_all(folder: Path, data: DataConfig, num_targets: int) -> list[dict[str, Any]]:
    """Measures every run of a text on the same tokens."""
    try:
        text = PreparedText.open(folder / "text")
    except CheckpointError:
        text = PreparedText.prepare(data, folder / "text")
    rows = []
    for kind, name in MODELS.items():
        run = load(folder / kind)
        if run.tokenizer.fingerprint != text.tokenizer.fingerprint:
            sys.exit(f"error: {run.path} was trained on another text. Choose another --work.")
        print(f"Measuring {run.path} ...", flush=True)
        tokens, split = text.store.tokens("valid"), text.store.split("valid")
        memory = measure_memory(name, run.model, tokens, split, num_targets=num_targets)
        config = run.config.to_json()
        kept = {key: config.get(key) for key in ("model", "train", "machine", "versions")}
        rows.append({"memory": memory, "results": config["results"], **kept})
    return rows


def draw(rows: list[dict[str, Any]], text: str, path: Path) -> None:
    """Draws cost against context, with the effective length and its interval on each line."""
    figure, axes = begin()
    contexts: list[int] = []
    for row in rows:
        memory = row["memory"]
        contexts = [point["context"] for point in memory["curve"]]
        bits = [point["bits"] for point in memory["curve"]]
        (line,) = axes.plot(contexts, bits, label=memory["name"], linewidth=1.8)
        length = memory["effective"]
        ends = [[length - memory["effective_low"]], [memory["effective_high"] - length]]
        height = np.interp(np.log2(length), np.log2(contexts), bits)
        style = {"fmt": "o", "markersize": 7, "capsize": 4, "color": line.get_color()}
        axes.errorbar([length], [height], xerr=np.maximum(ends, 0), **style)
    title, unit = TITLES[text]
    axes.set_xscale("log", base=2)
    axes.set_xticks(contexts, [str(context) for context in contexts])
    axes.set(title=title, xlabel=unit, ylabel="bits per byte")
    axes.legend(frameon=False, title="dot: within 1 % of all context")
    save(figure, path)


def print_table(text: str, rows: list[dict[str, Any]]) -> None:
    """Prints the effective lengths of a text."""
    print(f"\n| {text} | bits/byte | effective context | 95 % interval | shuffled beyond 16 |")
    print("|---|---|---|---|---|")
    for row in rows:
        memory = row["memory"]
        interval = f"{memory['effective_low']:.1f} to {memory['effective_high']:.1f}"
        shuffled = next(
            part["bits"]
            for part in memory["perturbed"]
            if (part["kind"], part["beyond"]) == ("shuffled", 16)
        )
        bits = row["results"]["bits_per_byte"]
        print(
            f"| {memory['name']} | {bits:.4f} | {memory['effective']:.1f} | {interval} | "
            f"{shuffled:+.4f} |"
        )


if __name__ == "__main__":
    main()
