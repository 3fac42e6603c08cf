"""What `unrolled train` reaches within a wall-clock budget, on standard texts and splits.

    UNROLLED_DATA=FOLDER python benchmarks/quality.py [CASE ...]

FOLDER holds tinyshakespeare/input.txt (karpathy/char-rnn; first 90 % train, rest validation, as
nanoGPT) and ptb/ptb.{train,valid,test}.txt.zst (Mikolov's PTB, one sentence per line, words). Every
case is one documented command line; its wall-clock time is measured from outside.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHAKESPEARE = "{data}/tinyshakespeare/input.txt --valid-fraction 0.1 --test-fraction 0"
PTB = (
    "{data}/ptb/ptb.train.txt.zst --valid {data}/ptb/ptb.valid.txt.zst "
    "--test {data}/ptb/ptb.test.txt.zst --documents line --tokenizer word"
)
CASES = {
    "shakespeare-ngram": f"{SHAKESPEARE} --model ngram",
    "shakespeare-lstm": f"{SHAKESPEARE} --model lstm --budget 3m",
    "shakespeare-gru": f"{SHAKESPEARE} --model gru --budget 3m",
    "shakespeare-rnn": f"{SHAKESPEARE} --model rnn --budget 3m",
    "shakespeare-transformer": f"{SHAKESPEARE} --model transformer --budget 3m",
    "ptb-ngram": f"{PTB} --model ngram",
    "ptb-lstm": f"{PTB} --model lstm --budget 10m",
}


def main() -> None:
    """Runs the cases one after the other and prints a table and a JSON line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="CASE")
    names = parser.parse_args().cases
    rows = [run(name) for name in names]
    print(
        "\n| case | split | nats/token | perplexity | bits/byte | tokens read | tokens/s | wall |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['case']} | {row['split']} | {row['nats_per_token']:.4f} | "
            f"{row['perplexity']:.2f} | {row['bits_per_byte']:.4f} | {row['train_tokens']:,} | "
            f"{row['train_tokens_per_second']:,.0f} | {row['wall_seconds']:.1f} s |"
        )


def run(name: str) -> dict[str, Any]:
    """Trains one case in a process of its own."""
    data = os.environ.get("UNROLLED_DATA")
    if not data:
        sys.exit("error: UNROLLED_DATA must name the folder with the texts.")
    with tempfile.TemporaryDirectory() as folder:
        flags = CASES[name].format(data=data).split()
        began = time.monotonic()
        command = [sys.executable, "-m", "unrolled", "train", *flags, "--out", f"{folder}/run"]
        subprocess.run(command, check=True)
        wall = time.monotonic() - began
        config = json.loads(Path(folder, "run", "config.json").read_text("utf-8"))
    results = {"case": name, "command": CASES[name], "wall_seconds": wall, **config["results"]}
    settings = {"model": config["model"], "train": config.get("train"), **results}
    print(json.dumps({**settings, "machine": config["machine"], "versions": config["versions"]}))
    return results


if __name__ == "__main__":
    main()
