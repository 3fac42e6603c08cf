"""Which words made the classifier decide: occlusion, and gradient times input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import ConfigError
from ..results.classification import Explained, Part
from ..text.labels import plain
from ..text.words import PLAIN_WORDS
from ..training.trainee import autocast
from .classifier import Classifier, RecurrentMember
from .metrics import LogProbs

Method: TypeAlias = Literal["occlusion", "gradient"]
MAX_WORDS = 400
"""Words left out one by one; longer texts are explained by pieces of several words."""


@dataclass(frozen=True)
class Explanation:
    """A text in parts, each with what it adds to the log-odds of the predicted class, in nats."""

    parts: list[str]
    """They add up to the text."""
    weights: NDArray[np.float64]  # (parts,)
    predicted: Any
    probability: float

    def to_record(self, label: str | None = None) -> Explained:
        """The same as plain values; `label` is the true class, where it is known."""
        pairs = zip(self.parts, self.weights.tolist(), strict=True)
        parts = [Part(text, weight) for text, weight in pairs]
        return Explained(parts, str(self.predicted), self.probability, label)


def explain(classifier: Classifier, text: str, method: Method = "occlusion") -> Explanation:
    """Explains the predicted class of a text.

    Args:
        method: occlusion: how much the log-odds fall when a word is left out, for the whole
            mixture. Source: Zeiler & Fergus 2014; Li et al. 2016. gradient: gradient times input of
            the words' vectors, for the recurrent model that reads forward. Source: Denil et al.
            2014.

    Raises:
        ConfigError: gradient, for a classifier without a recurrent model.
    """
    text = plain(text)
    log_probs = classifier.log_probs([text])[0]
    predicted = int(classifier.choose(log_probs[None])[0])
    if method == "gradient":
        parts, weights = _gradient(classifier, text, predicted)
    else:
        parts, weights = _occlusion(classifier, text, predicted)
    probability = float(np.exp(log_probs[predicted]))
    return Explanation(parts, weights, classifier.classes[predicted], probability)


def _occlusion(
    classifier: Classifier, text: str, predicted: int
) -> tuple[list[str], NDArray[np.float64]]:
    parts = _parts(text, [match.start() for match in PLAIN_WORDS.finditer(text)])
    step = -(-len(parts) // MAX_WORDS)
    parts = ["".join(parts[place : place + step]) for place in range(0, len(parts), max(step, 1))]
    shorter = ["".join(parts[:place] + parts[place + 1 :]) for place in range(len(parts))]
    odds = _log_odds(classifier.log_probs([text, *shorter]), predicted)
    return parts, odds[0] - odds[1:]


def _log_odds(log_probs: LogProbs, predicted: int) -> NDArray[np.float64]:
    others = np.logaddexp.reduce(np.delete(log_probs, predicted, 1), axis=1)
    return log_probs[:, predicted] - others


def _gradient(
    classifier: Classifier, text: str, predicted: int
) -> tuple[list[str], NDArray[np.float64]]:
    member = classifier.recurrent
    if member is None:
        remedy = "Choose occlusion."
        raise ConfigError("method", "occlusion for a linear model", "gradient", remedy)
    documents = member.documents([text])
    tokens, lengths = documents.batch(np.array([0]))
    words = member.model.embedding.embed(tokens)
    shift = torch.zeros_like(words, requires_grad=True)
    with torch.enable_grad(), autocast(member.config.precision):
        log_probs = member.model(tokens, lengths, shift)[0]
        others = torch.cat([log_probs[:predicted], log_probs[predicted + 1 :]]).logsumexp(0)
    (gradient,) = torch.autograd.grad(log_probs[predicted] - others, shift)
    products = (gradient * words)[0, : documents.lengths[0]].sum(1)  # none of padding that is read
    return _by_word(member, text, products.double().numpy())


def _by_word(
    member: RecurrentMember, text: str, products: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float64]]:
    """Gives each token's product to its part of the text."""
    _, starts, _ = member.tokenizer.spans(text)
    parts = _parts(text, starts.tolist())
    last = len(products) - 1
    tokens = min(len(starts), last)  # the end is no word, nor is the beginning
    read = products[last - tokens : last]
    return parts, np.concatenate([np.zeros(len(parts) - len(read)), read])


def _parts(text: str, starts: Sequence[int]) -> list[str]:
    """Cuts a text before each of some places; what stands before the first belongs to it."""
    if not starts:
        return [text] if text else []
    edges = [0, *starts[1:], len(text)]
    return [text[start:stop] for start, stop in zip(edges[:-1], edges[1:], strict=True)]
