"""Mixing and calibrating: weights that a search finds too, zero for what does not help."""

import numpy as np
import pytest
from scipy.optimize import minimize

from unrolled.classification.ensemble import (
    LEAST,
    decisions,
    fit_thresholds,
    fit_weights,
    mix,
    savings,
)
from unrolled.classification.metrics import confusion, log_loss, macro_f1


def make(seed: int, sharpness: float, number: int = 4000):
    """Log-probabilities that would be calibrated if divided by `sharpness`, and labels."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(number, 3)) * 2
    true = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=np.exp(row)) for row in true])
    found = scores * sharpness
    return found - np.logaddexp.reduce(found, axis=1, keepdims=True), labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_one_model_is_calibrated_by_its_temperature(sharpness):
    log_probs, labels = make(0, sharpness)
    weight = fit_weights([log_probs], labels)[0]
    assert weight == pytest.approx(1 / sharpness, rel=0.08)
    search = minimize(lambda w: log_loss(mix([log_probs], w), labels), [0.7], method="Nelder-Mead")
    assert weight == pytest.approx(search.x[0], rel=2e-3)  # the prior counts as one text of 4,000


def test_a_mixture_is_normalized_and_better_than_its_members():
    first, labels = make(1, 1.0)
    rng = np.random.default_rng(2)
    noisy = [first + rng.normal(size=first.shape) * 1.5 for _ in range(2)]
    noisy = [part - np.logaddexp.reduce(part, axis=1, keepdims=True) for part in noisy]
    weights = fit_weights(noisy, labels)
    mixed = mix(noisy, weights)
    np.testing.assert_allclose(np.exp(mixed).sum(1), 1)
    alone = [log_loss(mix([part], fit_weights([part], labels)), labels) for part in noisy]
    assert log_loss(mixed, labels) < min(alone) - 0.05
    search = minimize(lambda w: log_loss(mix(noisy, w), labels), [0.5, 0.5], method="Nelder-Mead")
    np.testing.assert_allclose(weights, search.x, rtol=0.01)


def test_a_model_that_knows_nothing_gets_no_weight():
    good, labels = make(3, 1.0)
    rng = np.random.default_rng(4)
    noise = rng.normal(size=good.shape)
    noise -= np.logaddexp.reduce(noise, axis=1, keepdims=True)
    weights = fit_weights([noise, good], labels)
    assert weights[0] == 0
    assert weights[1] == pytest.approx(fit_weights([good], labels)[0])


def test_a_model_is_judged_by_what_it_saves_and_not_by_its_weight():
    good, labels = make(6, 8.0)  # too sure of itself: its weight is an eighth
    rng = np.random.default_rng(7)
    vague = rng.normal(size=good.shape) * 0.01  # nearly uniform: the greatest weight changes little
    vague -= np.logaddexp.reduce(vague, axis=1, keepdims=True)
    weights = fit_weights([good, vague], labels)
    assert weights[1] == 0
    assert weights[0] == pytest.approx(fit_weights([good], labels)[0])


@pytest.mark.parametrize(("number", "kept"), [(40, 1), (4000, 2)])
def test_a_model_has_to_save_more_than_chance_would(number, kept):
    first, labels = make(8, 1.0, number)
    rng = np.random.default_rng(9)
    second = first + rng.normal(size=first.shape) * 1.5
    first = first + rng.normal(size=first.shape)
    members = [part - np.logaddexp.reduce(part, axis=1, keepdims=True) for part in (first, second)]
    assert np.count_nonzero(fit_weights(members, labels)) == kept


def log_loss_of(log_probs, labels):
    return log_loss(mix([log_probs], fit_weights([log_probs], labels)), labels)


def test_what_a_model_saves_is_what_the_others_lose_without_it():
    first, labels = make(10, 1.0)
    rng = np.random.default_rng(11)
    noisy = [first + rng.normal(size=first.shape) * scale for scale in (1.0, 2.0)]
    members = [part - np.logaddexp.reduce(part, axis=1, keepdims=True) for part in noisy]
    useless = np.full_like(first, -np.log(3))
    members.append(useless)
    weights = fit_weights(members, labels)
    found = savings(members, labels, weights)
    whole = log_loss(mix(members, weights), labels)
    alone = [log_loss_of(part, labels) for part in members]
    np.testing.assert_allclose(found, [alone[1] - whole, alone[0] - whole, 0], rtol=1e-3)
    assert savings([first], labels, np.array([1.0])).tolist() == [0]
    alone = savings([members[0], useless], labels, fit_weights([members[0], useless], labels))
    assert alone[0] == pytest.approx(np.log(3) - log_loss_of(members[0], labels), rel=1e-2)
    assert alone[1] == 0


def test_models_that_are_always_right_stay_finite():
    log_probs = np.log(np.array([[0.9, 0.1], [0.1, 0.9]]))
    weights = fit_weights([log_probs], np.array([0, 1]))
    assert np.isfinite(weights).all() and weights[0] > 1


@pytest.mark.parametrize("number", [1, 2])
def test_models_worse_than_chance_still_answer(number):
    good, labels = make(5, 1.0)
    members = [-good, -2 * good][:number]  # the likelier a class is, the less they believe it
    members = [part - np.logaddexp.reduce(part, axis=1, keepdims=True) for part in members]
    weights = fit_weights(members, labels)
    assert np.count_nonzero(weights) == 1 and weights.sum() == pytest.approx(LEAST)
    mixed = mix(members, weights)
    assert (mixed.argmax(1) == members[0].argmax(1)).all()
    assert log_loss(mixed, labels) == pytest.approx(np.log(3), abs=0.01)


@pytest.mark.parametrize("right", [0, 5])
def test_five_texts_do_not_make_certainty(right):
    """Without a prior all probabilities were 0.50 where all are wrong, and 0.9999 where all are
    right."""
    log_probs = np.log(np.array([[0.45, 0.55]] * 5))
    labels = np.array([1] * right + [0] * (5 - right))
    (weight,) = fit_weights([log_probs], labels)
    # By hand: five slopes of the loss and that of the prior are level.
    gap = np.log(0.55 / 0.45) * (1 if right else -1)
    slope = -5 * gap / (1 + np.exp(weight * gap)) + (weight - 1)
    assert slope == pytest.approx(0, abs=1e-3)
    assert 0.1 < weight < 2


@pytest.mark.parametrize(("number", "matters"), [(4, True), (4000, False)])
def test_what_is_expected_of_a_model_holds_where_texts_are_few(number, matters):
    log_probs, labels = make(1, 1.0, number)
    low, high = (fit_weights([log_probs], labels, expected=[mean])[0] for mean in (0.3, 2.0))
    assert (high - low > 0.5) == matters
    assert low < high


def test_texts_count_as_much_as_they_weigh():
    log_probs, labels = make(2, 2.0, 50)
    weights = np.arange(50) % 3 * 1.0
    rows = np.repeat(np.arange(50), weights.astype(int))
    np.testing.assert_allclose(
        fit_weights([log_probs], labels, weights),
        fit_weights([log_probs[rows]], labels[rows]),
        rtol=1e-3,
    )


def test_thresholds_find_a_rare_class():
    rng = np.random.default_rng(0)
    labels = (rng.random(2000) < 0.06).astype(int)
    odds = rng.normal(size=2000) + 1.5 * labels + np.log(0.06 / 0.94) - 1.125
    log_probs = -np.logaddexp(0, np.stack([odds, -odds], 1))
    before = macro_f1(confusion(log_probs, labels))
    thresholds = fit_thresholds(log_probs, labels)
    assert thresholds.sum() == pytest.approx(1)
    decided = decisions(log_probs, thresholds.tolist())
    assert (decided.argmax(1) == (np.exp(log_probs[:, 1]) > thresholds[1])).all()
    assert macro_f1(confusion(decided, labels)) > before + 0.1
    by_hand = [
        macro_f1(confusion(np.stack([np.zeros(2000), odds - cut], 1), labels))
        for cut in np.linspace(-4, 4, 400)
    ]
    assert macro_f1(confusion(decided, labels)) > max(by_hand) - 0.01


def test_thresholds_of_three_classes_do_not_make_it_worse():
    log_probs, labels = make(5, 1.0, 500)
    thresholds = fit_thresholds(log_probs, labels)
    decided = decisions(log_probs, thresholds.tolist())
    assert macro_f1(confusion(decided, labels)) >= macro_f1(confusion(log_probs, labels))
    assert (decisions(log_probs, None) == log_probs).all()
