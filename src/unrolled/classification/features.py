"""What the linear model sees of a text: which n-grams of words or characters stand in it.

An n-gram is identified by a hash of 30 bits, not a number in a dictionary, so nothing has to
be counted first and no dictionary has to be saved; two in a thousand million share one.
Source: Weinberger et al. 2009.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtra
from ..text.splitting import spread
from ..text.words import PLAIN_WORDS

try:
    from sklearn.feature_extraction.text import HashingVectorizer
except ImportError:
    raise MissingExtra("Classification", "classify") from None

Features: TypeAlias = Any
"""A `scipy.sparse` matrix in rows, whose types the stubs do not know."""
Unit: TypeAlias = Literal["word", "char"]
ORDERS: dict[Unit, range] = {"word": range(1, 4), "char": range(1, 6)}
NUM_FEATURES = 1 << 30
LONG_WORD = 16
"""Characters that a word has on average only where no spaces stand between words."""


def choose_unit(texts: Sequence[str]) -> Unit:
    """Words, or characters in scripts that do not divide words (Thai, Lao, Khmer).

    Han and kana need no choice: each of their characters is a word.
    """
    words = [word for text in spread(texts, 1000) for word in PLAIN_WORDS.findall(text)]
    return "char" if sum(map(len, words)) > LONG_WORD * len(words) else "word"


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
