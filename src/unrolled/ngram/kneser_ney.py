"""Counts → interpolated modified Kneser-Ney probabilities, and what they say of a text."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError, ConfigError, ShapeError
from .counts import CountLevel, Counts, check_keys
from .files import join_levels, map_arrays, save_arrays, split_levels

KIND = "n-gram model"
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""D1, D2, D3+ of an order whose own cannot be estimated; the same as lmplz --discount_fallback."""
CHUNK = 1 << 18
"""Tokens scored at a time."""
UNSEEN = -1


@dataclass(frozen=True)
class Level:
    """The n-grams of one order, sorted; order 1 lists all V ids."""

    keys: NDArray[np.int64]
    """`rank of the first k - 1 tokens * V + last token`, `(n,)`, strictly increasing."""
    log_probs: NDArray[np.float32]
    """Natural-log probability of the last token after the others, `(n,)`."""
    log_backoffs: NDArray[np.float32]
    """Natural-log weight of shorter contexts after this one, `(n,)`; `(0,)` at order N."""


@dataclass(frozen=True)
class KneserNey:
    """An n-gram model in back-off form: a context that was not seen gives way to a shorter one.

    Build it with `estimate(counts)`, `KneserNey.load(path)` or `read_arpa(path)`; then
    `score_stream(tokens)`, `next_log_probs(contexts)` or `top_words(context, k)`.
    """

    vocab_size: int
    """V, number of token ids."""
    levels: tuple[Level, ...]
    """Order 1 to N."""
    discounts: tuple[tuple[float, float, float], ...] = ()
    """D1, D2, D3+ of every order; empty if the model was not estimated here."""
    notes: tuple[str, ...] = ()
    """What was done differently from the textbook, each in one sentence."""

    @property
    def order(self) -> int:
        """N, length of the longest n-grams."""
        return len(self.levels)

    @property
    def num_ngrams(self) -> int:
        """Stored n-grams of all orders."""
        return sum(len(level.keys) for level in self.levels)

    def score_stream(self, tokens: NDArray[np.integer]) -> NDArray[np.float32]:
        """Scores every token of a stream after the first, given up to N - 1 before it.

        Args:
            tokens: `(L,)`; 0 is the document boundary, -1 stands for nothing.

        Returns:
            Natural-log probability of tokens 1 to L - 1, `(L - 1,)`.

        Raises:
            ConfigError: a token is not below V.
        """
        scores = np.empty(max(len(tokens) - 1, 0), np.float32)
        for start in range(1, len(tokens), CHUNK):
            context = min(start, max(self.order - 1, 1))
            piece = self._checked(tokens[start - context : start + CHUNK])
            scores[start - 1 : start - 1 + CHUNK] = self._score(piece)[context:]
        return scores

    def next_log_probs(self, contexts: NDArray[np.integer]) -> NDArray[np.float32]:
        """Returns the whole distribution of the next token.

        Args:
            contexts: The last N - 1 tokens of B texts, `(B, N - 1)`; -1 where nothing was read.

        Returns:
            Natural-log probabilities, `(B, V)`.

        Raises:
            ShapeError: the contexts are not N - 1 wide.
            ConfigError: a token is not below V.
        """
        width = self.order - 1
        if contexts.ndim != 2 or contexts.shape[1] != width:
            raise ShapeError("contexts", f"(B, {width})", contexts.shape)
        ranks = self._context_ranks(self._checked(contexts))
        weights = np.zeros((self.order, len(contexts)))
        for level, rank, weight in zip(self.levels[:-1], ranks, weights[:-1], strict=True):
            seen = rank != UNSEEN
            weight[seen] = level.log_backoffs[rank[seen]]
        # An n-gram is weighed with the back-off weights of all contexts longer than its own.
        weights = weights[::-1].cumsum(0)[::-1]
        log_probs = (self.levels[0].log_probs + weights[0][:, None]).astype(np.float32)
        for level, rank, weight in zip(self.levels[1:], ranks, weights[1:], strict=True):
            rows, children = _children(level, rank, self.vocab_size)
            words = level.keys[children] % self.vocab_size
            log_probs[rows, words] = level.log_probs[children] + weight[rows]
        return log_probs

    def top_words(
        self, context: NDArray[np.integer], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns the k most likely next tokens and their natural-log probabilities, best first.

        Args:
            context: The tokens read so far, `(L,)`; the last N - 1 count.
        """
        width = self.order - 1
        padded = np.concatenate([np.full(width, UNSEEN), context])
        log_probs = self.next_log_probs(padded[None, len(padded) - width :])[0]
        best = np.argsort(-log_probs, kind="stable")[:k]
        return best, log_probs[best]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model as safetensors, atomically."""
        names = ("vocab_size", "order", "discounts", "notes")
        metadata = {"kind": KIND, **{name: getattr(self, name) for name in names}}
        save_arrays(path, join_levels(self.levels), metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "KneserNey":
        """Maps a saved model into memory: pages are read when they are used.

        Raises:
            CheckpointError: the file is missing, damaged or not such a model.
        """
        arrays, metadata = map_arrays(path, KIND)
        try:
            levels = split_levels(arrays, metadata["order"], Level)
            discounts = tuple((d[0], d[1], d[2]) for d in metadata["discounts"])
            model = cls(metadata["vocab_size"], levels, discounts, tuple(metadata["notes"]))
        except (KeyError, TypeError, IndexError) as error:
            raise CheckpointError(path, f"lacks {error}", "Train the model again.") from None
        check_keys(path, [level.keys for level in levels], model.vocab_size)
        for k, level in enumerate(levels, 1):
            n = len(level.keys)
            fits = len(level.log_probs) == n and len(level.log_backoffs) == n * (k < len(levels))
            fits = fits and (level.log_probs <= 0).all()
            fits = (
                fits
                and np.isfinite(level.log_probs).all()
                and np.isfinite(level.log_backoffs).all()
            )
            if not fits:
                raise CheckpointError(path, f"is damaged at order {k}", "Train the model again.")
        return model

    def _checked(self, tokens: NDArray[np.integer]) -> NDArray[np.int64]:
        """The tokens as int64; raises ConfigError unless they are -1 to V - 1."""
        checked = np.asarray(tokens).astype(np.int64)
        for extreme in (checked.min(initial=0), checked.max(initial=0)):
            if not UNSEEN <= extreme < self.vocab_size:
                remedy = "Encode the text with this model's own tokenizer."
                raise ConfigError("tokens", f"ids below {self.vocab_size}", extreme, remedy)
        return checked

    def _score(self, stream: NDArray[np.int64]) -> NDArray[np.float32]:
        """Log-probability of every token given those before it in the stream, `(L,)`."""
        scores = np.where(stream < 0, np.float32(0), self.levels[0].log_probs[stream])
        for (lower, level), (ends, contexts, ranks) in zip(
            pairwise(self.levels), self._matches(stream), strict=True
        ):
            scores[ends] += lower.log_backoffs[contexts]
            hit = ranks != UNSEEN
            scores[ends[hit]] = level.log_probs[ranks[hit]]
        return scores

    def _matches(
        self, stream: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Looks up the n-grams of order 2 to N that end at each token of a stream.

        Yields:
            Ends of the contexts that were found plus one, `(M,)`, ascending; the rank of each
            context; the rank of the n-gram that it forms with the token, UNSEEN where not stored.
        """
        followed = np.append(stream[1:] >= 0, False)
        ends = np.flatnonzero((stream >= 0) & followed) + 1
        contexts = stream[ends - 1]
        for level in self.levels[1:]:
            ranks = _find(level, contexts * self.vocab_size + stream[ends])
            yield ends, contexts, ranks
            # A boundary is a context by itself alone: nothing before it counts.
            going_on = (ranks != UNSEEN) & (stream[ends] != 0) & followed[ends]
            ends, contexts = ends[going_on] + 1, ranks[going_on]

    def _context_ranks(self, contexts: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Ranks of the last 1, 2, ..., N - 1 tokens of each row, UNSEEN where not stored."""
        if not contexts.shape[1]:
            return []
        last = contexts[:, -1]
        found = [np.where(last >= 0, last, UNSEEN)]
        # Rows one after another: an n-gram that ends a row and is no longer than it lies within.
        width = contexts.shape[1]
        for ends, _, ranks in islice(self._matches(contexts.reshape(-1)), width - 1):
            rank = np.full(contexts.size, UNSEEN)
            rank[ends] = ranks
            found.append(np.where(last != 0, rank[width - 1 :: width], UNSEEN))
        return found


def _find(level: Level, keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ranks of keys, UNSEEN where not stored."""
    if not len(level.keys):
        return np.full(len(keys), UNSEEN)
    # In sorted order neighbouring searches touch the same memory: several times faster.
    order = np.argsort(keys)
    wanted = keys[order]
    places = np.searchsorted(level.keys[:-1], wanted)
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.where(level.keys[places] == wanted, places, UNSEEN)
    return ranks


def _children(
    level: Level, contexts: NDArray[np.int64], vocab_size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and rank of every n-gram that continues the context of a row."""
    rows = np.flatnonzero(contexts != UNSEEN)
    first = contexts[rows] * vocab_size
    begins = np.searchsorted(level.keys, first)
    sizes = np.searchsorted(level.keys, first + vocab_size) - begins
    steps = np.arange(sizes.sum()) - np.repeat(sizes.cumsum() - sizes, sizes)
    return np.repeat(rows, sizes), np.repeat(begins, sizes) + steps


def estimate(counts: Counts) -> KneserNey:
    """Estimates interpolated modified Kneser-Ney, as KenLM's lmplz does.

    p(w | h) = (a(hw) - D(a(hw))) / sum_v a(hv) + backoff(h) p(w | h without its first token),
    backoff(h) = sum_v D(a(hv)) / sum_v a(hv), below order 1 the uniform 1 / V.
    a is the count at order N and after `<s>`, else the number of different tokens before.
    Source: Chen & Goodman 1998, section 3 and equation 26; Heafield et al. 2013.
    """
    lower = np.full(1, 1 / counts.vocab_size)
    levels: list[Level] = []
    discounts, notes = [], []
    keys, log_probs = np.empty(0, np.int64), np.empty(0, np.float32)
    for k, adjusted in enumerate(_adjusted_counts(counts), 1):
        level = counts.levels[k - 1]
        discount = _discounts(adjusted)
        if discount is None:
            discount = FALLBACK_DISCOUNTS
            notes.append(_fallback_note(k))
        discounts.append(discount)
        lower, backoffs = _interpolate(level, adjusted, discount, lower, counts.vocab_size)
        if k > 1:
            levels.append(Level(keys, log_probs, np.log(backoffs).astype(np.float32)))
        keys, log_probs = level.keys, np.log(lower).astype(np.float32)
    levels.append(Level(keys, log_probs, np.empty(0, np.float32)))
    return KneserNey(counts.vocab_size, tuple(levels), tuple(discounts), tuple(notes))


def _fallback_note(order: int) -> str:
    return (
        f"Order {order}: too few n-grams that occur once to three times to estimate discounts; "
        f"used {', '.join(map(str, FALLBACK_DISCOUNTS))}."
    )


def _adjusted_counts(counts: Counts) -> Iterator[NDArray[np.int64]]:
    """Yields a of order 1 to N, each `(n,)`."""
    num_after_start = 1
    for k, level in enumerate(counts.levels, 1):
        if k == counts.order:
            yield level.counts.astype(np.int64)
            return
        adjusted = np.bincount(counts.levels[k].suffixes, minlength=len(level.keys))
        if k > 1:
            # N-grams that begin with `<s>`, id 0, are sorted first; nothing stands before them.
            limit = num_after_start * counts.vocab_size
            num_after_start = int(np.searchsorted(level.keys, limit))
            adjusted[:num_after_start] = level.counts[:num_after_start]
        yield adjusted


def _discounts(adjusted: NDArray[np.int64]) -> tuple[float, float, float] | None:
    """D1, D2, D3+ from the numbers of n-grams that occur 1, 2, 3, 4 times; None if undefined."""
    n = np.bincount(np.minimum(adjusted, 5), minlength=6).tolist()
    if 0 in n[1:4]:
        return None
    y = n[1] / (n[1] + 2 * n[2])
    d1, d2, d3 = (j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))
    # A discount of 0 would leave contexts without any weight for unseen tokens.
    return (d1, d2, d3) if min(d1, d2, d3) > 0 else None


def _interpolate(
    level: CountLevel,
    adjusted: NDArray[np.int64],
    discount: tuple[float, float, float],
    lower: NDArray[np.float64],
    vocab_size: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities of one order, `(n,)`, and the back-off weights of its contexts."""
    prefixes = level.keys // vocab_size
    taken = np.array([0.0, *discount])[np.minimum(adjusted, 3)]
    total = np.bincount(prefixes, adjusted, len(lower))
    backoffs: NDArray[np.float64] = np.bincount(prefixes, taken, len(lower)).astype(np.float64)
    # A context that nothing followed leaves everything to the shorter one.
    np.divide(backoffs, total, out=backoffs, where=total > 0)
    backoffs[total == 0] = 1
    probs = adjusted - taken
    probs /= np.maximum(total, 1)[prefixes]
    probs += backoffs[prefixes] * lower[level.suffixes]
    return probs, backoffs
