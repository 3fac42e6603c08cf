"""The baseline that often wins: logistic regression on naive-Bayes-weighted n-grams.

For each class, feature f is weighted by its log-count ratio

    r_f = log( (1 + n_f) / sum_g (1 + n_g) ) - log( (1 + m_f) / sum_g (1 + m_g) )

with n the texts of the class that contain it and m all others; each text's vector of r_f is brought
to length 1 and a logistic regression learns the class against all others.
Source: Wang & Manning 2012; with logistic regression Mesnil et al. 2015.

An n-gram is identified by a hash of 30 bits, not a number in a dictionary, so that nothing has to
be counted first and no dictionary has to be saved; two in a thousand million share one.
Source: Weinberger et al. 2009.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from ..errors import MissingExtra
from ..text.splitting import spread
from ..text.words import PLAIN_WORDS, SOUTH_EAST_ASIAN
from .metrics import log_loss

try:
    from sklearn.feature_extraction.text import HashingVectorizer
except ImportError:
    raise MissingExtra("Classification", "classify") from None

Features: TypeAlias = Any
"""A `scipy.sparse` matrix in rows, whose types the stubs do not know."""
Unit: TypeAlias = Literal["word", "char"]
ORDERS: dict[Unit, range] = {"word": range(1, 4), "char": range(1, 6)}
NUM_FEATURES = 1 << 30


def choose_unit(texts: Sequence[str]) -> Unit:
    """Words, or characters where most are of scripts that do not divide words (Thai, Lao, Khmer).

    Han and kana need no choice: each of their characters is a word.
    """
    sample = "".join(spread(texts, 1000))
    num_undivided = len(SOUTH_EAST_ASIAN.findall(sample))
    return "char" if 2 * num_undivided > len("".join(sample.split())) else "word"


def ngrams(text: str, unit: Unit) -> Iterator[str]:
    """The n-grams of a text in lower case: 1 to 3 words or 1 to 5 characters."""
    text = text.lower()
    units = PLAIN_WORDS.findall(text) if unit == "word" else list(text)
    joint = " " if unit == "word" else ""
    for order in ORDERS[unit]:
        for start in range(len(units) - order + 1):
            yield joint.join(units[start : start + order])


def presence(texts: Sequence[str], unit: Unit) -> Features:
    """Which features stand in each text: `(N, 2^30)` of 0 and 1, float32."""
    return _hash(texts, lambda text: ngrams(text, unit))


def places(grams: Sequence[str]) -> NDArray[np.int32]:
    """The features that n-grams are hashed to, `(N,)`."""
    return _hash(grams, lambda gram: [gram]).indices


def _hash(texts: Sequence[str], analyzer: Callable[[str], Iterable[str]]) -> Features:
    vectorizer = HashingVectorizer(
        analyzer=analyzer,
        n_features=NUM_FEATURES,
        binary=True,
        norm=None,  # pyrefly: ignore[bad-argument-type]  old stubs
        alternate_sign=False,
        dtype="float32",
    )
    return cast(Features, vectorizer.transform(texts))


PENALTIES = (4.0, 16.0, 64.0, 256.0)
"""C of the logistic regression: more is less regularization."""
PIECE = 1024
"""Texts scored at a time."""


@dataclass(frozen=True)
class LinearModel:
    """Weights of the features: one row for two classes, else one for each."""

    unit: Unit
    penalty: float
    columns: NDArray[np.int32]  # (F,), the hashed features of two training texts or more, ascending
    ratios: NDArray[np.float32]  # (rows, F), r_f
    weights: NDArray[np.float32]  # (rows, F), on r_f
    bias: NDArray[np.float64]  # (rows,)

    @property
    def num_parameters(self) -> int:
        """Numbers that were fitted."""
        return self.weights.size + self.bias.size

    def log_probs(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-probabilities of the classes, `(N, K)`, read in pieces."""
        pieces = [texts[start : start + PIECE] for start in range(0, len(texts), PIECE)]
        return np.concatenate([self.of_features(presence(piece, self.unit)) for piece in pieces])

    def of_features(self, features: Features) -> NDArray[np.float64]:
        """The same for hashed features, `(N, 2^30)`."""
        features, columns = _seen(features, self.columns), []
        for ratio, weight, bias in zip(self.ratios, self.weights, self.bias, strict=True):
            columns.append(_weighted(features, ratio) @ weight.astype(np.float64) + bias)
        scores = np.column_stack(columns)
        if scores.shape[1] == 1:
            scores = np.hstack([-scores / 2, scores / 2])
        return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)

    def typical(self, texts: Sequence[str], number: int) -> list[list[tuple[str, float]]]:
        """The n-grams of some texts that speak most for each of K classes, and how much.

        Those that stand in fewer than three of the texts are left out.
        """
        counts = Counter(gram for text in texts for gram in set(ngrams(text, self.unit)))
        grams = [gram for gram, count in counts.items() if count >= 3]
        if not grams:
            return [[] for _ in range(max(2, len(self.ratios)))]
        found = np.searchsorted(self.columns, places(grams)).clip(max=len(self.columns) - 1)
        strength = self.ratios[:, found] * self.weights[:, found]
        strength = np.concatenate([-strength, strength]) if len(strength) == 1 else strength
        return [
            [(grams[place], float(row[place])) for place in np.argsort(-row)[:number].tolist()]
            for row in strength
        ]


def fit_linear(
    texts: Sequence[str], labels: NDArray[np.int64], num_classes: int, valid: int
) -> tuple[LinearModel, NDArray[np.float64]]:
    """Fits the model to all texts.

    Args:
        texts: N texts, those held out at the end.
        labels: Their classes, `(N,)`, from 0 on.
        valid: How many are held out to choose the penalty by.

    Returns:
        The model of all N texts, and log-probabilities of the held-out texts, `(valid, K)`, by the
        one that has not seen them.
    """
    unit = choose_unit(texts)
    features = presence(texts, unit)
    first = len(texts) - valid
    tried = _fit(features[:first], labels[:first], num_classes, unit, PENALTIES)
    found = [model.of_features(features[first:]) for model in tried]
    losses = [log_loss(log_probs, labels[first:]) for log_probs in found]
    best = int(np.argmin(losses))
    final = _fit(features, labels, num_classes, unit, PENALTIES[best : best + 1])
    return final[0], found[best]


def _fit(
    features: Features,
    labels: NDArray[np.int64],
    num_classes: int,
    unit: Unit,
    penalties: Sequence[float],
) -> list[LinearModel]:
    """One model for each penalty."""
    columns = _frequent(features)
    features = _seen(features, columns)
    ratios = []
    fitted: list[list[LogisticRegression]] = [[] for _ in penalties]
    for number in range(num_classes) if num_classes > 2 else (1,):
        inside = labels == number
        ratios.append(_ratio(features, inside))
        weighted = _weighted(features, ratios[-1])
        for row, penalty in zip(fitted, penalties, strict=True):
            # From the dual side liblinear is 10 times as fast where features are many.
            regression = LogisticRegression(
                C=penalty, solver="liblinear", dual=True, max_iter=10_000, random_state=0
            )
            row.append(regression.fit(weighted, inside))
    return [
        LinearModel(
            unit,
            penalty,
            columns,
            np.stack(ratios),
            np.stack([regression.coef_[0].astype(np.float32) for regression in row]),
            np.array([float(regression.intercept_[0]) for regression in row]),
        )
        for row, penalty in zip(fitted, penalties, strict=True)
    ]


def _frequent(features: Features) -> NDArray[np.int32]:
    """The features that stand in two texts or more; all, where none does."""
    columns, counts = np.unique(features.indices, return_counts=True)
    frequent = columns[counts > 1]
    return frequent if len(frequent) else columns


def _seen(features: Features, columns: NDArray[np.int32]) -> Features:
    """Numbers the features from 0 on and leaves out all but `columns (F,)`."""
    place = np.searchsorted(columns, features.indices).clip(max=len(columns) - 1)
    known = (columns[place] == features.indices).astype(np.float32)
    shape = features.shape[0], len(columns)
    found = csr_matrix((known, place, features.indptr), shape, copy=True)
    found.eliminate_zeros()  # in place: the row ends too, which would be those of `features`
    return found


def _ratio(features: Features, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Log-count ratios, `(F,)`."""
    number = features.shape[1]
    count, others = (
        1 + np.bincount(features[rows].indices, minlength=number) for rows in (inside, ~inside)
    )
    ratio = np.log(count / count.sum()) - np.log(others / others.sum())
    return ratio.astype(np.float32)


def _weighted(features: Features, ratio: NDArray[np.float32]) -> Features:
    """Rows of r_f, each of length 1."""
    weighted = features.copy()
    weighted.data = ratio[features.indices]
    return normalize(weighted, copy=False)
