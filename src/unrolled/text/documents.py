"""Files and tables as documents, read in pieces whatever their size."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import TextError
from ..settings.data import DocumentKind
from .files import TABLES, file_format, read_chunks
from .tables import choose_text, is_text, read_rows

PIECE_CHARS = 1 << 18
"""Most characters of a piece, 1 MB of UTF-8 at most."""
BLANK = " \t\r\n"
"""Characters of a line that is no document where each line is one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one document."""

    text: str
    source: str
    ends_document: bool
    after: str = ""
    """What follows in the file and is in no document (a line end): it counts as bytes."""


def read_pieces(
    paths: Iterable[Path], column: str | None = None, documents: DocumentKind = "file"
) -> Iterator[Piece]:
    """Reads files one after the other.

    The format follows the name: csv, tsv, jsonl, ndjson and parquet are tables whose rows are
    documents, anything else is plain text; each also as .gz or .zst. Text is used as it is.

    Args:
        paths: Files, as `find_files` gives them.
        column: Name of the column with the text, or its position from 0; may be left out where
            there is one column only, or one called "text".
        documents: What a document is in plain text: the file, or each line that is not blank.

    Raises:
        TextError: a file is empty, binary, undecodable, ill-formed, or lacks the column.
        MissingExtra: parquet without pyarrow.
    """
    for path in paths:
        if file_format(path) in TABLES:
            yield from _read_table(path, column)
        elif documents == "line":
            yield from _read_lines(path)
        else:
            yield from _read_whole(path)


def read_documents(
    paths: Iterable[Path], column: str | None = None, documents: DocumentKind = "file"
) -> Iterator[str]:
    """Whole documents, one after the other; arguments and errors as those of `read_pieces`."""
    begun = ""
    for piece in read_pieces(paths, column, documents):
        begun += piece.text
        if piece.ends_document:
            yield begun
            begun = ""


def _read_whole(path: Path) -> Iterator[Piece]:
    """One document; a piece is held back until it is known whether another follows."""
    held = ""
    for chunk in read_chunks(path):
        if held:
            yield Piece(held, str(path), ends_document=False)
        held = chunk
    yield Piece(held, str(path), ends_document=True)


def _read_lines(path: Path) -> Iterator[Piece]:
    """Each line that is not blank is a document without its line end, which counts as one byte."""
    rest, inside, source = "", False, str(path)
    for chunk in read_chunks(path):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            text = line.removesuffix("\r")
            if inside or line.strip(BLANK):
                yield Piece(text, source, ends_document=True, after="\n")
            else:
                yield Piece("", source, ends_document=False, after=text + "\n")
            inside = False
        if len(rest) > PIECE_CHARS and rest.strip(BLANK):
            text = rest.removesuffix("\r")  # which may begin a line end
            yield Piece(text, source, ends_document=False)
            rest, inside = rest[len(text) :], True
    if inside or rest.strip(BLANK):
        yield Piece(rest.removesuffix("\r"), source, ends_document=True)
    elif rest:
        yield Piece("", source, ends_document=False, after=rest)


def _read_table(path: Path, column: str | None) -> Iterator[Piece]:
    """Each row that has text in the column is a document."""
    empty, name = True, ""

    def choose(path: Path, names: Sequence[str]) -> list[int]:
        nonlocal name
        place = choose_text(path, names, column)
        name = names[place]
        return [place]

    for where, (text,) in read_rows(path, choose):
        if text is None:
            continue
        if not is_text(text):
            problem = f"has no proper text as {name!r} in {where}"
            raise TextError(path, problem, "Name a column that holds strings with --column.")
        if not text.strip():
            continue
        empty = False
        for start in range(0, len(text), PIECE_CHARS):
            stop = start + PIECE_CHARS
            yield Piece(text[start:stop], str(path), ends_document=stop >= len(text))
    if empty:
        raise TextError(path, "has no text in the column to read", "Name another with --column.")
