"""From results.json to the page."""

from typing import Any

import pytest

from unrolled.classification.shown import shown
from unrolled.report.classification import html

FIGURES = {"accuracy": 0.919, "accuracy_low": 0.906, "accuracy_high": 0.93, "macro_f1": 0.918}
FIGURES |= {"log_loss": 0.2, "calibration_error": 0.01}
EMPTY = ("confusion", "reliability", "by_length", "curves", "mistakes", "explained", "notes")


def fake_results(weights: dict[str, float]) -> dict[str, Any]:
    """What `run` writes, without what goes to the page as it is."""
    return {name: [] for name in EMPTY} | {
        "title": "reviews.csv",
        "split": "test",
        "reason": "It was best.",
        "num_texts": 2_000,
        "classes": [False, True],
        "num_texts_of": {"train": 22_500, "valid": 2_500, "test": 2_000},
        "models": {"linear": FIGURES, "lstm": FIGURES, "mixture": FIGURES},
        "weights": weights,
        "saved": {name: weight / 10 for name, weight in weights.items()},
        "seconds": {"linear": 12.4, "lstm": 1741.0},
        "texts_per_second": {"linear": 16_400.0, "lstm": 2_310.0},
        "class_ngrams": {"False": [{"text": "dull", "weight": 1.0}], "True": []},
        "request": {"data": ["reviews.csv"], "seed": 0, "text": None, "valid": []},
        "machine": "2 cores",
        "versions": {"torch": "2.10.0"},
    }


@pytest.mark.parametrize(
    ("linear", "recurrent", "chosen"), [(0.4, 0.7, "mixture"), (0.0, 1.1, "lstm"), (1, 0, "linear")]
)
def test_the_chosen_model_is_the_one_with_all_weight_or_the_mixture(linear, recurrent, chosen):
    page = shown(fake_results({"linear": linear, "lstm": recurrent}))
    assert [row["name"] for row in page["models"] if row["chosen"]] == [chosen]
    assert [row["saved"] for row in page["models"]] == [linear / 10, recurrent / 10, None]
    assert [row["train_seconds"] for row in page["models"]] == [12.4, 1741.0, None]


def test_a_linear_model_alone_is_chosen_and_saves_nothing():
    results = fake_results({"linear": 1.0})
    results["models"] = {"linear": results["models"]["linear"]}
    (row,) = shown(results)["models"]
    assert row["chosen"] and row["saved"] is None


def test_labels_of_any_type_and_what_was_asked_for_are_on_the_page():
    page = shown(fake_results({"linear": 0.4, "lstm": 0.6}))
    assert page["classes"] == ["False", "True"]
    assert page["conditions"] == {
        "data": ["reviews.csv"],
        "seed": 0,
        "machine": "2 cores",
        "versions": {"torch": "2.10.0"},
    }
    assert page["class_words"]["False"][0]["text"] == "dull"
    assert "91.9\N{NO-BREAK SPACE}% of 2,000 test texts" in html(page)
