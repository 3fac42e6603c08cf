"""One small classifier of the example reviews, trained once."""

import csv
from pathlib import Path

import numpy as np
import pytest

from unrolled.classification.training import ClassifierRequest, Labelled, train_classifier
from unrolled.settings.training import Budget

REVIEWS = Path(__file__).parents[1] / "data" / "reviews.csv"


@pytest.fixture(scope="session")
def reviews() -> tuple[list[str], list[str]]:
    """Texts and labels."""
    with REVIEWS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["review"] for row in rows], [row["opinion"] for row in rows]


@pytest.fixture(scope="session")
def trained(reviews):
    """A mixture of the linear model and a GRU, and its held-out texts."""
    texts, names = reviews
    labels = np.array([int(name == "good") for name in names])
    train, valid = Labelled(texts[:320], labels[:320]), Labelled(texts[320:], labels[320:])
    request = ClassifierRequest(
        "gru",
        model_settings={"hidden_sizes": (32,), "embedding_size": 32},
        train_settings={"budget": Budget(20, "epochs"), "threads": 1, "learning_rate": 5e-3},
    )
    return train_classifier(train, valid, ["bad", "good"], request), valid
