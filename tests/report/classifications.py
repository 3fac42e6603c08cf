"""Made-up classifiers in the form that `unrolled classify train` gives them."""

import math
from typing import Any

REVIEW = (
    ("A ", 0.01),
    ("wonderful", 2.4),
    (" film, ", 0.02),
    ("tender ", 1.3),
    ("and ", 0.1),
    ("never ", -0.4),
    ("dull", -1.7),
    (";\nthe ending alone ", 0.05),
    ("is worth ", 0.9),
    ("the ticket.", -0.2),
)
REVIEW_ZH = (
    ("这部", 0.1),
    ("电影", 0.3),
    ("非常", 0.8),
    ("感人", 2.2),
    ("，虽然", -0.6),
    ("节奏", -0.1),
    ("有点", -0.9),
    ("慢", -1.4),
    ("，但", 0.5),
    ("值得", 1.6),
    ("一看。", 0.2),
)


def fake_classification(
    classes: tuple[str, ...] = ("negative", "positive"),
    review: tuple[tuple[str, float], ...] = REVIEW,
) -> dict[str, Any]:
    """A linear model, an LSTM and their mixture on 1,000 test texts a class."""
    parts = [{"text": text, "weight": weight} for text, weight in review]
    text = "".join(part["text"] for part in parts)
    first, last = classes[0], classes[-1]
    return {
        "title": "reviews.csv",
        "classes": list(classes),
        "split": "test",
        "num_train": 22_500,
        "num_valid": 2_500,
        "num_texts": 1000 * len(classes),
        "models": [
            _model("linear", 0.8813, 16_400, 3_145_728, 12.4, 0.036, False),
            _model("lstm", 0.9025, 2_310, 4_321_000, 1741.0, 0.064, False),
            _model("mixture", 0.9187, 2_050, 7_466_728, 1753.4, None, True),
        ],
        "reason": "The mixture was best on the held-out texts.",
        "notes": ["17 duplicate texts were dropped."],
        "confusion": fake_confusion(len(classes)),
        "reliability": [
            {
                "low": round(0.5 + number / 10, 1),
                "high": round(0.6 + number / 10, 1),
                "confidence": 0.551 + number / 10,
                "accuracy": (0.533, 0.607, 0.741, 0.872, 0.977)[number],
                "count": (61, 83, 129, 246, 1481)[number],
            }
            for number in range(5)
        ],
        "by_length": [
            {
                "low": low,
                "high": high,
                "count": 333 + number,
                "accuracy": {
                    "linear": 0.905 - 0.01 * number,
                    "lstm": 0.9 + 0.003 * number,
                    "mixture": 0.917 + 0.002 * number,
                },
            }
            for number, (low, high) in enumerate(
                [(12, 404), (405, 640), (641, 801), (802, 1103), (1104, 1702), (1703, 13_204)]
            )
        ],
        "curves": {"lstm": [_look(number) for number in range(21)]},
        "mistakes": [
            {"text": text, "label": first, "predicted": last, "probability": 0.99973},
            {"text": f"{text}\n" * 9, "label": last, "predicted": first, "probability": 0.9871},
            {"text": text[:12], "label": first, "predicted": last, "probability": 0.954},
        ],
        "explained": [
            {"parts": parts, "label": last, "predicted": last, "probability": 0.9712},
            {"parts": parts[:5], "label": first, "predicted": last, "probability": 0.613},
        ],
        "class_words": {
            name: [{"text": text.strip() or "x", "weight": abs(w) + 0.01} for text, w in review]
            for name in classes
        },
        "conditions": {
            "data": ["reviews.csv"],
            "budget": "30m",
            "seed": 0,
            "machine": "2 cores, AVX-512",
            "versions": {"unrolled": "0.1.0", "torch": "2.10.0"},
        },
    }


def _model(
    name: str,
    accuracy: float,
    speed: float,
    num_parameters: int,
    seconds: float,
    saved: float | None,
    chosen: bool,
) -> dict[str, Any]:
    return {
        "name": name,
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.0125,
        "accuracy_high": accuracy + 0.0115,
        "macro_f1": accuracy - 0.0011,
        "log_loss": 1.1 - accuracy,
        "calibration_error": 0.131 - 0.125 * accuracy,
        "train_seconds": seconds,
        "texts_per_second": speed,
        "num_parameters": num_parameters,
        "saved": saved,
        "chosen": chosen,
    }


def fake_confusion(num_classes: int) -> list[list[int]]:
    """A thousand texts of each class; no two counts beside the diagonal stand in one row."""
    table = []
    for true in range(num_classes):
        row = [(7 * true + 3 * column) % 23 for column in range(num_classes)]
        row[true] = 0
        row[(true + 1) % num_classes] += 31 + true
        row[true] = 1000 - sum(row)
        table.append(row)
    return table


def _look(number: int) -> dict[str, float | None]:
    epoch = number / 4
    valid = 0.23 + 0.46 * math.exp(-epoch) + 0.006 * max(0, epoch - 3) ** 2
    return {
        "seconds": 87.0 * number,
        "epoch": epoch,
        "train_loss": 0.06 + 0.63 * math.exp(-0.8 * epoch) if number else None,
        "valid_loss": valid,
        "valid_accuracy": 1.13 - 0.9 * valid,
    }
