"""Does a penalty more among those that a linear classifier tries help on texts it has not seen?

    UNROLLED_DATA=FOLDER python benchmarks/penalties.py [--least 1] [--seeds 3] [--only imdb]

Reads the training parts alone: imdb/train.parquet without what stands in the test file too,
chinese/hotel_reviews.parquet where split is train, and brown/brown.train.txt.zst with docs.tsv,
whose passages of five sentences are labelled by their category. Some texts are fitted, the last
tenth of them held out to choose the penalty by, with and without those below 4; others, of other
films or documents, measure. Test and validation parts are not read.
"""

import argparse
import importlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from unrolled.classification import linear
from unrolled.classification.documents import Labelled, numbered
from unrolled.classification.ensemble import fit_weights, mix
from unrolled.classification.metrics import accuracy, log_loss
from unrolled.classification.training import MOST_CHARACTERS
from unrolled.text.labels import LabelledTexts, plain
from unrolled.training.loop import Callbacks

zstd = importlib.import_module(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
)
SIZES = 200, 1000, 4000
MEASURED = 2000
"""Texts that measure, at most."""
ALL = 18_000
"""Of IMDB, once: nearly all there are."""
FORMER = 4.0


def imdb(folder: Path) -> LabelledTexts:
    """25,000 reviews of films, two classes."""
    rows = pq.read_table(folder / "imdb" / "train.parquet").to_pylist()
    rows = [row for row in rows if not row["in_test"]]
    return LabelledTexts(
        [plain(row["text"]) for row in rows],
        [str(row["label"]) for row in rows],
        [row["movie"] for row in rows],
    )


def hotels(folder: Path) -> LabelledTexts:
    """Chinese reviews of hotels, two classes."""
    rows = pq.read_table(folder / "chinese" / "hotel_reviews.parquet").to_pylist()
    rows = [row for row in rows if row["split"] == "train"]
    texts = [plain(row["text"]) for row in rows]
    return LabelledTexts(texts, [str(row["label"]) for row in rows], texts)


def brown(folder: Path) -> LabelledTexts:
    """Passages of 396 documents, fifteen classes."""
    path = folder / "brown" / "brown.train.txt.zst"
    text = zstd.decompress(path.read_bytes()).decode("utf-8")
    sentences = iter([line for line in text.split("\n") if line.strip()])
    texts, labels, documents = [], [], []
    for line in (folder / "brown" / "docs.tsv").read_text("utf-8").split("\n")[1:]:
        if not line:
            continue
        name, category, split, number, _ = line.split("\t")
        if split == "train":
            own = [next(sentences) for _ in range(int(number))]
            for start in range(0, len(own), 5):
                texts.append(" ".join(own[start : start + 5]))
                labels.append(category)
                documents.append(name)
    assert next(sentences, None) is None, "docs.tsv does not fit the text"
    return LabelledTexts(texts, labels, documents)


SETS = {"imdb": imdb, "hotels": hotels, "brown": brown}


def parts(data: LabelledTexts, size: int, seed: int) -> tuple[Labelled, Labelled]:
    """Texts to fit, and others, whose groups are other ones."""
    rng = np.random.default_rng(seed)
    assert data.groups is not None
    groups = np.unique(np.array(data.groups), return_inverse=True)[1]
    order = np.argsort(rng.permutation(groups.max() + 1)[groups], kind="stable")
    measuring = order[: min(MEASURED, len(order) // 4)]
    rest = order[~np.isin(groups[order], groups[measuring])]
    assert size <= len(rest)
    # In the order of the groups: the last tenth, which chooses, has others than the first.
    chosen = np.sort(rng.permutation(len(rest))[:size])
    names = sorted(set(data.labels))
    numbers = rest[chosen], measuring
    fitted, other = (numbered(data.select(rows.tolist()), names) for rows in numbers)
    return fitted, other


def measured(data: Labelled, other: Labelled, unit: linear.Unit, penalties: tuple[float, ...]):
    """The penalty that is chosen; errors in percent and nats on the other texts."""
    linear.PENALTIES = penalties
    number, classes = len(data.texts) // 10, int(max(data.labels.max(), other.labels.max())) + 1
    model, held_out = linear.fit_linear(data, number, classes, unit, Callbacks())
    labels = data.labels[-len(held_out) :]
    weights = fit_weights([held_out], labels, np.ones(len(labels)))
    found = mix([model.log_probs(other.texts)], weights)
    loss = log_loss(found, other.labels, np.ones(len(other.labels)))
    return model.penalty, 100 * accuracy(found, other.labels), loss


def comparisons(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One for each set, unit, size and seed."""
    folder, former = Path(os.environ["UNROLLED_DATA"]), linear.PENALTIES
    former = tuple(value for value in former if value >= FORMER)
    more = tuple(sorted({*options.least, *former}))
    for name in options.only or SETS:
        data = SETS[name](folder)
        for size in (*SIZES, *([ALL] if name == "imdb" else [])):
            for seed in range(options.seeds if size < ALL else 1):
                texts, other = parts(data, size, seed)
                few = sum(map(len, texts.texts)) <= MOST_CHARACTERS
                for unit in ("word", "char") if few else ("word",):
                    result = measured(texts, other, unit, more)
                    same = result[0] >= FORMER
                    plain_result = result if same else measured(texts, other, unit, former)
                    yield {
                        "set": name,
                        "unit": unit,
                        "texts": size,
                        "seed": seed,
                        "measured": len(other.texts),
                        "penalty": [plain_result[0], result[0]],
                        "right": [round(plain_result[1], 2), round(result[1], 2)],
                        "nats": [round(plain_result[2], 4), round(result[2], 4)],
                    }


def main() -> None:
    """Prints a line for each comparison, then the means: without, with."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--least", type=float, nargs="+", default=[1.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SETS)
    found = defaultdict(list)
    for row in comparisons(parser.parse_args()):
        print(json.dumps(row), flush=True)
        found[row["set"], row["unit"], row["texts"]].append(row)
    for place, rows in found.items():
        means = {key: np.mean([row[key] for row in rows], 0).round(4) for key in ("right", "nats")}
        number = sum(row["penalty"][1] < FORMER for row in rows)
        print(*place, f"chosen {number} of {len(rows)}", *(f"{k} {v}" for k, v in means.items()))


if __name__ == "__main__":
    main()
