"""The text of a run on disk, as UTF-8 with document boundaries, and its splits."""

import codecs
import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, TextError
from .files import Piece

Spans: TypeAlias = NDArray[np.int64]
"""Documents or parts of them, `(n, 3)`: first byte, end, and bytes that count for it."""

TEXT, DOCUMENTS = "text.utf8", "documents.int64"
BLOCK = 1 << 20
"""Bytes read at a time."""
PIECE_CHARS = 1 << 14
"""Most characters of a piece: byte-pair encoding is faster and smaller in memory on short ones."""
MIN_DOCUMENTS = 20
"""With fewer documents, each of them is cut instead of being put into one split."""
DEFAULT_FRACTION, DEFAULT_BYTES = 0.05, 500_000
"""Validation and test split of no given size. Each evaluation reads all of it, and 500 kB, more
than the test text of PTB, is precise enough already: beyond, it would only cost training time."""


@dataclass(frozen=True)
class Corpus:
    """A text of any size, read from disk in blocks.

    Make it with `Corpus.write(pieces, folder)`; then
    `split_corpus(corpus, 0.1, 0.1)["train"].pieces()` streams the training text.
    """

    folder: Path
    num_bytes: int
    """UTF-8 bytes, with what lies between documents."""
    sha256: str
    """Of the text and where its documents begin and end."""
    line_documents: bool
    """Whether documents are lines: neighbours belong together, and each end is a byte."""

    @classmethod
    def write(cls, pieces: Iterable[Piece], folder: Path) -> "Corpus":
        """Streams pieces to `folder`, which is created.

        Raises:
            TextError: there is no document in the pieces.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / TEXT, "wb") as text, open(folder / DOCUMENTS, "wb") as documents:
            return cls(folder, *_write_text(pieces, text, documents))

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
        """Reads the text of spans; yields `(text, ends_document)`, 16 k characters at most.

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


def _write_text(
    pieces: Iterable[Piece], text: BinaryIO, documents: BinaryIO
) -> tuple[int, str, bool]:
    """Writes text and document table, `(start, stop, key)` each.

    Returns:
        Bytes of text, SHA-256 of everything, and whether documents are lines.
    """
    everything, content = hashlib.sha256(), hashlib.sha256()
    position = 0
    start: int | None = None
    source, line_documents = "the input", False
    for piece in pieces:
        source = piece.source
        line_documents |= bool(piece.after)
        data = piece.text.encode()
        if data and start is None:
            start = position
        content.update(data)
        if piece.ends_document and start is not None:
            entry = struct.pack("<2q8s", start, position + len(data), content.digest()[:8])
            documents.write(entry)
            everything.update(entry)
            start, content = None, hashlib.sha256()
        data += piece.after.encode()
        text.write(data)
        everything.update(data)
        position += len(data)
    if not documents.tell():
        raise TextError(source, "holds no text", "Give a file with text.")
    return position, everything.hexdigest(), line_documents


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
        held, start = held + text, 0
        while len(held) - start > PIECE_CHARS:
            stop = start + cut_place(held[start : start + PIECE_CHARS])
            yield held[start:stop], False
            start = stop
        held = held[start:]
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


def split_corpus(
    corpus: Corpus, valid_fraction: float | None, test_fraction: float | None
) -> dict[str, Part]:
    """Splits a corpus into train, valid and test; a split of fraction 0 is left out.

    With 20 documents or more, whole documents are taken by the SHA-256 of their content, the
    smallest for validation and the largest for the test: none passes from one to the other when
    documents are added, and equal documents stay together. Fewer are each cut into head (train),
    middle (valid) and tail (test). Lines as documents are neighbours in one text: the first lines
    are for training, then validation, then test.

    Args:
        corpus: The text.
        valid_fraction, test_fraction: Parts of its bytes; None: 5 %, at most 500 kB.

    Raises:
        ConfigError: the fractions are below 0 or leave nothing to train on.
        TextError: the text is too short.
    """
    fractions = _fractions(corpus.num_bytes, valid_fraction, test_fraction)
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


def _fractions(num_bytes: int, valid: float | None, test: float | None) -> dict[str, float]:
    """Part of each split that is wanted, the training split first."""
    default = min(DEFAULT_FRACTION, DEFAULT_BYTES / num_bytes)
    held_out = {
        name: default if value is None else value
        for name, value in (("valid", valid), ("test", test))
    }
    for name, value in held_out.items():
        if not 0 <= value < 1:
            rule = "at least 0 and below 1"
            raise ConfigError(f"{name}_fraction", rule, value, "Write for example 0.05.")
    total = sum(held_out.values())
    if total >= 1:
        rule = "below 1 in sum, so that something is left for training"
        raise ConfigError("valid_fraction and test_fraction", rule, total, "Make one smaller.")
    return {"train": 1 - total} | {name: value for name, value in held_out.items() if value}


def _split_lines(spans: Spans, fractions: dict[str, float]) -> dict[str, Spans]:
    """Head, middle and tail in whole lines."""
    ends = np.cumsum(spans[:, 2])
    shares = np.cumsum(list(fractions.values())[:-1])
    places = np.searchsorted(ends, shares * ends[-1] + 0.5)
    return dict(zip(fractions, np.split(spans, places), strict=True))


def _split_documents(
    spans: Spans, keys: NDArray[np.int64], fractions: dict[str, float]
) -> dict[str, Spans]:
    """Whole documents in the order of their keys; equal documents are one."""
    _, groups = np.unique(keys, return_inverse=True)
    sizes = np.bincount(groups, spans[:, 2])
    split_of = np.full(len(sizes), "train")
    for name, order in (("valid", slice(None)), ("test", slice(None, None, -1))):
        if name in fractions:
            free = np.flatnonzero(split_of == "train")[order]
            split_of[free[_choose(sizes[free], fractions[name] * sizes.sum())]] = name
    return {name: spans[split_of[groups] == name] for name in fractions}


def _choose(sizes: NDArray[np.number], target: float) -> list[int]:
    """Takes sizes in order where each brings the sum nearer to the target, but at least one."""
    chosen, taken = [], 0.0
    for index, size in enumerate(sizes.tolist()):
        if taken + size / 2 <= target:
            chosen.append(index)
            taken += size
    return chosen or ([int(np.argmin(sizes))] if len(sizes) > 1 else [])


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
