"""The baseline that often wins: logistic regression on naive-Bayes-weighted n-grams.

For each class, feature f is weighted by its log-count ratio

    r_f = log( (1 + n_f) / sum_g (1 + n_g) ) - log( (1 + m_f) / sum_g (1 + m_g) )

with n the texts of the class that contain it and m all others; each text's vector of r_f is brought
to length 1 and a logistic regression learns the class against all others.
Source: Wang & Manning 2012; with logistic regression Mesnil et al. 2015.

A second model reads n-grams of characters instead; held-out texts tell whether it helps.

An n-gram is identified by a hash of 30 bits, not a number in a dictionary, so that nothing has to
be counted first and no dictionary has to be saved; two in a thousand million share one.
Source: Weinberger et al. 2009.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from ..errors import MissingExtra
from ..results.events import Interrupted, Message
from ..text.labels import LabelledTexts
from ..text.splitting import deal, joined
from ..text.words import PLAIN_WORDS, SOUTH_EAST_ASIAN
from ..training.loop import Callbacks
from .documents import Labelled
from .ensemble import fit_weights, mix
from .metrics import Labels, LogProbs, log_loss

try:
    from sklearn.feature_extraction.text import HashingVectorizer
except ImportError:
    raise MissingExtra("Classification", "classify") from None

Features: TypeAlias = Any
"""A `scipy.sparse` matrix in rows, whose types the stubs do not know."""
Unit: TypeAlias = Literal["word", "char"]
UNITS: tuple[Unit, ...] = get_args(Unit)
WORDS, CHARACTERS, UNSPACED_CHARACTERS = range(1, 4), range(2, 6), range(1, 6)
"""Orders of n-grams: of words, of characters, and of scripts that do not divide words."""
NUM_FEATURES = 1 << 30


def ngrams(text: str, unit: Unit) -> Iterator[str]:
    """The n-grams of a text in lower case: 1 to 3 words, or 2 to 5 characters.

    Beside words stand 1 to 5 characters of the parts of a text whose script does not divide them.
    """
    text = text.lower()
    if unit == "char":
        return _runs(" ".join(text.split()), CHARACTERS)
    return _word_ngrams(text)


def _word_ngrams(text: str) -> Iterator[str]:
    for run in SOUTH_EAST_ASIAN.findall(text):
        yield from _runs(run, UNSPACED_CHARACTERS)
    words = PLAIN_WORDS.findall(SOUTH_EAST_ASIAN.sub(" ", text))
    for order in WORDS:
        for start in range(len(words) - order + 1):
            yield " ".join(words[start : start + order])


def _runs(text: str, orders: range) -> Iterator[str]:
    for order in orders:
        for start in range(len(text) - order + 1):
            yield text[start : start + order]


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


PENALTIES: tuple[float, ...] = (4.0, 16.0, 64.0, 256.0)
"""C of the logistic regression: more is less regularization. 1 was no gain on held-out texts, see
benchmarks/penalties.py."""
TOLERANCE = 0.01
"""At which a fit ends: 0.0001 takes twice as long and changes no figure."""
ENOUGH, FOLDS, FEW_ENOUGH = 200, 5, 4000
"""Held-out texts by which a penalty can be chosen. Where there are fewer, all texts are held out
in turn, in five folds, unless they are more than 4,000."""
MOST_WEIGHTS = 1 << 28
"""Of classes times n-grams, 2 GB with the ratios; rarer n-grams are left out beyond."""
SAID_EVERY = 10.0
"""Seconds between messages."""
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

        Those that stand in fewer than three of the texts are left out; equals come by the alphabet.
        """
        counts = Counter(gram for text in texts for gram in set(ngrams(text, self.unit)))
        grams = sorted(gram for gram, count in counts.items() if count >= 3)
        if not grams:
            return [[] for _ in range(max(2, len(self.ratios)))]
        found = np.searchsorted(self.columns, places(grams)).clip(max=len(self.columns) - 1)
        strength = self.ratios[:, found] * self.weights[:, found]
        strength = np.concatenate([-strength, strength]) if len(strength) == 1 else strength
        return [
            [(grams[place], float(row[place])) for place in order[:number].tolist()]
            for row, order in zip(strength, np.argsort(-strength, kind="stable"), strict=True)
        ]


@dataclass
class _Work:
    """Fits of one class each: how many are done, and who is told."""

    callbacks: Callbacks
    planned: int
    done: int = 0
    said: float = 0.0
    began: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.said = time.monotonic()

    def step(self) -> None:
        """Counts a fit. Raises Interrupted where `stop` says so."""
        self.done += 1
        if self.callbacks.stop():
            raise Interrupted
        now = time.monotonic()
        if now - self.said >= SAID_EVERY:
            self.said = now
            left = (now - self.began) * (self.planned / self.done - 1)
            text = f"{self.done:,} of at most {self.planned:,} fits, at most {left:,.0f} s left."
            self.callbacks.on_event(Message(text=text))


def fit_linear(
    data: Labelled,
    num_valid: int,
    num_classes: int,
    unit: Unit,
    callbacks: Callbacks,
    seconds: float = float("inf"),
) -> tuple[LinearModel, LogProbs]:
    """Fits the model to all texts.

    Args:
        data: N texts, those held out at the end.
        num_valid: How many are held out to choose the penalty by. With fewer than 200, all are
            held out in turn.
        seconds: No further penalty is tried after this time.

    Returns:
        The model of all N texts, and log-probabilities `(M, K)` of the last M texts, by models that
        have not seen them: M is `num_valid`, or N where all were held out in turn.

    Raises:
        Interrupted: `stop` said so.
    """
    features = presence(data.texts, unit)
    folds = _folds(data, num_valid)
    rows = num_classes if num_classes > 2 else 1
    work = _Work(callbacks, (len(PENALTIES) * len(folds) + 1) * rows)
    task = _Task(features, data.labels, data.each_weight, num_classes, unit, work)
    first = len(data.texts) - num_valid if len(folds) == 1 else 0
    best, best_loss, chosen = np.zeros((0, num_classes)), np.inf, PENALTIES[0]
    for penalty in PENALTIES:
        found = np.full((len(data.texts), num_classes), -np.log(num_classes))
        for seen, held_out in folds:
            found[held_out] = task.fit(seen, penalty).of_features(features[held_out])
        loss = _calibrated_loss(found[first:], data.labels[first:], data.each_weight[first:])
        if loss >= best_loss:
            break
        best, best_loss, chosen = found[first:], loss, penalty
        if time.monotonic() - work.began > seconds:
            break
    return task.fit(np.arange(len(data.texts)), chosen), best


def _folds(data: Labelled, num_valid: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Texts to fit and texts held out, by number."""
    number = len(data.texts)
    last = [(np.arange(number - num_valid), np.arange(number - num_valid, number))]
    if num_valid >= ENOUGH or number > FEW_ENOUGH:
        return last
    names = [str(label) for label in data.labels.tolist()]
    groups = joined(LabelledTexts(list(data.texts), names, data.groups))
    fold, found = deal(data.labels, groups, FOLDS, seed=0), []
    for part in range(FOLDS):
        seen, held_out = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        # Of a class that is not seen, nothing can be said.
        held_out = held_out[np.isin(data.labels[held_out], data.labels[seen])]
        if len(held_out):
            found.append((seen, held_out))
    return found or last


def _calibrated_loss(log_probs: LogProbs, labels: Labels, weights: NDArray[np.float64]) -> float:
    calibrated = mix([log_probs], fit_weights([log_probs], labels, weights))
    return log_loss(calibrated, labels, weights)


@dataclass(frozen=True)
class _Task:
    """What all fits have in common."""

    features: Features  # (N, 2^30)
    labels: Labels  # (N,)
    weights: NDArray[np.float64]  # (N,)
    num_classes: int
    unit: Unit
    work: _Work

    def fit(self, rows: NDArray[np.int64], penalty: float) -> LinearModel:
        """A model of some of the texts."""
        numbers = range(self.num_classes) if self.num_classes > 2 else (1,)
        columns = _frequent(self.features[rows], MOST_WEIGHTS // len(numbers))
        features = _seen(self.features[rows], columns)
        labels, weights = self.labels[rows], self.weights[rows]

        fitted = []
        for number in numbers:  # not side by side: liblinear has one random generator for all
            fitted.append(_fit_class(features, labels == number, weights, penalty))
            self.work.step()
        ratios, found, bias = zip(*fitted, strict=True)
        return LinearModel(
            self.unit, penalty, columns, np.stack(ratios), np.stack(found), np.array(bias)
        )


_Row: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], float]
"""Of one class against all others: ratios `(F,)`, weights `(F,)`, bias."""


def _fit_class(
    features: Features, inside: NDArray[np.bool_], weights: NDArray[np.float64], penalty: float
) -> _Row:
    ratio = _ratio(features, inside, weights)
    total, own = weights.sum(), weights[inside].sum()
    if not 0 < own < total:  # nothing to tell apart: as rare, or frequent, as it was
        return ratio, np.zeros_like(ratio), float(np.log((own + 0.5) / (total - own + 0.5)))
    # From the dual side liblinear is 10 times as fast where features are many.
    regression = LogisticRegression(
        C=penalty, solver="liblinear", dual=True, max_iter=10_000, tol=TOLERANCE, random_state=0
    )
    regression.fit(_weighted(features, ratio), inside, weights)
    return ratio, regression.coef_[0].astype(np.float32), float(regression.intercept_[0])


def _frequent(features: Features, most: int) -> NDArray[np.int32]:
    """The features that stand in two texts or more; all, where none does; the most frequent ones,
    where they are more than `most`."""
    columns, counts = np.unique(features.indices, return_counts=True)
    frequent = counts > 1 if (counts > 1).any() else counts > 0
    columns, counts = columns[frequent], counts[frequent]
    if len(columns) <= most:
        return columns
    return np.sort(columns[np.argsort(-counts, kind="stable")[:most]])


def _seen(features: Features, columns: NDArray[np.int32]) -> Features:
    """Numbers the features from 0 on and leaves out all but `columns (F,)`."""
    place = np.searchsorted(columns, features.indices).clip(max=len(columns) - 1)
    known = (columns[place] == features.indices).astype(np.float32)
    shape = features.shape[0], len(columns)
    found = csr_matrix((known, place, features.indptr), shape, copy=True)
    found.eliminate_zeros()  # in place: the row ends too, which would be those of `features`
    return found


def _ratio(
    features: Features, inside: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Log-count ratios, `(F,)`; each text counts as much as it weighs."""
    number = features.shape[1]
    each = np.repeat(weights, np.diff(features.indptr))
    of_class = np.repeat(inside, np.diff(features.indptr))
    count, others = (
        1 + np.bincount(features.indices, each * part, minlength=number)
        for part in (of_class, ~of_class)
    )
    ratio = np.log(count / count.sum()) - np.log(others / others.sum())
    return ratio.astype(np.float32)


def _weighted(features: Features, ratio: NDArray[np.float32]) -> Features:
    """Rows of r_f, each of length 1."""
    weighted = features.copy()
    weighted.data = ratio[features.indices]
    return normalize(weighted, copy=False)
