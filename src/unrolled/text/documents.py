"""Files and tables as documents, read in pieces whatever their size."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import TextError
from ..settings.data import DocumentKind, FileFormat
from .files import read_chunks, source_name
from .tables import choose_text, is_table, is_text, read_rows

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
    paths: Iterable[Path],
    column: str | None = None,
    documents: DocumentKind = "file",
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> Iterator[Piece]:
    """Reads files one after the other.

    The format follows the name: csv, tsv, jsonl, ndjson and parquet are tables whose rows are
    documents, and so are json files that hold an array of objects; anything else is plain text.
    Each may also end in .gz or .zst. Text is used as it is, without byte order marks.

    Args:
        paths: Files, as `find_files` gives them.
        column: Name of the column with the text, or its position from 0; may be left out where
            there is one column only, or one called "text".
        documents: What a document is in plain text: the file, or each line that is not blank.
        files: What the files do not say of themselves.

    Raises:
        TextError: a file is empty, binary, undecodable, ill-formed, or lacks the column.
        MissingExtra: parquet without pyarrow.
    """
    for path in paths:
        if is_table(path):
            yield from _read_table(path, column, files)
        elif documents == "line":
            yield from _read_lines(path, files)
        else:
            yield from _read_whole(path, files)


def read_documents(
    paths: Iterable[Path],
    column: str | None = None,
    documents: DocumentKind = "file",
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> Iterator[str]:
    """Whole documents, one after the other; arguments and errors as those of `read_pieces`."""
    begun: list[str] = []
    for piece in read_pieces(paths, column, documents, files):
        begun.append(piece.text)
        if piece.ends_document:
            yield "".join(begun)
            begun.clear()


def _read_whole(path: Path, files: FileFormat) -> Iterator[Piece]:
    """One document; a piece is held back until it is known whether another follows."""
    held, source = "", source_name(path)
    for chunk in read_chunks(path, files.encoding):
        if held:
            yield Piece(held, source, ends_document=False)
        held = chunk
    yield Piece(held, source, ends_document=True)


def _read_lines(path: Path, files: FileFormat) -> Iterator[Piece]:
    """Each line that is not blank is a document without its line end, which counts as one byte."""
    rest, inside, source = "", False, source_name(path)
    for chunk in read_chunks(path, files.encoding, live=True):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            text = line.rstrip("\r")
            if inside or line.strip(BLANK):
                yield Piece(text, source, ends_document=True, after="\n")
            else:
                yield Piece("", source, ends_document=False, after=text + "\n")
            inside = False
        if len(rest) <= PIECE_CHARS:
            continue
        if not inside and not rest.strip(BLANK):
            yield Piece("", source, ends_document=False, after=rest)
            rest = ""
        else:
            text = rest.rstrip("\r")  # which may begin a line end
            yield Piece(text, source, ends_document=False)
            rest, inside = rest[len(text) :], True
    if inside or rest.strip(BLANK):
        yield Piece(rest.rstrip("\r"), source, ends_document=True)
    elif rest:
        yield Piece("", source, ends_document=False, after=rest)


def _read_table(path: Path, column: str | None, files: FileFormat) -> Iterator[Piece]:
    """Each row that has text in the column is a document."""
    empty, name = True, ""

    def choose(path: Path, names: Sequence[str]) -> list[int]:
        nonlocal name
        place = choose_text(path, names, column)
        name = names[place]
        return [place]

    for where, (text,) in read_rows(path, choose, files):
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
