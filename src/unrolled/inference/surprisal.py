"""Surprisal: what every token, word and character of a text costs a model, in bits."""

import itertools
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.base import LanguageModel
from ..results.loss import BITS_PER_NAT
from ..results.summary import Summarized, Summary
from ..system.machine import threads_for
from ..text.tokenizers import BOUNDARY, BOUNDARY_ID, UNKNOWN_ID, Tokenizer
from ..text.words import CJK

WINDOW = 1024
"""Texts sorted by length at a time, so that those read side by side are about as long."""
ROWS, TOKENS = 32, 1 << 15
"""Texts and tokens read side by side at most: a Transformer's state takes up to megabytes a row."""
WORD = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
"""White-space separated; each East Asian character is one."""


@dataclass(frozen=True)
class Cost:
    """A piece of a text and what it costs."""

    text: str
    start: int
    """First character, counted from the beginning of the text."""
    end: int
    """One past the last."""
    bits: float


@dataclass(frozen=True, repr=False)
class TextScore(Summarized):
    """What one text costs, its end included.

    An unknown symbol costs its `<unk>` and what spelling it takes.
    """

    text: str
    tokens: tuple[Cost, ...]
    """The last one is the end of the text, "<eos>"."""
    num_unknown: int = 0

    @property
    def bits(self) -> float:
        """-log2 of the probability of the text and its end."""
        return math.fsum(token.bits for token in self.tokens)

    @property
    def bits_per_byte(self) -> float:
        """Bits over UTF-8 bytes; infinite for an empty text."""
        size = len(self.text.encode())
        return self.bits / size if size else math.inf

    @property
    def perplexity(self) -> float:
        """2 to the bits per token, the end counted; depends on the tokenizer."""
        return 2 ** min(self.bits / len(self.tokens), 1000)

    @property
    def perplexity_per_word(self) -> float:
        """2 to the bits per word, the end counted."""
        return 2 ** min(self.bits / len(self.words), 1000)

    @property
    def words(self) -> tuple[Cost, ...]:
        """White-space separated words; each East Asian character is one.

        A token belongs to the word that its last character, white space aside, lies in; white space
        alone belongs to the word after it. What is left, the last item, is the end of the text and
        the white space before it. The sum of all is the whole.
        """
        spans = [match.span() for match in WORD.finditer(self.text)]
        ends = [end for _, end in spans]
        bits = [0.0] * (len(spans) + 1)
        for token in self.tokens:
            visible = len(self.text[token.start : token.end].rstrip())
            last = token.start + max(visible - 1, 0)
            bits[bisect_right(ends, last)] += token.bits
        found = [
            Cost(self.text[start:end], start, end, cost)
            for (start, end), cost in zip(spans, bits, strict=False)
        ]
        return (*found, Cost(BOUNDARY, len(self.text), len(self.text), bits[-1]))

    @property
    def characters(self) -> NDArray[np.float64]:
        """Bits of each character, `(len(text),)`, a token's spread evenly; without the end."""
        bits = np.zeros(len(self.text))
        for token in self.tokens:
            if token.end > token.start:
                bits[token.start : token.end] += token.bits / (token.end - token.start)
        return bits

    def summary(self) -> Summary:
        """The bits of each word."""
        title = f"{self.bits:.1f} bits, {self.bits_per_byte:.3f} per byte"
        return Summary(title, ("word", "bits"), [(word.text, word.bits) for word in self.words])

    def to_json(self) -> dict[str, Any]:
        """Totals, tokens, words, and the bits of each character, as `json.dumps` takes them."""
        return {
            "text": self.text,
            "bits": self.bits,
            "bits_per_byte": self.bits_per_byte if self.text else None,
            "perplexity": self.perplexity,
            "perplexity_per_word": self.perplexity_per_word,
            "num_unknown": self.num_unknown,
            "tokens": [vars(token) for token in self.tokens],
            "words": [vars(word) for word in self.words],
            "characters": self.characters.round(6).tolist(),
        }


def score_text(model: LanguageModel, tokenizer: Tokenizer, text: str) -> TextScore:
    """Scores one text, from its beginning to its end."""
    return next(score_texts(model, tokenizer, [text]))


def score_texts(
    model: LanguageModel, tokenizer: Tokenizer, texts: Iterable[str]
) -> Iterator[TextScore]:
    """Scores texts, each by itself, several side by side; in their order, in constant memory."""
    remaining = iter(texts)
    while window := list(itertools.islice(remaining, WINDOW)):
        spans = [tokenizer.spans(text) for text in window]
        scores: list[TextScore | None] = [None] * len(window)
        for batch in _batches([len(ids) for ids, _, _ in spans]):
            nats = _score_rows(model, [spans[index][0] for index in batch])
            for index, row in zip(batch, nats, strict=True):
                scores[index] = _to_score(tokenizer, window[index], spans[index], row)
        yield from (score for score in scores if score is not None)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Groups indices of about the same length; a group holds a bounded number of tokens."""
    batch: list[int] = []
    for index in np.argsort(lengths, kind="stable").tolist():
        num_tokens = (len(batch) + 1) * (lengths[index] + 1)
        if batch and (len(batch) == ROWS or num_tokens > TOKENS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


@torch.inference_mode()
def _score_rows(
    model: LanguageModel, rows: Sequence[NDArray[np.integer]]
) -> list[NDArray[np.float32]]:
    """Log-probabilities of each row's tokens and its end, in nats; shorter rows are filled up."""
    width = max(len(row) for row in rows) + 1
    tokens = np.full((len(rows), width + 1), BOUNDARY_ID, np.int64)
    for filled, row in zip(tokens, rows, strict=True):
        filled[1 : len(row) + 1] = row
    batch = torch.from_numpy(tokens)
    with threads_for(len(rows), batch.numel()):
        scores, _ = model.score(batch[:, :-1], batch[:, 1:], model.initial_state(len(rows)))
    pairs = zip(scores.numpy(), rows, strict=True)
    return [scored[: len(row) + 1] for scored, row in pairs]


def _to_score(
    tokenizer: Tokenizer,
    text: str,
    spans: tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]],
    nats: NDArray[np.float32],
) -> TextScore:
    bits = (-nats.astype(np.float64) * BITS_PER_NAT).tolist()
    costs, num_unknown = [], 0
    places = zip(*(part.tolist() for part in spans), bits, strict=False)
    for token, start, end, cost in places:
        if token == UNKNOWN_ID:
            number, spelling = tokenizer.unknowns(text[start:end])
            num_unknown, cost = num_unknown + number, cost + spelling * BITS_PER_NAT
        costs.append(Cost(text[start:end], start, end, cost))
    costs.append(Cost(BOUNDARY, len(text), len(text), bits[-1]))
    return TextScore(text, tuple(costs), num_unknown)


def rank(model: LanguageModel, tokenizer: Tokenizer, candidates: Sequence[str]) -> list[TextScore]:
    """Scores sentences that could stand in the same place; the most likely first."""
    return sorted(score_texts(model, tokenizer, candidates), key=lambda score: score.bits)
