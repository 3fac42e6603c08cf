"""Text → ids and back: byte, character, word and byte-pair tokenizers, each one JSON file."""

import hashlib
import itertools
import json
import math
import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tokenizers as hf
from numpy.typing import NDArray

from ..errors import CheckpointError, TextError
from ..system.files import write_text
from .words import with_space, without_end_spaces, word_pattern

END = 256
"""The event after a symbol's last byte."""


class Spelling:
    """Bytes drawn one by one until the end: a unigram with add-one smoothing.

    P(b) = (count(b) + 1) / (sum of counts + 257), counted over the different symbols of the
    training text. A model that predicts "unknown" and then pays `nats(symbol)` gives every text a
    probability, so bits per byte stay comparable.
    """

    def __init__(self, counts: Iterable[int]) -> None:
        self.counts = list(counts)
        """How often each byte, and last the end, occurs in the symbols, `(257,)`."""
        events = np.array(self.counts, np.float64) + 1
        if events.shape != (END + 1,) or not (np.isfinite(events) & (events >= 1)).all():
            raise ValueError("the spelling is not a count for each byte and the end")
        self._nats: NDArray[np.float64] = -np.log(events / events.sum())

    @classmethod
    def of_symbols(cls, symbols: Iterable[str]) -> "Spelling":
        """Counts the bytes of different symbols."""
        counts, number = np.zeros(256, np.int64), 0
        for symbol in symbols:
            for byte in symbol.encode():
                counts[byte] += 1
            number += 1
        return cls([*counts.tolist(), number])

    def nats(self, symbol: str) -> float:
        """Returns -ln P(bytes of the symbol, end)."""
        return math.fsum(self._nats[[*symbol.encode(), END]])


Ids: TypeAlias = NDArray[np.int32]
Spans: TypeAlias = tuple[Ids, NDArray[np.int64], NDArray[np.int64]]
"""Ids, first character and end of each token, three arrays `(N,)`."""

BOUNDARY_ID = 0
"""The document boundary `<eos>` in every vocabulary; no text is ever encoded as it."""
UNKNOWN_ID = 1
"""`<unk>` in char and word vocabularies."""
BOUNDARY, UNKNOWN = "<eos>", "<unk>"
REMEDY = "Restore the file, or train again."


class Tokenizer(ABC):
    """Turns text into ids and back.

    Make one with `train_tokenizer` or `load_tokenizer`. `token_bytes[i]` is the UTF-8 length of
    symbol i, `(V,)` int32. Byte and bpe are lossless for any bytes, char for all characters in the
    vocabulary; word keeps words and line ends, with single spaces between words.
    """

    kind: str
    vocab_size: int
    token_bytes: NDArray[np.int32]

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """Returns the ids of a text, `(N,)`, no boundary among them.

        Raises:
            TextError: the text has half of a surrogate pair, which is not a character.
        """

    @abstractmethod
    def spans(self, text: str) -> Spans:
        """Encodes a text and says which characters each token covers.

        Tokens that are parts of one character all cover that character.
        """

    @abstractmethod
    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Returns UTF-8 bytes, maybe with incomplete characters at the ends; boundaries are empty.

        Pieces add up: `decode_bytes(a + b) == decode_bytes(a) + decode_bytes(b)`.
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Returns what `tokenizer_from_dict` needs, as JSON values."""

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        """Encodes each of several texts, faster than one by one."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of ids; bytes that are no character become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def symbol(self, token: int) -> str:
        """Returns one symbol as it is; bytes that are no character become U+DC80 to U+DCFF."""
        if token == BOUNDARY_ID:
            return BOUNDARY
        return self.decode_bytes([token]).decode("utf-8", "surrogateescape")

    def token_text(self, token: int) -> str:
        """Returns one symbol printably: line ends and bytes that are no character are escaped."""
        data = self.symbol(token).encode("utf-8", "surrogateescape")
        text = data.decode("utf-8", "backslashreplace")
        return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)

    def unknowns(self, text: str) -> tuple[int, float]:
        """Counts symbols that are not in the vocabulary, and the nats that spelling them costs."""
        return 0, 0.0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides the ids, 64 hex digits."""
        values = json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(values.encode()).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one JSON file, whole or not at all."""
        write_text(path, json.dumps(self.to_dict(), ensure_ascii=False))


def utf8(text: str) -> bytes:
    """Encodes a text, or says where it is none."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        problem = f"has half of a surrogate pair at character {error.start}"
        raise TextError("the text", problem, "Remove it.") from None


class ByteTokenizer(Tokenizer):
    """Every UTF-8 byte is a symbol: byte b has id b + 1."""

    kind = "byte"
    vocab_size = 257

    def __init__(self) -> None:
        self.token_bytes = np.ones(257, np.int32)
        self.token_bytes[BOUNDARY_ID] = 0

    def encode(self, text: str) -> Ids:
        return self.encode_bytes(utf8(text))

    def encode_bytes(self, data: bytes) -> Ids:
        """Encodes any bytes."""
        return np.frombuffer(data, np.uint8).astype(np.int32) + 1

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        data = [utf8(text) for text in texts]
        return _split(self.encode_bytes(b"".join(data)), map(len, data))

    def spans(self, text: str) -> Spans:
        ids = self.encode(text)
        return ids, *_char_spans(text, self.token_bytes[ids])

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        return bytes(token - 1 for token in ids if token != BOUNDARY_ID)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind}


class BpeTokenizer(Tokenizer):
    """Byte-level byte-pair encoding with GPT-2's pre-tokenization, run by HF tokenizers.

    Ids 1 to 256 are single bytes, so every byte sequence can be encoded.
    Source: Sennrich et al. 2016; on bytes, Radford et al. 2019.
    """

    kind = "bpe"

    def __init__(self, vocab: Sequence[str], merges: Sequence[Sequence[str]]) -> None:
        """Args are in the byte-level alphabet: symbols in the order of ids, pairs to merge."""
        self.vocab, self.merges = list(vocab), [(left, right) for left, right in merges]
        self.vocab_size = len(self.vocab)
        ids = {symbol: token for token, symbol in enumerate(self.vocab)}
        symbols = {*self.vocab[1:]}
        if len(symbols) != len(self.vocab) - 1 or not symbols.issuperset(
            part for left, right in self.merges for part in (left, right, left + right)
        ):
            raise ValueError("a merge is not of symbols, or a symbol stands twice")
        # Nothing merges into "<eos>", and it is no added token: text cannot become the boundary.
        self._encoder = hf.Tokenizer(hf.models.BPE(ids, self.merges))
        self._encoder.pre_tokenizer = hf.pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = _byte_alphabet()
        self._byte_ids = np.array([ids[char] for char in alphabet], np.int32)
        byte_of = {char: byte for byte, char in enumerate(alphabet)}
        symbols = [bytes(byte_of[char] for char in symbol) for symbol in self.vocab[1:]]
        self._symbols = [b"", *symbols]
        self.token_bytes = np.array([len(symbol) for symbol in self._symbols], np.int32)

    def encode(self, text: str) -> Ids:
        return self.encode_many([text])[0]

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        for text in texts:
            utf8(text)
        return [np.array(item.ids, np.int32) for item in self._encoder.encode_batch_fast(texts)]

    def encode_bytes(self, data: bytes) -> Ids:
        """Encodes any bytes: what is UTF-8 as text, each other byte by its own id."""
        ids = [
            self._byte_ids[[ord(char) - 0xDC00 for char in part]]
            if "\udc80" <= part[:1] <= "\udcff"
            else self.encode(part)
            for part in re.split("([\udc80-\udcff]+)", data.decode("utf-8", "surrogateescape"))
        ]
        return np.concatenate(ids)

    def spans(self, text: str) -> Spans:
        ids = self.encode(text)
        return ids, *_char_spans(text, self.token_bytes[ids])

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        return b"".join(self._symbols[token] for token in ids)

    def to_dict(self) -> dict[str, Any]:
        merges = [list(pair) for pair in self.merges]
        return {"kind": self.kind, "vocab": self.vocab, "merges": merges}


class CharTokenizer(Tokenizer):
    """Every character of the vocabulary is a symbol, any other is unknown."""

    kind = "char"

    def __init__(self, chars: Sequence[str], spelling: Spelling) -> None:
        """Takes the characters in the order of ids from 2 on."""
        self.chars, self.spelling = list(chars), spelling
        self.vocab_size = len(self.chars) + 2
        self._symbols = [b"", "\ufffd".encode(), *(utf8(char) for char in self.chars)]
        self.token_bytes = np.array([len(symbol) for symbol in self._symbols], np.int32)
        self._ids = np.full(0x110000, UNKNOWN_ID, np.int32)
        self._ids[[ord(char) for char in self.chars]] = np.arange(2, self.vocab_size)

    def encode(self, text: str) -> Ids:
        return self._ids[_codes(text)]

    def encode_many(self, texts: Sequence[str]) -> list[Ids]:
        return _split(self.encode("".join(texts)), map(len, texts))

    def spans(self, text: str) -> Spans:
        starts = np.arange(len(text))
        return self.encode(text), starts, starts + 1

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        return b"".join(self._symbols[token] for token in ids)

    def symbol(self, token: int) -> str:
        return UNKNOWN if token == UNKNOWN_ID else super().symbol(token)

    def unknowns(self, text: str) -> tuple[int, float]:
        codes = _codes(text)
        codes, counts = np.unique(codes[self._ids[codes] == UNKNOWN_ID], return_counts=True)
        costs = [self.spelling.nats(chr(code)) for code in codes]
        return int(counts.sum()), float(np.dot(counts, costs))

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "chars": self.chars, "spelling": self.spelling.counts}


class WordTokenizer(Tokenizer):
    """Every word of the vocabulary is a symbol, any other is unknown; a line end is a word.

    A literal `<unk>` in the text is a word like any other, with the id of the unknown.
    """

    kind = "word"

    def __init__(self, words: Sequence[str], spelling: Spelling, split_punctuation: bool) -> None:
        """Takes the words in the order of ids from 2 on."""
        self.words, self.spelling = list(words), spelling
        self.split_punctuation = split_punctuation
        self.vocab_size = len(self.words) + 2
        self._pattern = word_pattern(split_punctuation)
        symbols = [UNKNOWN, *self.words]
        self._ids = {word: token for token, word in enumerate(symbols, UNKNOWN_ID)}
        self._spaced = ["", *(with_space(word, split_punctuation) for word in symbols)]
        self.token_bytes = np.array([0, *(len(utf8(word)) for word in symbols)], np.int32)

    def encode(self, text: str) -> Ids:
        utf8(text)
        ids, unknown = self._ids, itertools.repeat(UNKNOWN_ID)
        return np.fromiter(map(ids.get, self._pattern.findall(text), unknown), np.int32)

    def spans(self, text: str) -> Spans:
        places = np.array([match.span() for match in self._pattern.finditer(text)], np.int64)
        places = places.reshape(-1, 2)
        return self.encode(text), places[:, 0], places[:, 1]

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        return "".join(self._spaced[token] for token in ids).encode()

    def decode(self, ids: Iterable[int]) -> str:
        return without_end_spaces(super().decode(ids))

    def symbol(self, token: int) -> str:
        return super().symbol(token).rstrip(" ")

    def unknowns(self, text: str) -> tuple[int, float]:
        words = Counter(word for word in self._pattern.findall(text) if word not in self._ids)
        costs = math.fsum(self.spelling.nats(word) * count for word, count in words.items())
        return words.total(), costs

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "words": self.words,
            "spelling": self.spelling.counts,
            "split_punctuation": self.split_punctuation,
        }


def tokenizer_from_dict(values: dict[str, Any]) -> Tokenizer:
    """Rebuilds the tokenizer of `to_dict`.

    Raises:
        KeyError, TypeError, ValueError: these are not the values of a tokenizer.
    """
    spelling = Spelling(values.get("spelling", [0] * 257))
    match values["kind"]:
        case "byte":
            return ByteTokenizer()
        case "bpe":
            return BpeTokenizer(values["vocab"], values["merges"])
        case "char":
            return CharTokenizer(values["chars"], spelling)
        case "word":
            return WordTokenizer(values["words"], spelling, values["split_punctuation"])
    raise ValueError(f"there is no kind {values['kind']!r}")


def load_tokenizer(path: str | os.PathLike[str]) -> Tokenizer:
    """Reads what `save` wrote.

    Raises:
        CheckpointError: the file is missing, damaged, or something else.
    """
    try:
        return tokenizer_from_dict(json.loads(Path(path).read_text("utf-8")))
    except OSError as error:
        reason = error.strerror or str(error)
        raise CheckpointError(path, f"cannot be read ({reason})", REMEDY) from None
    except Exception as error:  # HF reports a damaged vocabulary as a bare Exception
        problem = f"is not a tokenizer ({type(error).__name__}: {error})"
        raise CheckpointError(path, problem, REMEDY) from None


def _codes(text: str) -> NDArray[np.uint32]:
    """Code points of a text, `(N,)`."""
    try:
        return np.frombuffer(text.encode("utf-32-le"), "<u4")
    except UnicodeEncodeError:
        utf8(text)
        raise


def _split(ids: Ids, lengths: Iterable[int]) -> list[Ids]:
    bounds = itertools.pairwise(itertools.accumulate(lengths, initial=0))
    return [ids[start:stop] for start, stop in bounds]


def _char_spans(
    text: str, lengths: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First character and end of tokens with these lengths in bytes."""
    data = np.frombuffer(text.encode(), np.uint8)
    char_of_byte = np.cumsum((data & 0xC0) != 0x80) - 1
    ends = np.cumsum(lengths)
    return char_of_byte[ends - lengths], char_of_byte[ends - 1] + 1


def _byte_alphabet() -> list[str]:
    """The printable character that stands for each byte in a byte-level vocabulary, `(256,)`."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = itertools.count(0x100)
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
