"""The linear baseline: its features, its equations, and what it learns."""

from dataclasses import replace

import numpy as np
import pytest

from unrolled.classification import linear
from unrolled.classification.documents import Labelled
from unrolled.classification.linear import (
    LinearModel,
    _frequent,
    _ratio,
    _seen,
    _Task,
    _Work,
    fit_linear,
    ngrams,
    presence,
)
from unrolled.classification.metrics import log_loss
from unrolled.results.events import Interrupted, Message
from unrolled.training.loop import Callbacks

TEXTS = ["good film", "good plot", "bad film", "bad plot", "a bad idea", "a good idea"] * 4
LABELS = np.array([1, 1, 0, 0, 0, 1] * 4)


def fit(texts, labels, num_classes, valid, **options):
    data = Labelled(texts, np.asarray(labels), options.pop("weights", None))
    callbacks = options.pop("callbacks", Callbacks())
    return fit_linear(data, valid, num_classes, options.pop("unit", "word"), callbacks, **options)


def fit_once(texts, labels, penalty) -> LinearModel:
    """Of two classes."""
    labels, work = np.asarray(labels), _Work(Callbacks(), 1)
    task = _Task(presence(texts, "word"), labels, np.ones(len(labels)), 2, "word", work)
    return task.fit(np.arange(len(labels)), penalty)


def test_ngrams_of_words_of_han_and_of_characters():
    assert list(ngrams("Not BAD!", "word")) == ["not", "bad", "!", "not bad", "bad !", "not bad !"]
    assert set(ngrams("很好", "word")) == {"很", "好", "很 好"}
    assert list(ngrams("aB  c", "char")) == [
        *("ab", "b ", " c", "ab ", "b c", "ab c"),
    ]


def test_scripts_without_spaces_are_read_by_character_and_the_rest_by_word():
    found = list(ngrams("Not ดี at all", "word"))
    assert set(found) >= {"not", "at all", "not at all", "ด", "ี", "ดี"}
    assert "t" not in found and "not ดี" not in found
    for text in ("ไม่ดี", "ບໍ່ດີ", "មិនល្អ", "မကောင်း"):
        assert set(ngrams(text, "word")) >= {text[:3], text[1]}


def test_thai_and_english_in_one_set_are_both_learned():
    """One unit for the whole set left Thai at chance: each sentence was one unheard-of word."""
    thai = [f"หนังเรื่องนี้{view}ฉากที่{number:03}" for number in range(40) for view in ("สนุก", "แย่")]
    english = [f"film {number} is {view}" for number in range(160) for view in ("good", "bad")]
    texts = [text for pair in zip(thai, english[:80], strict=True) for text in pair] + english[80:]
    labels = [int("สนุก" in text or "good" in text) for text in texts]
    model, _ = fit(texts, labels, 2, valid=40)
    new = ["ภาพยนตร์สนุกจริง", "ภาพยนตร์แย่จริง", "a good one", "a bad one"]
    assert model.log_probs(new).argmax(1).tolist() == [1, 0, 1, 0]


def test_presence_counts_an_ngram_once():
    matrix = presence(["xx xxx xx", "xx"], "word")
    assert matrix.shape == (2, linear.NUM_FEATURES)
    assert set(matrix.data) == {1.0}
    assert matrix[1].nnz == 1 and (matrix[0].multiply(matrix[1])).nnz == 1
    assert matrix[0].nnz == 5  # xx, xxx, and the pairs and three of them


def test_log_count_ratios_by_hand():
    matrix = presence(["a b", "a", "b"], "word")
    columns = np.unique(matrix.indices)
    ratio = _ratio(_seen(matrix, columns), np.array([True, True, False]), np.ones(3))
    total = 3  # features
    place = np.searchsorted(columns, presence(["a"], "word").indices[0])
    # In the class "a", "b" and "a b" stand 2 + 1 + 1 times; outside it "b" once.
    expected = np.log(3 / (total + 4)) - np.log(1 / (total + 1))
    assert ratio[place] == pytest.approx(expected, rel=1e-5)
    assert len(ratio) == 3
    twice = _seen(presence(["a b", "a", "b", "b"], "word"), columns)
    expected = _ratio(twice, np.array([True, True, False, False]), np.ones(4))
    weighed = _ratio(_seen(matrix, columns), np.array([True, True, False]), np.array([1, 1, 2]))
    np.testing.assert_allclose(weighed, expected)


def test_it_learns_and_its_log_probabilities_add_up():
    model, found = fit(TEXTS, LABELS, 2, valid=6)
    log_probs = model.log_probs(["what a good day", "bad, bad", ""])
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1)
    assert log_probs[0].argmax() == 1 and log_probs[1].argmax() == 0
    assert found.shape == (24, 2) and (found.argmax(1) == LABELS).all()


def test_held_out_log_probabilities_come_from_a_model_that_has_not_seen_them(monkeypatch):
    texts, labels = [*TEXTS, "zebra", "zebra"], np.array([*LABELS, 0, 0])
    monkeypatch.setattr(linear, "ENOUGH", 2)
    model, found = fit(texts, labels, 2, valid=2)
    part = fit_once(TEXTS, LABELS, model.penalty)
    np.testing.assert_allclose(found, part.log_probs(["zebra"] * 2))
    assert model.log_probs(["zebra"])[0, 0] > found[0, 0]


def test_of_few_texts_each_is_held_out_in_turn_and_equal_ones_together():
    texts, labels = [*TEXTS, "zebra", "zebra"], np.array([*LABELS, 0, 0])
    _, found = fit(texts, labels, 2, valid=2)
    assert len(found) == len(texts)
    unseen = found[-2:]
    np.testing.assert_allclose(unseen[0], unseen[1])  # neither taught the other
    assert abs(unseen[0][0] - unseen[0][1]) < 1.0


def test_chance_is_not_taken_for_knowledge():
    """Words that say nothing: held out in turn, they are found to say nothing."""
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{word}" for word in rng.integers(0, 50, 12)) for _ in range(60)]
    labels = rng.integers(0, 2, 60)
    _, found = fit(texts, labels, 2, valid=6)
    own = np.exp(found[np.arange(60), labels])
    assert abs(own.mean() - 0.5) < 0.1 and log_loss(found, labels) < 1.5


def test_a_text_that_weighs_more_counts_more():
    texts = [f"a {number}" for number in range(40)]
    labels = [0, 1] * 20
    weights = np.array([0.2, 1.8] * 20)
    even, _ = fit(texts, labels, 2, valid=4)
    tilted, _ = fit(texts, labels, 2, valid=4, weights=weights)
    assert even.log_probs(["a"])[0, 1] == pytest.approx(np.log(0.5), abs=0.05)
    assert tilted.log_probs(["a"])[0, 1] > np.log(0.6)


def test_many_weights_are_bounded_and_the_most_frequent_ngrams_kept():
    matrix = presence(["a b", "a b", "a", "a", "b c", "c"], "word")
    assert _frequent(matrix, 1).tolist() == linear.places(["a"]).tolist()
    assert len(_frequent(matrix, 100)) == 4


def test_a_class_that_some_folds_lack_is_no_error():
    texts = [
        *(f"red {n}" for n in range(20)),
        *(f"blue {n}" for n in range(20)),
        "rare x",
        "rare y",
    ]
    model, found = fit(texts, [0] * 20 + [1] * 20 + [2] * 2, 3, valid=4)
    assert np.isfinite(found).all()
    assert model.log_probs(["rare", "red", "blue"]).argmax(1).tolist() == [2, 0, 1]


def test_it_says_how_far_it_is_and_stops_when_it_is_told(monkeypatch):
    monkeypatch.setattr(linear, "SAID_EVERY", 0.0)
    events = []
    fit(TEXTS, LABELS, 2, valid=6, callbacks=Callbacks(events.append))
    assert all(isinstance(event, Message) for event in events)
    assert events[0].text.startswith("1 of at most 21 fits, at most ")
    with pytest.raises(Interrupted):
        fit(TEXTS, LABELS, 2, valid=6, callbacks=Callbacks(stop=lambda: True))


def test_the_same_texts_give_the_same_weights_and_time_ends_the_search():
    texts = ["red apple", "red rose", "blue sky", "blue sea", "green leaf", "green tea"] * 5
    labels = [0, 0, 1, 1, 2, 2] * 5
    one, two = (fit(texts, labels, 3, valid=6)[0] for _ in range(2))
    np.testing.assert_array_equal(one.weights, two.weights)
    assert fit(texts, labels, 3, valid=6, seconds=0)[0].penalty == linear.PENALTIES[0]


def test_reading_features_leaves_them_as_they_are():
    model, _ = fit(TEXTS, LABELS, 2, valid=6)
    read = presence(["what a good day, unheard of", "bad"], "word")
    np.testing.assert_array_equal(model.of_features(read), model.of_features(read))


def test_more_than_two_classes():
    texts = ["red apple", "red rose", "blue sky", "blue sea", "green leaf", "green tea"] * 5
    labels = np.array([0, 0, 1, 1, 2, 2] * 5)
    model, _ = fit(texts, labels, 3, valid=6)
    log_probs = model.log_probs(["red", "blue", "green"])
    assert log_probs.argmax(1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1)


def test_ngrams_of_one_text_only_are_left_out():
    model = fit_once(["a b", "a", "b", "c"], [0, 0, 1, 1], 1)
    assert sorted(model.columns) == sorted(linear.places(["a", "b"]))
    assert len(fit_once(["a", "b"], [0, 1], 1).columns) == 2


def test_typical_ngrams():
    model, _ = fit(TEXTS, LABELS, 2, valid=6)
    bad, good = model.typical(TEXTS, 1)
    assert bad[0][0].startswith("bad") or bad[0][0].endswith("bad")
    assert "good" in good[0][0] and good[0][1] > 0


def test_typical_ngrams_that_are_equals_come_by_the_alphabet():
    # The order of a set of words is another in every process.
    model, _ = fit(TEXTS, LABELS, 2, valid=6)
    same = np.ones_like(model.ratios)
    [*_, row] = replace(model, ratios=same, weights=same).typical(TEXTS, 9)
    assert len(row) == 9 and [text for text, _ in row] == sorted(text for text, _ in row)
