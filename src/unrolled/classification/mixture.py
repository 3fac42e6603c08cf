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

NEGLIGIBLE = 0.02
"""A share of the weights below which a model is not worth its cost."""
LEAST, MOST = 1e-3, 20.0
"""Of a weight that is not 0. One model has to answer, even if it knows nothing of the held-out
texts; and without an upper bound, models that are all right would get weights without end."""


def mix(members: Sequence[LogProbs], weights: NDArray[np.float64]) -> LogProbs:
    """Log-probabilities of the mixture, `(N, K)`."""
    mixed = np.tensordot(weights, np.stack(members), 1)
    return mixed - np.logaddexp.reduce(mixed, axis=1, keepdims=True)


def fit_weights(members: Sequence[LogProbs], labels: Labels) -> NDArray[np.float64]:
    """The weights of M models, `(M,)`, from their log-probabilities `(N, K)` of held-out texts."""
    weights = _minimize(members, labels)
    kept = np.flatnonzero(weights >= max(NEGLIGIBLE * weights.sum(), LEAST)).tolist()
    if not kept:
        losses = [log_loss(mix([member], np.array([LEAST])), labels) for member in members]
        kept = [int(np.argmin(losses))]
    weights[:] = 0
    weights[kept] = _minimize([members[index] for index in kept], labels).clip(LEAST)
    return weights


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
