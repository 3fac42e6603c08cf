"""Which size and how many rows are best, by budget: the table behind `--size auto`.

    python benchmarks/sizes.py [--texts shakespeare tang ptb novels] [--budgets 10s 60s 10m]
        [--kinds lstm] [--sizes small medium large] [--rows 8 16 32 64] [--out runs/sizes]

Trains each kind with every size at the preset's rows, with every number of rows at the first size,
and as `auto` does. Printed are bits per byte on validation text, where choices belong, the tokens
that were read and, for auto, what it took. A budget is that of one training, with its start and its
last evaluation. A line is printed as soon as it is known; finished trainings are used again.

Shakespeare comes with the program; the others are read from UNROLLED_DATA.
"""

import argparse
import os
from pathlib import Path

from unrolled.results.events import End
from unrolled.runs.folder import CONFIG, load_config, read_log
from unrolled.runs.prepared import PreparedText
from unrolled.settings.data import DataConfig
from unrolled.settings.training import Budget
from unrolled.system.machine import machine, versions
from unrolled.training.language_model import TrainRequest, train

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("UNROLLED_DATA", ROOT.parent / "shared" / "data"))
TEXTS = {
    "shakespeare": ROOT / "examples/shakespeare.txt.gz",
    "tang": DATA / "chinese/tang_poems.train.txt.zst",
    "ptb": DATA / "ptb/ptb.train.txt.zst",
    "novels": DATA / "novels-en/novels.train.txt.zst",
}


def main() -> None:
    """Trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", nargs="+", default=list(TEXTS), choices=list(TEXTS))
    parser.add_argument("--budgets", nargs="+", default=["10s", "60s", "10m"])
    parser.add_argument("--kinds", nargs="+", default=["lstm"])
    parser.add_argument("--sizes", nargs="+", default=["small", "medium", "large"])
    parser.add_argument("--rows", nargs="+", type=int, default=[8, 16, 32])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "sizes")
    arguments = parser.parse_args()
    print(f"{machine()}; torch {versions()['torch']}\n")
    print("| text | budget | kind | size | rows | bits/byte, validation | tokens read | updates |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.texts:
        folder = arguments.out / name
        if not (folder / "tokens").is_dir():
            PreparedText.prepare(DataConfig((str(TEXTS[name]),)), folder)
        text = PreparedText.open(folder)
        for budget in arguments.budgets:
            for kind in arguments.kinds:
                for size in (*arguments.sizes, "auto"):
                    show(text, name, TrainRequest(kind, DataConfig(), size, Budget.parse(budget)))
                for rows in arguments.rows:
                    few = {"batch_size": rows}
                    first = arguments.sizes[0]
                    request = TrainRequest(kind, DataConfig(), first, Budget.parse(budget))
                    show(text, name, request, **few)


def show(text: PreparedText, name: str, request: TrainRequest, **settings: int) -> None:
    """One training, done before or now, as a row."""
    request = TrainRequest(
        *(request.kind, request.data, request.size, request.budget),
        train_settings=settings,
        search=True,
    )
    rows = settings.get("batch_size", "preset")
    run = text.folder / f"{request.kind}-{request.size}-{rows}-{request.budget}"
    config = train(run, request, text=text).config if not (run / CONFIG).exists() else None
    config = config or load_config(run)
    assert config.results is not None and config.train is not None
    valid = next(event.valid for event in read_log(run) if isinstance(event, End))
    width = getattr(config.model, "hidden_size", 0)
    print(
        f"| {name} | {request.budget} | {request.kind} | {request.size}, {width} "
        f"| {config.train.batch_size} | {valid:.3f} "
        f"| {config.results.train_tokens:,} | {config.results.train_steps:,} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
