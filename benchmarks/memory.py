"""Peak memory of preparing and training, on texts of 4, 16 and 64 MB: it has to stay the same.

    UNROLLED_DATA=FOLDER python benchmarks/memory.py [TOKENIZER ...]

FOLDER holds novels-en/novels.train.txt.zst (public-domain novels, 58 MB; repeated to fill 64 MB).
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

zstd = importlib.import_module(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
)
MEGABYTES = (4, 16, 64)
FLAGS = "--model lstm --hidden-size 256 --embedding-size 128 --budget 200ktokens"
TOKENIZERS = ("byte", "char", "bpe", "word")


def main() -> None:
    """Trains on each size with each tokenizer, each in a process of its own."""
    path = Path(os.environ["UNROLLED_DATA"], "novels-en", "novels.train.txt.zst")
    text = zstd.decompress(path.read_bytes())
    text *= -(-max(MEGABYTES) * 1_000_000 // len(text))
    print("| tokenizer | " + " | ".join(f"{size} MB of text" for size in MEGABYTES) + " |")
    print("|---|" + "---|" * len(MEGABYTES))
    for tokenizer in sys.argv[1:] or TOKENIZERS:
        peaks = [peak(text[: size * 1_000_000], tokenizer) for size in MEGABYTES]
        print(f"| {tokenizer} | " + " | ".join(f"{value / 1e6:,.0f} MB" for value in peaks) + " |")


def peak(text: bytes, tokenizer: str) -> int:
    """Peak resident memory of `unrolled train`, in bytes, as the run reports it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "text.txt").write_bytes(text)
        command = [sys.executable, "-m", "unrolled", "train", f"{folder}/text.txt"]
        command += [*FLAGS.split(), "--tokenizer", tokenizer, "--vocab-size", "8000"]
        command += ["--out", f"{folder}/run"]
        subprocess.run(command, check=True, capture_output=True)
        results = json.loads(Path(folder, "run", "config.json").read_text("utf-8"))["results"]
    return results["peak_bytes"]


if __name__ == "__main__":
    main()
