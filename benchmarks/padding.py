"""Why the article's sentiment program learns nothing for epochs, and what each cure changes.

    python benchmarks/imdb.py prepare --work runs/imdb
    python benchmarks/padding.py --work runs/imdb [--reviews 10000] [--epochs 6]

Its network (embedding 128, LSTM 64, LSTM 32, sigmoid on the last state) reads 500 tokens of each
review: shorter ones have zeros behind them, and nothing says that these are no words. One thing is
changed at a time. Prints for each variant the part of 2,000 held-out reviews that is right after
each epoch, and the gradient that reaches the first word of a review of 200 tokens, as a part of
the greatest that reaches any step, before training and after it.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from unrolled.classification import trainee
from unrolled.classification.documents import Documents
from unrolled.classification.request import ARTICLE_MODEL, ARTICLE_TRAINING
from unrolled.diagnosis.words import word_gradient
from unrolled.models.classifier import RecurrentClassifier
from unrolled.settings.models import ClassifierConfig
from unrolled.settings.training import Budget, ClassifierTrainConfig
from unrolled.text.labels import plain
from unrolled.text.vocabulary import train_tokenizer
from unrolled.training.loop import Training, fit

LENGTH, WORDS, PROBED = 500, 200, 64


class PrePadded(Documents):
    """Zeros before the text instead of behind it."""

    def batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        tokens, lengths = super().batch(rows)
        shift = lengths - torch.from_numpy(self.lengths[rows])
        steps = torch.arange(tokens.shape[1]) - shift[:, None]
        return tokens.gather(1, steps.clamp(min=0)) * (steps >= 0), lengths


VARIANTS: dict[str, dict[str, Any]] = {
    "as written: zeros behind the text, unmasked": {},
    "lengths respected": {"masked": True},
    "zeros before the text": {"documents": PrePadded},
    "all states pooled": {"pooling": "all"},
    "bidirectional": {"bidirectional": True},
    "GRU": {"kind": "gru"},
    "forget bias 0": {"forget_bias": 0.0},
    "forget bias 3": {"forget_bias": 3.0},
}


def main() -> None:
    """Trains every variant and prints a JSON line for each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("runs/imdb"))
    parser.add_argument("--reviews", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("variants", nargs="*", default=list(VARIANTS))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table = pq.read_table(arguments.work / "train.parquet")
    texts = [plain(text) for text in table["text"].to_pylist()]
    labels = np.array(table["label"], np.int64)
    trainee.ClassifierTrainee.num_validations = arguments.epochs, arguments.epochs
    for name in arguments.variants:
        row = train(VARIANTS[name], texts, labels, arguments)
        print(json.dumps({"variant": name} | row), flush=True)


def train(
    variant: dict[str, Any], texts: list[str], labels: np.ndarray, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Accuracy after each epoch, and the gradient before and after."""
    last = arguments.reviews + 2000
    parts = slice(0, arguments.reviews), slice(arguments.reviews, last)
    kept = texts[parts[0]]
    tokenizer = train_tokenizer("word", lambda: kept, sum(map(len, kept)), 10_000)
    masked, kind = bool(variant.get("masked")), variant.get("documents", Documents)
    train_texts, valid_texts = (
        kind.encode(texts[part], tokenizer, LENGTH, padded=not masked) for part in parts
    )
    changed = {key: variant[key] for key in ("pooling", "bidirectional") if key in variant}
    torch.manual_seed(0)
    settings: dict[str, Any] = ARTICLE_MODEL | changed
    config = ClassifierConfig(tokenizer.vocab_size, 2, variant.get("kind", "lstm"), **settings)
    model = RecurrentClassifier(config)
    if "forget_bias" in variant:
        for layer in model.encoders[0].layers:
            hidden = layer.weight_hh.shape[1]
            layer.bias.data[hidden : 2 * hidden] = variant["forget_bias"]
    train_config = ClassifierTrainConfig(threads=arguments.threads, **ARTICLE_TRAINING)
    train_config = replace(train_config, budget=Budget(arguments.epochs, "epochs"))
    train_config = trainee.without_measuring(train_config)
    before = gradient(model, kind, masked)
    learner = trainee.ClassifierTrainee(
        *(model, train_texts, labels[parts[0]], valid_texts, labels[parts[1]], train_config)
    )
    training = Training(learner, run=None)
    fit(training)
    return {
        "right": [round(100 * (row.valid_accuracy or 0), 1) for row in learner.curve],
        "seconds": round(training.progress.seconds),
        "gradient before": before,
        "gradient after": gradient(model, kind, masked),
    }


def gradient(model: RecurrentClassifier, kind: type[Documents], masked: bool) -> float:
    """Gradient at the first word of a text of 200 tokens, as a part of the greatest at a step."""
    rng = np.random.default_rng(0)
    ids = rng.integers(2, model.config.vocab_size, PROBED * WORDS).astype(np.int32)
    starts = np.arange(PROBED + 1) * WORDS
    documents = kind(ids, starts, None if masked else LENGTH)
    tokens, lengths = documents.batch(np.arange(PROBED))
    norms = word_gradient(model, tokens, lengths)
    first = LENGTH - WORDS if kind is PrePadded else 0
    return float(norms[first] / norms.max())


if __name__ == "__main__":
    main()
