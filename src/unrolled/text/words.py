"""What a word is: how text is cut into words, how words are joined and counted.

Words are those of Unicode's word boundaries (UAX 29), but hyphens join and full stops do not:
"well-known" is one word, "U.S." four.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby
from re import Pattern

import numpy as np

_EAST_ASIAN = (
    *((0x3001, 0x303F), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
    *((0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF)),
)
"""Han, kana, their punctuation and full-width forms."""
_SOUTH_EAST_ASIAN = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1980, 0x19DF)),
    *((0x1A20, 0x1AAF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
)
"""Thai, Lao, Burmese, Khmer and their neighbours."""
_WITH_MARKS = ((0xAD, 0xAE), (0x300, 0x2100), (0x2C00, 0x3100), (0xA600, 0xAC00), (0xFB00, 0x10000))
"""Where marks are looked for: all of Unicode would take a tenth of a second."""
_JOINED = (
    *((0x10A00, 0x11FFF), (0x16F00, 0x16F9F), (0x1E000, 0x1E95F)),
    *((0x1F3FB, 0x1F3FF), (0xE0020, 0xE01EF)),
)
"""Blocks that join as a whole: colours of skin, tags, selectors; and scripts of the upper planes,
of which picking out the full stops would make matching all others three times slower."""


def _joins(code: int) -> bool:
    """Whether a character belongs to the one before it: accents, vowel signs, joiners.

    The zero width space does not: it stands between words.
    """
    return unicodedata.category(chr(code)) in ("Mn", "Mc", "Me", "Cf") and code != 0x200B


def _blocks(codes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last code of each run of neighbours."""
    for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]):
        numbers = [code for _, code in run]
        yield numbers[0], numbers[-1]


def _inside(blocks: Iterable[tuple[int, int]]) -> str:
    """The inside of a character class."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in blocks)


_CJK = _inside(_EAST_ASIAN)
_UNSPACED = _inside((*_EAST_ASIAN, *_SOUTH_EAST_ASIAN))
"""Scripts that put no spaces between words: each character is one, with its marks."""
_MARKS = _blocks(code for start, stop in _WITH_MARKS for code in range(start, stop) if _joins(code))
_MARK = _inside((*_MARKS, *_JOINED))
"""What belongs to the character before it."""
_LETTER = rf"[^\W{_UNSPACED}]"
# The plain letters alone are faster to match; a mark may follow only where they do not end it.
_LETTERS = rf"(?:[a-zA-Z0-9_]++(?![^\x00-\x7f])|{_LETTER}++(?:[{_MARK}]++{_LETTER}*+)*+)"
_ONE = rf"[{_UNSPACED}][{_MARK}]*+"
_EMOJI = rf"(?:(?<=\u200d)[\u2190-\u2bff\U0001f000-\U0001faff][{_MARK}]*+)*+"
SPACED_WORDS = re.compile(r"\n|\S+")
"""Line ends, and whatever stands between white space."""
PLAIN_WORDS = re.compile(
    rf"<unk>|\n|\d+(?:[.,]\d+)++|{_LETTERS}(?:['’·׳״-]{_LETTERS})*+|{_ONE}"
    rf"|[\U0001f1e6-\U0001f1ff]{{2}}|\S[{_MARK}]*+{_EMOJI}"  # flags; marks and emoji
)
"""Line ends and words; a mark of punctuation is a word, and so is each character of a script
without spaces. "don't", "well-known" and "3.14" are one word."""
COUNTED_WORDS = re.compile(rf"{_ONE}|[^\s{_UNSPACED}]+")
"""What a perplexity per word counts: white-space separated words, as the literature does; in
scripts without spaces each character."""
MAX_GLUED = 0.02
"""Part of words that hold more than a word, above which a text is not yet tokenized."""
SAMPLE_WORDS = 300_000
"""Words at the beginning of a text that this is measured on."""
SOUTH_EAST_ASIAN = re.compile(f"[{_inside(_SOUTH_EAST_ASIAN)}]+")
"""A run of the scripts in which words of several characters stand without spaces."""
_GLUED = re.compile(rf"[^\W\d_][.,;:!?](?=\s|$)|[{_CJK}]{{6,}}")
_NEEDS_NO_SPACE = re.compile(rf"\n|{_ONE}")
_OTHER, _SPACE, _UNSPACED_CODE = range(3)
_KINDS = np.zeros(0x40001, np.uint8)
"""Of each code point; all beyond the last are as the last."""
_KINDS[[code for code in range(0x3001) if chr(code).isspace()]] = _SPACE
for _first, _last in (*_EAST_ASIAN, *_SOUTH_EAST_ASIAN):
    _KINDS[_first : _last + 1] = _UNSPACED_CODE


def is_tokenized(texts: Iterable[str]) -> bool:
    """Whether words stand apart from each other and from punctuation already.

    In PTB 1.6 % of the words end in a mark ("mr.", "u.s."); in running prose it is 10 % and more.
    """
    num_words = num_glued = 0
    for text in texts:
        num_words += len(text.split())
        num_glued += sum(1 for _ in _GLUED.finditer(text))
        if num_words > SAMPLE_WORDS:
            break
    return num_glued <= MAX_GLUED * num_words


def word_pattern(split_punctuation: bool) -> Pattern[str]:
    """Returns the pattern whose matches are the words of a text."""
    return PLAIN_WORDS if split_punctuation else SPACED_WORDS


def with_space(word: str, split_punctuation: bool) -> str:
    """A word with what separates it from the next: a space, or nothing where none was needed."""
    alone = _NEEDS_NO_SPACE.fullmatch(word) if split_punctuation else word == "\n"
    return word if alone else word + " "


def without_end_spaces(text: str) -> str:
    """Removes the spaces that `with_space` leaves at line ends."""
    return re.sub(r" (\n|\Z)", r"\1", text)


def mirrored(text: str) -> str:
    """The words and marks of a text from the last to the first, with spaces between them.

    Read forward, that is the text read backward.
    """
    return " ".join(reversed(PLAIN_WORDS.findall(text)))


def count_words(text: str) -> int:
    """Counts the words of `COUNTED_WORDS`; where all of them stand between spaces, 250 MB/s."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    kinds = _KINDS[np.minimum(codes, len(_KINDS) - 1)]
    if (kinds == _UNSPACED_CODE).any():
        return sum(1 for _ in COUNTED_WORDS.finditer(text))
    is_space = kinds == _SPACE
    return int(np.count_nonzero(is_space[:-1] & ~is_space[1:]) + np.count_nonzero(~is_space[:1]))
