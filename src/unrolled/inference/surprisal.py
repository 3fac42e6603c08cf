"""Surprisal: what every token, word and character of a text costs a model, in bits."""

import itertools
import math
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
from ..settings.check import check_text, check_texts
from ..system.machine import threads_for
from ..text.store import Boundaries
from ..text.tokenizers import BOUNDARY, BOUNDARY_ID, UNKNOWN_ID, Tokenizer, WordTokenizer, utf8
from ..text.words import COUNTED_WORDS

WINDOW = 1024
"""Texts sorted by length at a time, so that those read side by side are about as long."""
ROWS, TOKENS = 32, 1 << 15
"""Texts and tokens read side by side at most: a Transformer's state takes up to megabytes a row."""


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
    """What one text costs, its end included where it was asked for.

    An unknown symbol costs its `<unk>` and what spelling it takes.
    """

    text: str
    tokens: tuple[Cost, ...]
    """The last one is the end of the text, "<eos>" or a line end, if it was scored."""
    num_unknown: int = 0

    @property
    def bits(self) -> float:
        """-log2 of the probability of the text, and of its end if it was scored."""
        return math.fsum(token.bits for token in self.tokens)

    @property
    def bits_per_byte(self) -> float:
        """Bits over UTF-8 bytes; infinite for an empty text."""
        size = len(self.text.encode())
        return self.bits / size if size else math.inf

    @property
    def perplexity(self) -> float:
        """2 to the bits per token, the end counted; depends on the tokenizer."""
        return 2 ** min(self.bits / max(len(self.tokens), 1), 1000)

    @property
    def perplexity_per_word(self) -> float:
        """2 to the bits per word, the end counted."""
        return 2 ** min(self.bits / max(len(self.words), 1), 1000)

    @property
    def words(self) -> tuple[Cost, ...]:
        """White-space separated words; in scripts without spaces each character is one.

        A token belongs to the word that its last character, white space aside, lies in; white space
        alone belongs to the word after it. What is left, the last item, is the end of the text and
        the white space before it. The sum of all is the whole.
        """
        spans = [match.span() for match in COUNTED_WORDS.finditer(self.text)]
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
        rest = self.text[ends[-1] if ends else 0 :]
        left = [token for token in self.tokens[-1:] if token.start == token.end]
        if not rest and not left:
            return tuple(found)
        start = len(self.text) if left else len(self.text) - len(rest)
        text = left[0].text if left else rest
        return (*found, Cost(text, start, len(self.text), bits[-1]))

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


def score_text(
    model: LanguageModel,
    tokenizer: Tokenizer,
    text: str,
    boundaries: Boundaries = Boundaries(),  # noqa: B008  frozen
    context: str = "",
    end: bool = True,
) -> TextScore:
    """Scores one text, from its beginning to its end; arguments as those of `score_texts`.

    Raises:
        ConfigError: it is no text.
    """
    texts = [check_text("text", text)]
    return next(score_texts(model, tokenizer, texts, boundaries, context, end))


def score_texts(
    model: LanguageModel,
    tokenizer: Tokenizer,
    texts: Iterable[str],
    boundaries: Boundaries = Boundaries(),  # noqa: B008  frozen
    context: str = "",
    end: bool = True,
) -> Iterator[TextScore]:
    """Scores texts, each by itself, several side by side; in their order, in constant memory.

    Args:
        boundaries: What stands before and after each, as `Run.boundaries` says; default: the
            boundary of documents.
        context: Text before each that is read and not scored; each continues it as it stands,
            with a space between them where tokens are words.
        end: Whether the end of a text is scored too.

    Raises:
        ConfigError: it is one text and no list of them, or holds something else than texts.
    """
    frame = _Frame(tokenizer, _before(tokenizer, boundaries, context), boundaries, end)
    return _score_windows(model, tokenizer, check_texts("texts", texts), frame)


def _score_windows(
    model: LanguageModel, tokenizer: Tokenizer, remaining: Iterator[str], frame: "_Frame"
) -> Iterator[TextScore]:
    while window := list(itertools.islice(remaining, WINDOW)):
        read = [frame.read(text) for text in window]
        scores: list[TextScore | None] = [None] * len(window)
        for batch in _batches([len(tokens.ids) for tokens in read]):
            nats = _score_rows(model, [read[index].ids for index in batch])
            for index, row in zip(batch, nats, strict=True):
                scores[index] = _to_score(tokenizer, window[index], read[index], row)
        yield from (score for score in scores if score is not None)


def _before(tokenizer: Tokenizer, boundaries: Boundaries, context: str) -> str:
    """What a model reads before a text, the boundary token aside."""
    is_apart = isinstance(tokenizer, WordTokenizer) and context[-1:].strip()
    return boundaries.before + context + " " * bool(is_apart)


@dataclass(frozen=True)
class _Tokens:
    """The tokens of a text with what stands before and after it."""

    ids: NDArray[np.integer]
    starts: NDArray[np.integer]
    """First character of each in the text; of those before it 0 or less."""
    ends: NDArray[np.integer]
    num_before: int
    """Tokens that are read and not scored."""


@dataclass(frozen=True)
class _Frame:
    """Puts texts between what stands before and after them."""

    tokenizer: Tokenizer
    before: str
    boundaries: Boundaries
    end: bool

    def read(self, text: str) -> _Tokens:
        """Encodes a text in its place, so that its tokens are those of the training."""
        utf8(text)
        after = "\n" if self.end and self.boundaries.kind == "line" else ""
        ids, starts, ends = self.tokenizer.spans(self.before + text + after)
        length = len(self.before)
        num_before = int(np.searchsorted(ends, length, "right"))
        if self.end and not after:
            ids, starts = np.append(ids, BOUNDARY_ID), np.append(starts, length + len(text))
            ends = np.append(ends, length + len(text))
        return _Tokens(ids, starts - length, ends - length, num_before)


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
    """Log-probabilities of each row's tokens in nats; shorter rows are filled up."""
    width = max(1, *map(len, rows))
    tokens = np.full((len(rows), width + 1), BOUNDARY_ID, np.int64)
    for filled, row in zip(tokens, rows, strict=True):
        filled[1 : len(row) + 1] = row
    batch = torch.from_numpy(tokens)
    with threads_for(len(rows), batch.numel()):
        scores, _ = model.score(batch[:, :-1], batch[:, 1:], model.initial_state(len(rows)))
    return [scored[: len(row)] for scored, row in zip(scores.numpy(), rows, strict=True)]


def _to_score(
    tokenizer: Tokenizer, text: str, tokens: _Tokens, nats: NDArray[np.float32]
) -> TextScore:
    bits = (-nats.astype(np.float64) * BITS_PER_NAT).tolist()
    costs, num_unknown = [], 0
    places = zip(
        tokens.ids.tolist(), tokens.starts.tolist(), tokens.ends.tolist(), bits, strict=True
    )
    for token, first, last, cost in itertools.islice(places, tokens.num_before, None):
        start, end = max(first, 0), min(last, len(text))
        if start >= len(text):  # the end
            mark = BOUNDARY if token == BOUNDARY_ID else "\n"
            costs.append(Cost(mark, len(text), len(text), cost))
            continue
        if token == UNKNOWN_ID:
            number, spelling = tokenizer.unknowns(text[start:end])
            num_unknown, cost = num_unknown + number, cost + spelling * BITS_PER_NAT
        costs.append(Cost(text[start:end], start, end, cost))
    return TextScore(text, tuple(costs), num_unknown)


def rank(
    model: LanguageModel,
    tokenizer: Tokenizer,
    candidates: Sequence[str],
    boundaries: Boundaries = Boundaries(),  # noqa: B008  frozen
    context: str = "",
    end: bool = True,
) -> list[TextScore]:
    """Scores sentences that could stand in the same place; the most likely first.

    Arguments are those of `score_texts`.

    Raises:
        ConfigError: it is one text and no list of them, or holds something else than texts.
    """
    texts = check_texts("candidates", candidates)
    scores = score_texts(model, tokenizer, texts, boundaries, context, end)
    return sorted(scores, key=lambda score: score.bits)
