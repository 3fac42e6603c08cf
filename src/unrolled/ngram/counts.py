"""An array of token ids → how often every n-gram occurs, in sorted arrays.

An n-gram of order k is named by its rank in the sorted list of all n-grams of order k. Its key is
`rank of its first k - 1 tokens * V + last token`, which fits 64 bits at any order, and sorted keys
are in the order of the n-grams themselves: the n-grams that continue a context lie side by side.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError, ConfigError
from ..settings.check import between, check_value
from ..settings.models import MAX_ORDER
from .files import join_levels, map_arrays, save_arrays, split_levels

KIND = "n-gram counts"
MAX_VOCAB_SIZE = 1 << 22
BLOCK_BITS = 22
"""Counts at most 2 ** BLOCK_BITS tokens at a time: about 250 MB of scratch space."""


@dataclass(frozen=True)
class CountLevel:
    """All n-grams of one order, sorted; order 1 lists all V ids, seen or not."""

    keys: NDArray[np.int64]
    """`rank of the first k - 1 tokens * V + last token`, `(n,)`, strictly increasing."""
    counts: NDArray[np.uint32]
    """Occurrences, `(n,)`."""
    suffixes: NDArray[np.uint32]
    """Rank, one order lower, of the n-gram without its first token, `(n,)`."""


@dataclass(frozen=True)
class Counts:
    """How often every n-gram of order 1 to N occurs; counts of several texts can be merged."""

    vocab_size: int
    """V, number of token ids."""
    levels: tuple[CountLevel, ...]
    """Order 1 to N."""

    @property
    def order(self) -> int:
        """N, length of the longest n-grams."""
        return len(self.levels)

    @property
    def num_ngrams(self) -> int:
        """Different n-grams of all orders."""
        return sum(len(level.keys) for level in self.levels)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the counts as safetensors, atomically."""
        metadata = {"kind": KIND, "vocab_size": self.vocab_size, "order": self.order}
        save_arrays(path, join_levels(self.levels), metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Counts":
        """Maps saved counts into memory.

        Raises:
            CheckpointError: the file is missing, damaged or not one of counts.
        """
        arrays, metadata = map_arrays(path, KIND)
        try:
            vocab_size = metadata["vocab_size"]
            levels = split_levels(arrays, metadata["order"], CountLevel)
        except KeyError as error:
            raise CheckpointError(path, f"lacks {error}", "Count the text again.") from None
        check_keys(path, [level.keys for level in levels], vocab_size)
        num_lower = 1
        for level in levels:
            n = len(level.keys)
            fits = len(level.counts) == n == len(level.suffixes)
            if not fits or (n and level.suffixes.max() >= num_lower):
                raise CheckpointError(path, "has arrays that do not fit", "Count the text again.")
            num_lower = n
        return cls(vocab_size, levels)


def check_keys(
    path: str | os.PathLike[str], keys: Sequence[NDArray[np.int64]], vocab_size: int
) -> None:
    """Raises CheckpointError unless the keys of order 1 to N are sorted and within their range."""
    fits = [1 <= len(keys) <= MAX_ORDER and len(keys[0]) == vocab_size]
    num_prefixes = 1
    for array in keys:
        in_range = not len(array) or (array[0] >= 0 and array[-1] < num_prefixes * vocab_size)
        fits += [in_range, bool((array[1:] > array[:-1]).all())]
        num_prefixes = len(array)
    if not all(fits):
        raise CheckpointError(path, "has n-grams out of order", "Make the file again.")


def count_ngrams(
    tokens: NDArray[np.integer], order: int, vocab_size: int, block_bits: int = BLOCK_BITS
) -> Counts:
    """Counts the n-grams of a stream of documents.

    Id 0 is the document boundary: `</s>` as the last token of an n-gram, `<s>` as its first.
    No n-gram reaches across one.

    Args:
        tokens: `[0, document, 0, document, ..., 0]`, a 1-D integer array, also a memory map.
        order: N, length of the longest n-grams, 1 to 8.
        vocab_size: V; all ids are below it.
        block_bits: 2 to this power is the number of tokens counted at a time.

    Raises:
        ConfigError: an argument or a token is out of its range.
    """
    _check(tokens, order, vocab_size)
    merged, pending = None, []
    for block, num_context in _blocks(tokens, order, vocab_size, block_bits):
        pending.append(_count_block(block, num_context, order, vocab_size))
        # Merging only what has doubled keeps the work at O(n log n), the space at O(result).
        waiting = sum(counts.num_ngrams for counts in pending)
        if merged is None or waiting > merged.num_ngrams:
            merged, pending = merge(*([merged] if merged else []), *pending), []
    assert merged is not None
    return merge(merged, *pending)


def merge(*shards: Counts) -> Counts:
    """Adds the counts of several texts, exactly.

    Ranks of one shard become ranks of the union in the same order, so keys stay sorted.

    Raises:
        ConfigError: the shards differ in order or vocabulary, or have 2 ** 32 tokens or more.
    """
    first, *others = shards
    if not others:
        return first
    for name in ("order", "vocab_size"):
        mine = getattr(first, name)
        for other in others:
            if (value := getattr(other, name)) != mine:
                raise ConfigError(name, f"{mine} as in the first counts", value, "Count again.")
    num_tokens = sum(int(shard.levels[0].counts.sum(dtype=np.uint64)) for shard in shards)
    if num_tokens >= 1 << 32:
        raise ConfigError("tokens", "fewer than 2 ** 32", num_tokens, "Count a part of the text.")
    ranks = [np.zeros(1, np.int64) for _ in shards]
    levels = []
    for k in range(first.order):
        level, ranks = _merge_level([s.levels[k] for s in shards], ranks, first.vocab_size)
        levels.append(level)
    return Counts(first.vocab_size, tuple(levels))


def _merge_level(
    levels: Sequence[CountLevel], lower_ranks: Sequence[NDArray[np.int64]], vocab_size: int
) -> tuple[CountLevel, list[NDArray[np.int64]]]:
    """Merges one order; `lower_ranks[s]` and the result map ranks of shard s to merged ones."""
    keys = [
        lower[level.keys // vocab_size] * vocab_size + level.keys % vocab_size
        for level, lower in zip(levels, lower_ranks, strict=True)
    ]
    # Timsort finds the sorted runs: this is a merge, not a sort.
    union = np.concatenate(keys)
    union.sort(kind="stable")
    union = union[np.flatnonzero(np.diff(union, prepend=-1))]
    counts = np.zeros(len(union), np.uint32)
    suffixes = np.empty(len(union), np.uint32)
    ranks = []
    for level, key, lower in zip(levels, keys, lower_ranks, strict=True):
        rank = np.searchsorted(union, key)
        counts[rank] += level.counts
        suffixes[rank] = lower[level.suffixes]
        ranks.append(rank)
    return CountLevel(union, counts, suffixes), ranks


def _check(tokens: NDArray[np.integer], order: int, vocab_size: int) -> None:
    check_value("order", order, between(1, MAX_ORDER, "Use for example 5."))
    fewer = "Use a tokenizer with fewer symbols."
    check_value("vocab_size", vocab_size, between(1, MAX_VOCAB_SIZE, fewer))
    if tokens.ndim != 1 or len(tokens) == 0 or tokens[0] != 0:
        start = tokens[:1].tolist()
        remedy = "Put 0 before the first and after every document."
        raise ConfigError("tokens", "a 1-D array that begins with 0", start, remedy)


def _blocks(
    tokens: NDArray[np.integer], order: int, vocab_size: int, block_bits: int
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Cuts the stream; each block begins with the tokens that are context for its own.

    A key and a position must fit 64 bits together, see `_count_level`.
    """
    word_bits = (vocab_size - 1).bit_length()
    bits = max(min(block_bits, (64 - word_bits) // 2, 64 - 2 * word_bits), order.bit_length())
    length = (1 << bits) - order
    for start in range(1, max(len(tokens), 2), length):
        context = min(start, max(order - 1, 1))
        block = np.asarray(tokens[start - context : start + length]).astype(np.int64)
        if block.min() < 0 or block.max() >= vocab_size:
            wrong = block.min() if block.min() < 0 else block.max()
            remedy = "Encode the text with the tokenizer that belongs to it."
            raise ConfigError("tokens", f"ids from 0 to {vocab_size - 1}", wrong, remedy)
        yield block, context


def _count_block(
    tokens: NDArray[np.int64], num_context: int, order: int, vocab_size: int
) -> Counts:
    """Counts the n-grams that end after the first `num_context` tokens.

    Those that end before are listed, with count 0: others refer to them as prefix or suffix.
    """
    counts = np.bincount(tokens[num_context:], minlength=vocab_size).astype(np.uint32)
    level = CountLevel(np.arange(vocab_size), counts, np.zeros(vocab_size, np.uint32))
    levels, ranks = [level], tokens
    for k in range(2, order + 1):
        # A context ends at a boundary only if it is that boundary, `<s>`, and nothing before it.
        usable = ranks[:-1] >= 0 if k == 2 else (ranks[:-1] >= 0) & (tokens[:-1] != 0)
        ends = np.flatnonzero(usable) + 1
        level, ranks = _count_level(tokens, ranks, ends, num_context, vocab_size)
        levels.append(level)
    return Counts(vocab_size, tuple(levels))


def _count_level(
    tokens: NDArray[np.int64],
    lower_ranks: NDArray[np.int64],
    ends: NDArray[np.int64],
    num_context: int,
    vocab_size: int,
) -> tuple[CountLevel, NDArray[np.int64]]:
    """Lists the n-grams of one order, given the ranks of those one shorter.

    Args:
        lower_ranks: Rank of the n-gram that ends at each token, -1 where there is none.
        ends: Where n-grams of this order end.

    Returns:
        The sorted n-grams, and the rank of the one that ends at each token.
    """
    bits = np.uint64(len(tokens).bit_length())
    packed = lower_ranks[ends - 1].astype(np.uint64)
    packed *= np.uint64(vocab_size)
    packed += tokens[ends].astype(np.uint64)
    # Key and position in one number: sorting numbers is much faster than sorting positions by key.
    packed <<= bits
    packed |= ends.astype(np.uint64)
    packed.sort()
    ends = (packed & np.uint64((1 << int(bits)) - 1)).astype(np.int64)
    packed >>= bits
    keys = packed.view(np.int64)
    is_first = np.diff(keys, prepend=-1) != 0
    firsts = np.flatnonzero(is_first)
    sorted_ranks = np.cumsum(is_first) - 1
    ranks = np.full(len(tokens), -1)
    ranks[ends] = sorted_ranks
    counts = np.diff(firsts, append=len(keys)).astype(np.uint32)
    before = ranks[:num_context]
    np.subtract.at(counts, before[before >= 0], np.uint32(1))
    suffixes = lower_ranks[ends[firsts]].astype(np.uint32)
    return CountLevel(keys[firsts], counts, suffixes), ranks
