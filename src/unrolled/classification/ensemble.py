"""One answer from several models, with probabilities that mean what they say.

    log p(class) = sum_m w_m log p_m(class) + constant,   w_m >= 0

The weights minimize the loss on held-out texts, a convex problem. With one model, 1 / w is the
temperature of Guo et al. 2017, so mixing and calibration are the same; a model that does not help
gets the weight 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from .metrics import Labels, LogProbs, log_loss

CHANCE = 1.35
"""Nats, over all held-out texts, that a model has to save the mixture: noise saves as much in one
of twenty cases. Source: Self & Liang 1987 (likelihood ratio of a weight that is 0 or more)."""
LEAST, MOST = 1e-3, 20.0
"""Of a weight that is not 0. One model has to answer, even if it knows nothing of the held-out
texts; and without an upper bound, models that are all right would get weights without end."""


def mix(members: Sequence[LogProbs], weights: NDArray[np.float64]) -> LogProbs:
    """Log-probabilities of the mixture, `(N, K)`."""
    mixed = np.tensordot(weights, np.stack(members), 1)
    return mixed - np.logaddexp.reduce(mixed, axis=1, keepdims=True)


def fit_weights(members: Sequence[LogProbs], labels: Labels) -> NDArray[np.float64]:
    """The weights of M models, `(M,)`, from their log-probabilities `(N, K)` of held-out texts.

    Models that save less than chance would are left out one by one, the most useless first.
    """
    kept = list(range(len(members)))
    fitted, loss = _fit(members, labels)
    while len(kept) > 1:
        without = [[index for index in kept if index != left_out] for left_out in kept]
        fits = [_fit([members[index] for index in rest], labels) for rest in without]
        best = min(range(len(fits)), key=lambda place: fits[place][1])
        if (fits[best][1] - loss) * len(labels) > CHANCE:
            break
        kept, (fitted, loss) = without[best], fits[best]
    weights = np.zeros(len(members))
    weights[kept] = fitted
    return weights


def savings(
    members: Sequence[LogProbs], labels: Labels, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Nats per text, `(M,)`, that each saves: what a mixture of the others would have more.

    Weights do not tell what a model is worth: they also make up for models that are too sure of
    themselves, or not sure enough.
    """
    loss, saved = log_loss(mix(members, weights), labels), np.zeros(len(members))
    for index in np.flatnonzero(weights).tolist() if len(members) > 1 else ():
        others = [*members[:index], *members[index + 1 :]]
        saved[index] = log_loss(mix(others, fit_weights(others, labels)), labels) - loss
    return saved


def _fit(members: Sequence[LogProbs], labels: Labels) -> tuple[NDArray[np.float64], float]:
    """Weights of all, none of them 0, and the loss of their mixture."""
    weights = _minimize(members, labels).clip(LEAST)
    return weights, log_loss(mix(members, weights), labels)


def _minimize(members: Sequence[LogProbs], labels: Labels) -> NDArray[np.float64]:
    stacked, rows = np.stack(members), np.arange(len(labels))
    own = stacked[:, rows, labels]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mixed = np.tensordot(weights, stacked, 1)
        normalizer = np.logaddexp.reduce(mixed, axis=1)
        expected = (np.exp(mixed - normalizer[:, None]) * stacked).sum(2)
        return float((normalizer - weights @ own).mean()), (expected - own).mean(1)

    start = np.full(len(members), 1 / len(members))
    bounds = [(0, MOST)] * len(members)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x
