"""What a classifier is worth on labelled texts: all figures of the table and the report."""

import time
from collections.abc import Sequence

import numpy as np

from ..results.classification import Classification, Figures, LengthGroup, Mistake
from ..text.splitting import spread
from .classifier import Classifier
from .ensemble import decisions, mix
from .metrics import (
    Labels,
    LogProbs,
    accuracy,
    calibration_error,
    confusion,
    log_loss,
    macro_f1,
    reliability,
    wilson_interval,
)

NUM_MISTAKES = 20
TIMED_TEXTS = 500
NUM_LENGTHS = 6
"""Groups of texts by length, of about the same number."""


def evaluate_classifier(
    classifier: Classifier, texts: Sequence[str], labels: Labels, split: str
) -> Classification:
    """Figures of each model and of the mixture on N texts with classes `(N,)`."""
    members, rates = _read(classifier, texts)
    return figures(classifier, members, texts, labels, split, rates)


def texts_per_second(classifier: Classifier, texts: Sequence[str]) -> dict[str, float]:
    """How fast each model reads texts, on some of these."""
    return _read(classifier, spread(texts, TIMED_TEXTS))[1]


def _read(
    classifier: Classifier, texts: Sequence[str]
) -> tuple[dict[str, LogProbs], dict[str, float]]:
    """Log-probabilities `(N, K)` and texts per second of each model by itself."""
    began = time.monotonic()
    members, rates = {}, {}
    for name, log_probs in classifier.each_member(texts):
        members[name] = log_probs
        rates[name] = len(texts) / max(time.monotonic() - began, 1e-9)
        began = time.monotonic()
    return members, rates


def figures(
    classifier: Classifier,
    members: dict[str, LogProbs],
    texts: Sequence[str],
    labels: Labels,
    split: str,
    texts_per_second: dict[str, float],
) -> Classification:
    """The same from log-probabilities that are known already."""
    each = {
        name: mix([log_probs], np.array([classifier.alone[name]]))
        for name, log_probs in members.items()
    }
    weights = np.array([classifier.weights[name] for name in members])
    chosen = mix(list(members.values()), weights)
    decided = decisions(chosen, classifier.thresholds)
    models = {name: summary(log_probs, labels) for name, log_probs in each.items()}
    chosen_figures = summary(chosen, labels, decided)
    if len(members) > 1:
        each["mixture"], models["mixture"] = decided, chosen_figures
    else:
        each, models = dict.fromkeys(each, decided), dict.fromkeys(models, chosen_figures)
    return Classification(
        classes=classifier.classes,
        split=split,
        num_texts=len(texts),
        models=models,
        chosen=chosen_figures,
        weights=classifier.weights,
        confusion=confusion(decided, labels).tolist(),
        reliability=reliability(chosen, labels),
        by_length=by_length(each, texts, labels),
        mistakes=mistakes(classifier, chosen, texts, labels),
        texts_per_second=texts_per_second,
    )


def summary(log_probs: LogProbs, labels: Labels, decided: LogProbs | None = None) -> Figures:
    """Accuracy with its 95 % interval, macro-F1, loss in nats and calibration error.

    Args:
        decided: What the predicted class has the most of, where that is not the probability.
    """
    decided = log_probs if decided is None else decided
    right = int((decided.argmax(1) == labels).sum())
    low, high = wilson_interval(right, len(labels))
    return Figures(
        accuracy=accuracy(decided, labels),
        accuracy_low=low,
        accuracy_high=high,
        macro_f1=macro_f1(confusion(decided, labels)),
        log_loss=log_loss(log_probs, labels),
        calibration_error=calibration_error(reliability(log_probs, labels)),
    )


def by_length(each: dict[str, LogProbs], texts: Sequence[str], labels: Labels) -> list[LengthGroup]:
    """Accuracy of each model on texts of about the same number of characters."""
    lengths = np.array([len(text) for text in texts])
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, NUM_LENGTHS + 1)).astype(int))
    place = np.clip(np.searchsorted(edges, lengths, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = []
    for number in np.unique(place):
        inside = place == number
        rows.append(
            LengthGroup(
                low=int(lengths[inside].min()),
                high=int(lengths[inside].max()),
                count=int(inside.sum()),
                accuracy={
                    name: accuracy(log_probs[inside], labels[inside])
                    for name, log_probs in each.items()
                },
            )
        )
    return rows


def mistakes(
    classifier: Classifier, log_probs: LogProbs, texts: Sequence[str], labels: Labels
) -> list[Mistake]:
    """The errors with the highest confidence."""
    predicted = classifier.choose(log_probs)
    confidence = log_probs[np.arange(len(labels)), predicted]
    wrong = np.flatnonzero(predicted != labels)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:NUM_MISTAKES]
    return [
        Mistake(
            text=texts[index],
            label=str(classifier.classes[labels[index]]),
            predicted=str(classifier.classes[predicted[index]]),
            probability=float(np.exp(confidence[index])),
        )
        for index in surest.tolist()
    ]
