"""Chooses the kind of tokenizer that suits a text, and its vocabulary."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np
import tokenizers as hf

from ..errors import ConfigError
from ..settings.data import TokenizerKind
from .tokenizers import (
    BOUNDARY,
    UNKNOWN,
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    Spelling,
    Tokenizer,
    WordTokenizer,
)
from .words import is_tokenized, word_pattern

Pieces = Callable[[], Iterable[str]]
"""Starts reading the training text anew, piece by piece."""

SMALL_TEXT = 3_000_000
"""Bytes below which a text in an alphabet is read by character: too few for larger symbols."""
ALPHABET = 256
"""Most different characters of such a text."""
MANY_CHARS = 1_000
"""Different characters above which those that occur once are left out."""
MAX_WORDS = 50_000
"""Words kept where none is asked for and the text has not been cut to a vocabulary before."""
BPE_SIZES = (2_048, 16_384)
"""Smallest and largest vocabulary chosen by the size of the text."""
BPE_BYTES = 16_000_000
"""Bytes of text that byte pairs are counted on, evenly spread over a larger one: on 64 MB of
novels, counting all of it instead would save 0.2 % of the tokens."""
MAX_SYMBOL_BYTES = 18
"""Six Chinese characters: without a bound, whole unspaced sentences become symbols."""
_EAST_ASIAN = (
    (0x1100, 0x1200),
    (0x3040, 0x3130),
    (0x3400, 0x4DC0),
    (0x4E00, 0xA000),
    (0xAC00, 0xD7B0),
    (0x20000, 0x40000),
)


def train_tokenizer(
    kind: TokenizerKind, pieces: Pieces, num_bytes: int, vocab_size: int | None = None
) -> Tokenizer:
    """Makes the tokenizer of a training text.

    "auto" reads by character what is mostly Han, kana or hangul, and what is smaller than 3 MB
    and has at most 256 different characters; anything else becomes byte-pair symbols, 2,048 of
    them up to 8 MB of text, 4,096 up to 16 MB, 8,192 up to 32 MB and 16,384 beyond.

    Args:
        kind: What a symbol is.
        pieces: Starts reading the text.
        num_bytes: Its length in UTF-8.
        vocab_size: Most symbols, `<eos>` and `<unk>` included; None: by the text. Bytes are 257.

    Raises:
        ConfigError: the vocabulary is too small for this kind.
    """
    if kind == "byte":
        return ByteTokenizer()
    if kind == "word":
        return _train_word(pieces, vocab_size)
    if kind == "bpe":
        return _train_bpe(pieces, num_bytes, vocab_size)
    chars = _count_chars(pieces())
    if kind == "char" or _suits_chars(chars, num_bytes):
        return _train_char(chars, vocab_size)
    return _train_bpe(pieces, num_bytes, vocab_size)


def _count_chars(pieces: Iterable[str]) -> Counter[str]:
    counts = np.zeros(0x110000, np.int64)
    for piece in pieces:
        codes = np.frombuffer(piece.encode("utf-32-le"), "<u4")
        part = np.bincount(codes)
        counts[: len(part)] += part
    return Counter({chr(code): int(counts[code]) for code in np.flatnonzero(counts)})


def _suits_chars(chars: Counter[str], num_bytes: int) -> bool:
    """Whether a text is best read by character, for its script or its size."""
    visible = {char: count for char, count in chars.items() if not char.isspace()}
    east_asian = sum(count for char, count in visible.items() if _is_east_asian(ord(char)))
    is_small = num_bytes < SMALL_TEXT and len(chars) <= ALPHABET
    return is_small or 2 * east_asian > sum(visible.values())


def _is_east_asian(code: int) -> bool:
    return any(first <= code < end for first, end in _EAST_ASIAN)


def _train_char(chars: Counter[str], vocab_size: int | None) -> CharTokenizer:
    least = 2 if len(chars) > MANY_CHARS else 1
    return CharTokenizer(_most_frequent(chars, least, vocab_size), Spelling.of_symbols(chars))


def _train_word(pieces: Pieces, vocab_size: int | None) -> WordTokenizer:
    """A text with `<unk>` in it has a finished vocabulary, which is kept whole.

    In any other, words that occur once are left out: from them models learn the unknown.
    """
    split_punctuation = not is_tokenized(pieces())
    pattern = word_pattern(split_punctuation)
    counts: Counter[str] = Counter()
    for piece in pieces():
        counts.update(pattern.findall(piece))
    finished = counts.pop(UNKNOWN, 0) > 0
    if vocab_size is None and not finished:
        vocab_size = MAX_WORDS
    words = _most_frequent(counts, 1 if finished else 2, vocab_size)
    return WordTokenizer(words, Spelling.of_symbols(counts), split_punctuation)


def _most_frequent(counts: Counter[str], least: int, vocab_size: int | None) -> list[str]:
    """Symbols from the most frequent on, equally frequent ones in the order of characters."""
    if vocab_size is not None and vocab_size < 3:
        raise ConfigError("vocab_size", "at least 3", vocab_size, "Write for example 10000.")
    kept = [symbol for symbol, count in counts.items() if count >= least]
    kept.sort(key=lambda symbol: (-counts[symbol], symbol))
    return kept[: None if vocab_size is None else vocab_size - 2]


def _train_bpe(pieces: Pieces, num_bytes: int, vocab_size: int | None) -> BpeTokenizer:
    vocab_size = _bpe_size(num_bytes) if vocab_size is None else vocab_size
    if vocab_size < 257:
        rule = "at least 257 for bpe, one for each byte and the boundary"
        raise ConfigError("vocab_size", rule, vocab_size, "Write for example 4096.")
    trainer = hf.trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[BOUNDARY],
        initial_alphabet=hf.pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=MAX_SYMBOL_BYTES,
        show_progress=False,
    )
    model = hf.Tokenizer(hf.models.BPE())
    model.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.train_from_iterator(_evenly(pieces(), num_bytes), trainer)
    ids = model.get_vocab()
    return BpeTokenizer(sorted(ids, key=lambda symbol: ids[symbol]), _merges(model))


def _bpe_size(num_bytes: int) -> int:
    """A power of two that grows with the text: 2,000 to 4,000 bytes for each symbol."""
    smallest, largest = BPE_SIZES
    grown = 2 ** math.floor(math.log2(max(num_bytes, 1) / 2_000))
    return max(smallest, min(largest, grown))


def _evenly(pieces: Iterable[str], num_bytes: int) -> Iterator[str]:
    """Every k-th piece, so that no more than `BPE_BYTES` are read."""
    return islice(pieces, 0, None, max(1, math.ceil(num_bytes / BPE_BYTES)))


def _merges(model: hf.Tokenizer) -> list[tuple[str, str]]:
    pairs = json.loads(model.to_str())["model"]["merges"]
    return [(left, right) for left, right in pairs]
