"""The text of a run on disk, as UTF-8 with document boundaries, and its splits."""

import codecs
import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, TextError
from .files import PIECE_CHARS, Piece

Spans: TypeAlias = NDArray[np.int64]
"""Documents or parts of them, `(n, 3)`: first byte, end, and bytes that count for it."""

TEXT, DOCUMENTS, INDEX = "text.utf8", "documents.int64", "corpus.json"
BLOCK = 1 << 20
"""Bytes read at a time."""
MIN_DOCUMENTS = 20
"""With fewer documents, each of them is cut instead of being put into one split."""


class Corpus:
    """A text of any size, read from disk in blocks.

    Make it with `Corpus.write(pieces, folder)` or find it again with `Corpus.open(folder)`; then
    `split_corpus(corpus, 0.1, 0.1)["train"].pieces()` streams the training text.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        self.folder = folder
        self.num_documents: int = index["num_documents"]
        self.num_bytes: int = index["num_bytes"]
        self.sha256: str = index["sha256"]
        self.sources: list[str] = index["sources"]
        self.line_documents: bool = index["line_documents"]
        """Whether documents are lines: neighbours belong together, and each end is a byte."""

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """Opens what `write` wrote."""
        return cls(folder)

    @classmethod
    def write(cls, pieces: Iterable[Piece], folder: Path) -> "Corpus":
        """Streams pieces to `folder`, which is created.

        Raises:
            TextError: there is no document in the pieces.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / TEXT, "wb") as text, open(folder / DOCUMENTS, "wb") as documents:
            index = _write_text(pieces, text, documents)
        # The index comes last: a folder without it is no corpus.
        (folder / INDEX).write_text(json.dumps(index), "utf-8")
        return cls(folder)

    def documents(self) -> NDArray[np.int64]:
        """Maps the documents, `(D, 3)`: first byte, end, first 8 bytes of the content's SHA-256."""
        return np.memmap(self.folder / DOCUMENTS, "<i8", "r").reshape(-1, 3)

    def spans(self) -> Spans:
        """All documents; what lies between two of them counts for the first."""
        documents = self.documents()
        ends = np.append(documents[1:, 0], self.num_bytes)
        num_bytes = np.diff(ends, prepend=0)
        return np.column_stack([documents[:, :2], num_bytes])

    def iter_pieces(self, spans: Spans) -> Iterator[tuple[str, bool]]:
        """Reads the text of spans; yields `(text, ends_document)`, 256 k characters at most.

        A long document is cut before white space that follows other text, where no pre-tokenizer
        would join the two sides; only text without such a place is cut anywhere.
        """
        with open(self.folder / TEXT, "rb") as file:
            block, block_start = b"", 0
            for start, stop in _bounds(spans):
                if stop - start > BLOCK:
                    yield from _cut(_read_range(file, start, stop))
                    continue
                if not block_start <= start <= stop <= block_start + len(block):
                    file.seek(start)
                    block, block_start = file.read(BLOCK), start
                text = block[start - block_start : stop - block_start].decode()
                yield from _cut(iter([text]))


def _bounds(spans: Spans) -> Iterator[tuple[int, int]]:
    """First byte and end of each span as Python numbers, which are many times larger."""
    for first in range(0, len(spans), 4096):
        for start, stop, _ in spans[first : first + 4096].tolist():
            yield start, stop


def _write_text(pieces: Iterable[Piece], text: BinaryIO, documents: BinaryIO) -> dict[str, Any]:
    """Writes text and document table, `(start, stop, key)` each, and returns the index."""
    everything, content = hashlib.sha256(), hashlib.sha256()
    position = num_documents = 0
    start: int | None = None
    sources: dict[str, None] = {}
    line_documents = False
    for piece in pieces:
        sources[piece.source] = None
        line_documents |= bool(piece.after)
        data = piece.text.encode()
        if data and start is None:
            start = position
        content.update(data)
        if piece.ends_document and start is not None:
            entry = struct.pack("<2q8s", start, position + len(data), content.digest()[:8])
            documents.write(entry)
            everything.update(entry)
            num_documents, start, content = num_documents + 1, None, hashlib.sha256()
        data += piece.after.encode()
        text.write(data)
        everything.update(data)
        position += len(data)
    if not num_documents:
        source = next(iter(sources), "the input")
        raise TextError(source, "holds no text", "Give a file with text.")
    return {
        "num_documents": num_documents,
        "num_bytes": position,
        "sha256": everything.hexdigest(),
        "line_documents": line_documents,
        "sources": list(sources),
    }


def _read_range(file: BinaryIO, start: int, stop: int) -> Iterator[str]:
    """Decodes bytes `start` to `stop`, a block at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(start)
    for position in range(start, stop, BLOCK):
        yield decoder.decode(file.read(min(BLOCK, stop - position)))


def _cut(texts: Iterator[str]) -> Iterator[tuple[str, bool]]:
    """Cuts one document's text into pieces; the last one ends the document."""
    held = ""
    for text in texts:
        held += text
        while len(held) > PIECE_CHARS:
            place = cut_place(held[:PIECE_CHARS])
            yield held[:place], False
            held = held[place:]
    yield held, True


def cut_place(text: str) -> int:
    """Finds where to cut: before the last white space after text, line ends first."""
    for mark in "\n ":
        place = text.rfind(mark, len(text) // 2)
        while place > 0 and text[place - 1].isspace():
            place -= 1
        if place > 0:
            return place
    return len(text)


@dataclass(frozen=True)
class Part:
    """A part of a corpus: a split."""

    corpus: Corpus
    spans: Spans

    @property
    def num_bytes(self) -> int:
        """UTF-8 bytes, line ends between documents included."""
        return int(self.spans[:, 2].sum())

    @property
    def sha256(self) -> str:
        """Hash of the text and of which part of it this is."""
        return hashlib.sha256(self.corpus.sha256.encode() + self.spans.tobytes()).hexdigest()

    def pieces(self) -> Iterator[tuple[str, bool]]:
        """Reads `(text, ends_document)`."""
        return self.corpus.iter_pieces(self.spans)


def split_corpus(corpus: Corpus, valid_fraction: float, test_fraction: float) -> dict[str, Part]:
    """Splits a corpus into train, valid and test; a split of fraction 0 is left out.

    With 20 documents or more, whole documents are taken in the order of their SHA-256, so that a
    document stays where it is when others are added, and equal documents stay together. Fewer are
    each cut into head (train), middle (valid) and tail (test). Lines as documents are neighbours
    in one text: the first lines are for training, then validation, then test.

    Raises:
        ConfigError: the fractions are below 0 or leave nothing to train on.
        TextError: the text is too short.
    """
    for name, value in (("valid_fraction", valid_fraction), ("test_fraction", test_fraction)):
        if not 0 <= value < 1:
            raise ConfigError(name, "at least 0 and below 1", value, "Write for example 0.05.")
    train_fraction = 1 - valid_fraction - test_fraction
    if train_fraction <= 0:
        total = valid_fraction + test_fraction
        rule = "below 1 in sum, so that something is left for training"
        raise ConfigError("valid_fraction and test_fraction", rule, total, "Make one smaller.")
    fractions = {"train": train_fraction, "valid": valid_fraction, "test": test_fraction}
    fractions = {name: value for name, value in fractions.items() if value > 0}
    spans = corpus.spans()
    if corpus.line_documents:
        splits = _split_lines(spans, fractions)
    elif len(spans) >= MIN_DOCUMENTS:
        splits = _split_documents(spans, corpus.documents()[:, 2], fractions)
    else:
        splits = _split_each(corpus, spans, fractions)
    for name, part in splits.items():
        if not len(part):
            problem = f"is too short ({corpus.num_bytes} bytes) for a {name} split"
            remedy = "Give more text, or files for validation and test of their own."
            raise TextError("the text", problem, remedy)
    return {name: Part(corpus, part) for name, part in splits.items()}


def _split_lines(spans: Spans, fractions: dict[str, float]) -> dict[str, Spans]:
    """Head, middle and tail in whole lines."""
    ends = np.cumsum(spans[:, 2])
    shares = np.cumsum(list(fractions.values())[:-1])
    places = np.searchsorted(ends, shares * ends[-1] + 0.5)
    return dict(zip(fractions, np.split(spans, places), strict=True))


def _split_documents(
    spans: Spans, keys: NDArray[np.int64], fractions: dict[str, float]
) -> dict[str, Spans]:
    """Whole documents in the order of their keys: first validation, then test, then training."""
    _, groups = np.unique(keys, return_inverse=True)
    sizes = np.bincount(groups, spans[:, 2])
    chosen = np.zeros(len(sizes), np.int8)
    for number, name in enumerate(list(fractions)[1:], 1):
        _choose(sizes, chosen, number, fractions[name] * sizes.sum())
    return {name: spans[chosen[groups] == number] for number, name in enumerate(fractions)}


def _choose(
    sizes: NDArray[np.number], chosen: NDArray[np.int8], number: int, target: float
) -> None:
    """Marks free documents while each brings the sum nearer to the target, but at least one."""
    taken = 0.0
    for index in np.flatnonzero(chosen == 0):
        if taken + sizes[index] / 2 <= target:
            chosen[index] = number
            taken += sizes[index]
    free = np.flatnonzero(chosen == 0)
    if not taken and len(free) > 1:
        chosen[free[np.argmin(sizes[free])]] = number


def _split_each(corpus: Corpus, spans: Spans, fractions: dict[str, float]) -> dict[str, Spans]:
    """Head, middle and tail of every document, cut between characters."""
    rows: dict[str, list[tuple[int, int, int]]] = {name: [] for name in fractions}
    with open(corpus.folder / TEXT, "rb") as file:
        for start, stop in _bounds(spans):
            first, share = start, 0.0
            for name, fraction in fractions.items():
                share += fraction
                last = name == list(fractions)[-1]
                place = stop if last else _character(file, start + int((stop - start) * share))
                if place > first:
                    rows[name].append((first, place, place - first))
                first = place
    return {name: np.array(part, np.int64).reshape(-1, 3) for name, part in rows.items()}


def _character(file: BinaryIO, position: int) -> int:
    """The start of the character at a byte position."""
    file.seek(max(position - 3, 0))
    before = file.read(min(position, 3) + 1)
    while len(before) > 1 and before[-1] & 0xC0 == 0x80:
        before, position = before[:-1], position - 1
    return position
