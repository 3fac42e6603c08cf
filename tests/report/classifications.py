"""Made-up classifiers in the form that `unrolled classify train` gives them."""

import math

from unrolled.results.classification import (
    Bin,
    Classification,
    Explained,
    Figures,
    LengthGroup,
    Look,
    Mistake,
    Part,
)

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
) -> Classification:
    """A linear model, an LSTM and their mixture on 1,000 test texts a class."""
    parts = [Part(text, weight) for text, weight in review]
    text = "".join(part.text for part in parts)
    first, last = classes[0], classes[-1]
    models = {"linear": _figures(0.8813), "lstm": _figures(0.9025), "mixture": _figures(0.9187)}
    return Classification(
        title="reviews.csv",
        classes=list(classes),
        split="test",
        num_texts=1000 * len(classes),
        num_texts_of={"train": 22_500, "valid": 2_500, "test": 1000 * len(classes)},
        models=models,
        chosen=models["mixture"],
        weights={"linear": 0.4, "lstm": 0.7},
        saved={"linear": 0.036, "lstm": 0.064},
        num_parameters={"linear": 3_145_728, "lstm": 4_321_000, "mixture": 7_466_728},
        seconds={"linear": 12.4, "lstm": 1741.0, "mixture": 1753.4},
        texts_per_second={"linear": 16_400, "lstm": 2_310, "mixture": 2_050},
        notes=["17 duplicate texts were dropped."],
        confusion=fake_confusion(len(classes)),
        reliability=[_bin(number) for number in range(5)],
        by_length=[_group(number) for number in range(6)],
        curves={"lstm": [_look(number) for number in range(21)]},
        mistakes=[
            Mistake(text, first, last, 0.99973),
            Mistake(f"{text}\n" * 9, last, first, 0.9871),
            Mistake(text[:12], first, last, 0.954),
        ],
        explained=[Explained(parts, last, 0.9712, last), Explained(parts[:5], last, 0.613, first)],
        class_ngrams={
            name: [Part(text.strip() or "x", abs(weight) + 0.01) for text, weight in review]
            for name in classes
        },
        request={"data": ["reviews.csv"], "budget": "30m", "seed": 0, "text": None, "valid": []},
        machine="2 cores, AVX-512",
        versions={"unrolled": "0.1.0", "torch": "2.10.0"},
    )


def _figures(accuracy: float) -> Figures:
    return Figures(
        accuracy=accuracy,
        accuracy_low=accuracy - 0.0125,
        accuracy_high=accuracy + 0.0115,
        macro_f1=accuracy - 0.0011,
        log_loss=1.1 - accuracy,
        calibration_error=0.131 - 0.125 * accuracy,
    )


def _bin(number: int) -> Bin:
    return Bin(
        low=round(0.5 + number / 10, 1),
        high=round(0.6 + number / 10, 1),
        confidence=0.551 + number / 10,
        accuracy=(0.533, 0.607, 0.741, 0.872, 0.977)[number],
        count=(61, 83, 129, 246, 1481)[number],
    )


def _group(number: int) -> LengthGroup:
    low = (12, 405, 641, 802, 1104, 1703)[number]
    high = (404, 640, 801, 1103, 1702, 13_204)[number]
    accuracy = {
        "linear": 0.905 - 0.01 * number,
        "lstm": 0.9 + 0.003 * number,
        "mixture": 0.917 + 0.002 * number,
    }
    return LengthGroup(low, high, 333 + number, accuracy)


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


def _look(number: int) -> Look:
    epoch = number / 4
    valid = 0.23 + 0.46 * math.exp(-epoch) + 0.006 * max(0, epoch - 3) ** 2
    return Look(
        seconds=87.0 * number,
        epoch=epoch,
        train_loss=0.06 + 0.63 * math.exp(-0.8 * epoch) if number else None,
        valid_loss=valid,
        valid_accuracy=1.13 - 0.9 * valid,
    )
