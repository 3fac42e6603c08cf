"""Figures of a classifier: how often it is right, and whether its probabilities can be trusted."""

import numpy as np
from numpy.typing import NDArray

from ..results.classification import Bin

Labels = NDArray[np.int64]
LogProbs = NDArray[np.float64]

Z95 = 1.959963984540054
NUM_BINS = 15


def log_loss(
    log_probs: LogProbs, labels: Labels, weights: NDArray[np.float64] | None = None
) -> float:
    """Mean negative log-probability of the labels `(N,)` under `log_probs (N, K)`, in nats."""
    return float(np.average(-log_probs[np.arange(len(labels)), labels], weights=weights))


def accuracy(log_probs: LogProbs, labels: Labels) -> float:
    """Part of the texts whose most likely class is the label."""
    return float((log_probs.argmax(1) == labels).mean())


def wilson_interval(right: int, number: int) -> tuple[float, float]:
    """95 % confidence interval of a proportion.  Source: Wilson 1927."""
    share, z2 = right / number, Z95**2
    middle = (share + z2 / (2 * number)) / (1 + z2 / number)
    reach = Z95 * np.sqrt(share * (1 - share) / number + z2 / (4 * number**2)) / (1 + z2 / number)
    return float(max(0.0, middle - reach)), float(min(1.0, middle + reach))


def confusion(log_probs: LogProbs, labels: Labels) -> NDArray[np.int64]:
    """How many texts of each class (rows) were taken for each (columns), `(K, K)`."""
    num_classes = log_probs.shape[1]
    pairs = labels * num_classes + log_probs.argmax(1)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def macro_f1(table: NDArray[np.int64]) -> float:
    """Mean over classes of the harmonic mean of precision and recall, from `confusion`.

    A class that neither stands in the labels nor was predicted does not count.
    """
    right, both = table.diagonal(), table.sum(0) + table.sum(1)
    seen = both > 0
    return float((2 * right[seen] / both[seen]).mean())


def reliability(log_probs: LogProbs, labels: Labels) -> list[Bin]:
    """Texts by the probability of their predicted class, in 15 equal bins; empty ones left out."""
    confidence, right = np.exp(log_probs.max(1)), log_probs.argmax(1) == labels
    edges = np.linspace(0, 1, NUM_BINS + 1)
    place = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, NUM_BINS - 1)
    rows: list[Bin] = []
    for number in np.unique(place):
        inside = place == number
        rows.append(
            Bin(
                low=float(edges[number]),
                high=float(edges[number + 1]),
                confidence=float(confidence[inside].mean()),
                accuracy=float(right[inside].mean()),
                count=int(inside.sum()),
            )
        )
    return rows


def calibration_error(bins: list[Bin]) -> float:
    """Expected calibration error: mean distance of confidence and accuracy.

    Source: Naeini et al. 2015; Guo et al. 2017.
    """
    total = sum(row.count for row in bins)
    return sum(row.count * abs(row.confidence - row.accuracy) for row in bins) / total
