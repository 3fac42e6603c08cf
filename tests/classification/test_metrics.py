"""Figures of a classifier against values worked out by hand or by other software."""

import numpy as np
import pytest
from sklearn import metrics as peer

from unrolled.classification.metrics import (
    accuracy,
    calibration_error,
    confusion,
    log_loss,
    macro_f1,
    reliability,
    wilson_interval,
)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(200, 4)) * 2
    log_probs = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    labels = rng.integers(0, 3, 200)  # class 3 is only predicted
    return log_probs, labels


def test_they_agree_with_scikit_learn(case):
    log_probs, labels = case
    predicted = log_probs.argmax(1)
    assert accuracy(log_probs, labels) == pytest.approx(peer.accuracy_score(labels, predicted))
    table = confusion(log_probs, labels)
    assert (table == peer.confusion_matrix(labels, predicted, labels=range(4))).all()
    assert macro_f1(table) == pytest.approx(peer.f1_score(labels, predicted, average="macro"))
    found = peer.log_loss(labels, np.exp(log_probs), labels=range(4))
    assert log_loss(log_probs, labels) == pytest.approx(found)


def test_a_class_that_never_occurs_does_not_count_in_macro_f1():
    assert macro_f1(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])) == pytest.approx(
        (6 / 7 + 8 / 9) / 2
    )


def test_wilson_interval():
    low, high = wilson_interval(0, 10)  # the closed form at none right: z^2 / (n + z^2)
    assert low == 0
    assert high == pytest.approx(1.959964**2 / (10 + 1.959964**2), abs=1e-6)
    low, high = wilson_interval(918, 1000)
    assert (low, high) == (pytest.approx(0.89933, abs=1e-4), pytest.approx(0.93346, abs=1e-4))


def test_reliability_by_hand():
    confidence = np.array([0.95, 0.96, 0.99, 0.61])
    log_probs = np.log(np.column_stack([1 - confidence, confidence]))
    rows = reliability(log_probs, np.array([1, 1, 0, 0]))
    assert [(row.count, row.accuracy) for row in rows] == [(1, 0.0), (3, 2 / 3)]
    assert rows[0].low < 0.61 <= rows[0].high
    assert rows[1].confidence == pytest.approx(np.mean(confidence[:3]))
    expected = (0.61 + 3 * abs(np.mean(confidence[:3]) - 2 / 3)) / 4
    assert calibration_error(rows) == pytest.approx(expected)
