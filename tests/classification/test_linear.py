"""The linear baseline: its features, its equations, and what it learns."""

import numpy as np
import pytest

from unrolled.classification import linear
from unrolled.classification.linear import (
    _fit,
    _ratio,
    _seen,
    choose_unit,
    fit_linear,
    ngrams,
    presence,
)

TEXTS = ["good film", "good plot", "bad film", "bad plot", "a bad idea", "a good idea"] * 4
LABELS = np.array([1, 1, 0, 0, 0, 1] * 4)


def test_ngrams_of_words_of_han_and_of_characters():
    assert list(ngrams("Not BAD!", "word")) == ["not", "bad", "!", "not bad", "bad !", "not bad !"]
    assert set(ngrams("很好", "word")) == {"很", "好", "很 好"}
    assert list(ngrams("aB", "char")) == ["a", "b", "ab"]


def test_thai_is_read_by_character():
    assert choose_unit(["ไม่ชอบหนังเรื่องนี้เลยน่าเบื่อมากจริงๆไม่แนะนำให้ดู"]) == "char"
    assert choose_unit(["an ordinary sentence", "有一个句子"]) == "word"


def test_presence_counts_an_ngram_once():
    matrix = presence(["x x x", "x"], "char")
    assert matrix.shape == (2, linear.NUM_FEATURES)
    assert set(matrix.data) == {1.0}
    assert matrix[1].nnz == 1 and (matrix[0].multiply(matrix[1])).nnz == 1


def test_log_count_ratios_by_hand():
    matrix = presence(["a b", "a", "b"], "word")
    columns = np.unique(matrix.indices)
    ratio = _ratio(_seen(matrix, columns), np.array([True, True, False]))
    total = 3  # features
    place = np.searchsorted(columns, presence(["a"], "word").indices[0])
    # In the class "a", "b" and "a b" stand 2 + 1 + 1 times; outside it "b" once.
    expected = np.log(3 / (total + 4)) - np.log(1 / (total + 1))
    assert ratio[place] == pytest.approx(expected, rel=1e-5)
    assert len(ratio) == 3


def test_it_learns_and_its_log_probabilities_add_up():
    model, found = fit_linear(TEXTS, LABELS, 2, valid=6)
    log_probs = model.log_probs(["what a good day", "bad, bad", ""])
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1)
    assert log_probs[0].argmax() == 1 and log_probs[1].argmax() == 0
    assert found.shape == (6, 2) and (found.argmax(1) == LABELS[-6:]).all()


def test_held_out_log_probabilities_come_from_a_model_that_has_not_seen_them():
    texts, labels = [*TEXTS, "zebra", "zebra"], np.array([*LABELS, 0, 0])
    model, found = fit_linear(texts, labels, 2, valid=2)
    (part,) = _fit(presence(TEXTS, "word"), LABELS, 2, "word", [model.penalty])
    np.testing.assert_allclose(found, part.log_probs(["zebra"] * 2))
    assert model.log_probs(["zebra"])[0, 0] > found[0, 0]


def test_reading_features_leaves_them_as_they_are():
    model, _ = fit_linear(TEXTS, LABELS, 2, valid=6)
    read = presence(["what a good day, unheard of", "bad"], "word")
    np.testing.assert_array_equal(model.of_features(read), model.of_features(read))


def test_more_than_two_classes():
    texts = ["red apple", "red rose", "blue sky", "blue sea", "green leaf", "green tea"] * 5
    labels = np.array([0, 0, 1, 1, 2, 2] * 5)
    model, _ = fit_linear(texts, labels, 3, valid=6)
    log_probs = model.log_probs(["red", "blue", "green"])
    assert log_probs.argmax(1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1)


def test_ngrams_of_one_text_only_are_left_out():
    (model,) = _fit(
        presence(["a b", "a", "b", "c"], "word"), np.array([0, 0, 1, 1]), 2, "word", [1]
    )
    assert sorted(model.columns) == sorted(linear.places(["a", "b"]))
    (lonely,) = _fit(presence(["a", "b"], "word"), np.array([0, 1]), 2, "word", [1])
    assert len(lonely.columns) == 2


def test_typical_ngrams():
    model, _ = fit_linear(TEXTS, LABELS, 2, valid=6)
    bad, good = model.typical(TEXTS, 1)
    assert bad[0][0].startswith("bad") or bad[0][0].endswith("bad")
    assert "good" in good[0][0] and good[0][1] > 0
