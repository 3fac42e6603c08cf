"""The text of a run on disk, as UTF-8 with document boundaries."""

import codecs
import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import TextError
from .documents import Piece

Spans: TypeAlias = NDArray[np.int64]
"""Documents or parts of them, `(n, 3)`: first byte, end, and bytes that count for it."""

TEXT, DOCUMENTS = "text.utf8", "documents.int64"
BLOCK = 1 << 20
"""Bytes read at a time."""
PIECE_CHARS = 1 << 14
"""Most characters of a piece: byte-pair encoding is faster and smaller in memory on short ones."""


@dataclass(frozen=True)
class Corpus:
    """A text of any size, read from disk in blocks.

    Make it with `Corpus.write(pieces, folder)`; then
    `Part(corpus, corpus.spans()).pieces()` streams the text.
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
            for start, stop in bounds(spans):
                if stop - start > BLOCK:
                    yield from _cut(_read_range(file, start, stop))
                    continue
                if not block_start <= start <= stop <= block_start + len(block):
                    file.seek(start)
                    block, block_start = file.read(BLOCK), start
                text = block[start - block_start : stop - block_start].decode()
                yield from _cut(iter([text]))


def bounds(spans: Spans) -> Iterator[tuple[int, int]]:
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
