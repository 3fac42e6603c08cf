"""One answer from several models, with probabilities that mean what they say.

    log p(class) = sum_m w_m log p_m(class) + constant,   w_m >= 0

The weights minimize the loss on held-out texts, a convex problem. With one model, 1 / w is the
temperature of Guo et al. 2017, so mixing and calibration are the same; a model that does not help
gets the weight 0. A normal prior keeps few texts from claiming much: without it, five texts that
are all right make every probability 1, and five that are wrong make it 1 / K.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from .metrics import Labels, LogProbs, confusion, log_loss, macro_f1

ThresholdMetric: TypeAlias = Literal["macro-f1"]
"""What thresholds can make greatest."""

CHANCE = 1.35
"""Nats, over all held-out texts, that a model has to save the mixture: noise saves as much in one
of twenty cases. Source: Self & Liang 1987 (likelihood ratio of a weight that is 0 or more)."""
LEAST = 1e-3
"""Of a weight that is not 0. One model has to answer, even if it knows nothing of the held-out
texts."""
PRIOR = 1.0
"""Standard deviation of the prior of a weight."""
SHIFTS = np.array(sorted(np.arange(-40, 41) / 10, key=abs))
"""Of a class's log-probability, in nats, that are tried for its threshold, the smallest first."""
PASSES = 3
"""Over the classes."""


def mix(members: Sequence[LogProbs], weights: NDArray[np.float64]) -> LogProbs:
    """Log-probabilities of the mixture, `(N, K)`."""
    mixed = np.tensordot(weights, np.stack(members), 1)
    return mixed - np.logaddexp.reduce(mixed, axis=1, keepdims=True)


def fit_weights(
    members: Sequence[LogProbs],
    labels: Labels,
    text_weights: NDArray[np.float64] | None = None,
    expected: Sequence[float] | None = None,
) -> NDArray[np.float64]:
    """The weights of M models, `(M,)`, from their log-probabilities `(N, K)` of held-out texts.

    Models that save less than chance would are left out one by one, the most useless first.

    Args:
        text_weights: How much each text counts, `(N,)`, 1 on average.
        expected: Means of the prior, `(M,)`; by default each of the models that are kept has the
            same part of 1.
    """
    each = np.ones(len(labels)) if text_weights is None else text_weights

    def fit(kept: Sequence[int]) -> tuple[NDArray[np.float64], float]:
        means = [1 / len(kept) if expected is None else expected[index] for index in kept]
        return _fit([members[index] for index in kept], labels, each, np.array(means))

    kept = list(range(len(members)))
    fitted, loss = fit(kept)
    while len(kept) > 1:
        without = [[index for index in kept if index != left_out] for left_out in kept]
        fits = [fit(rest) for rest in without]
        best = min(range(len(fits)), key=lambda place: fits[place][1])
        if fits[best][1] - loss > CHANCE:
            break
        kept, (fitted, loss) = without[best], fits[best]
    weights = np.zeros(len(members))
    weights[kept] = fitted
    return weights


def savings(
    members: Sequence[LogProbs],
    labels: Labels,
    weights: NDArray[np.float64],
    text_weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Nats per text, `(M,)`, that each saves: what a mixture of the others would have more.

    Weights do not tell what a model is worth: they also make up for models that are too sure of
    themselves, or not sure enough.
    """
    loss = log_loss(mix(members, weights), labels, text_weights)
    saved = np.zeros(len(members))
    for index in np.flatnonzero(weights).tolist() if len(members) > 1 else ():
        others = [*members[:index], *members[index + 1 :]]
        mixed = mix(others, fit_weights(others, labels, text_weights))
        saved[index] = log_loss(mixed, labels, text_weights) - loss
    return saved


def _fit(
    members: Sequence[LogProbs],
    labels: Labels,
    text_weights: NDArray[np.float64],
    expected: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Weights of all, none of them 0, and their loss of all texts and the prior, in nats."""
    stacked, rows = np.stack(members), np.arange(len(labels))
    own = stacked[:, rows, labels]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mixed = np.tensordot(weights, stacked, 1)
        normalizer = np.logaddexp.reduce(mixed, axis=1)
        predicted = (np.exp(mixed - normalizer[:, None]) * stacked).sum(2)
        away = (weights - expected) / PRIOR**2
        value = (normalizer - weights @ own) @ text_weights + away @ (weights - expected) / 2
        slope = (predicted - own) @ text_weights + away
        # By the text, so that the search ends at the same precision for many as for few.
        return float(value) / len(labels), slope / len(labels)

    bounds = [(LEAST, None)] * len(members)
    found = minimize(loss, expected.clip(LEAST), jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x, float(found.fun) * len(labels)


def decisions(log_probs: LogProbs, thresholds: Sequence[float] | None) -> LogProbs:
    """What the predicted class has the most of, `(N, K)`: log-probabilities over thresholds."""
    return log_probs if thresholds is None else log_probs - np.log(thresholds)


def fit_thresholds(log_probs: LogProbs, labels: Labels) -> NDArray[np.float64]:
    """Thresholds `(K,)`, 1 in sum, that give held-out texts the greatest macro-F1.

    The predicted class is that with the greatest p / threshold: of two classes, the second where
    its probability is above its threshold. One class after the other is searched.

    Args:
        log_probs: Calibrated, of the held-out texts, `(N, K)`.
        labels: Their classes, `(N,)`.
    """
    scores = log_probs.copy()
    best = macro_f1(confusion(scores, labels))
    for _ in range(PASSES):
        for number in range(scores.shape[1] if scores.shape[1] > 2 else 1):
            before = scores[:, number].copy()
            found = []
            for shift in SHIFTS:
                scores[:, number] = before + shift
                found.append(macro_f1(confusion(scores, labels)))
            place = int(np.argmax(found))
            improved = found[place] > best + 1e-12
            scores[:, number] = before + (SHIFTS[place] if improved else 0)
            best = max(best, found[place])
    thresholds = np.exp((log_probs - scores)[0])
    return thresholds / thresholds.sum()
