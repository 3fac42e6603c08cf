"""Finds text files and tables and reads them as pieces of text, whatever their size."""

import csv
import gzip
import itertools
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from ..errors import MissingExtra, TextError
from ..settings.data import DocumentKind
from .encodings import NoText, detect_encoding, read_text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_CHARS = 1 << 18
"""Most characters of a piece, 1 MB of UTF-8 at most."""
BLANK = " \t\r\n"
"""Characters of a line that is no document where each line is one."""
TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}
COMPRESSED = {".gz", ".zst"}
MAX_CELL = 1 << 26
"""Characters of a csv cell; more is a quotation mark that was never closed."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one document."""

    text: str
    source: str
    ends_document: bool
    after: str = ""
    """What follows in the file and is in no document (a line end): it counts as bytes."""


def find_files(paths: Sequence[str]) -> list[Path]:
    """Finds the files of a list of files and folders, each file once.

    Folders are searched to any depth in the order of names; hidden files, empty files and files
    that are neither text nor table are passed over.

    Raises:
        TextError: a path does not exist, or a folder has no readable text, or one that is damaged.
    """
    found: dict[Path, None] = {}
    for name in paths:
        path = Path(name)
        if path.is_dir():
            inside = [file for file in _walk(path) if _is_readable(file)]
            if not inside:
                raise TextError(path, "holds no readable text", "Give a folder with text files.")
            found |= dict.fromkeys(inside)
        elif path.is_file():
            found[path] = None
        elif path.exists():
            raise TextError(path, "is not a regular file", 'Pipe it in and write "-".')
        else:
            raise TextError(path, "does not exist", "Check the path.")
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _is_readable(path: Path) -> bool:
    """Whether a file that the user did not name looks like text."""
    if not path.is_file() or not path.stat().st_size:
        return False
    if file_format(path) == ".parquet":
        return True
    try:
        with open_bytes(path) as file:
            detect_encoding(path, file, whole=False)
    except NoText:
        return False
    return True


def file_format(path: Path) -> str:
    """Returns the suffix that says how to read a file, ".gz" and ".zst" set aside."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Opens a file, uncompressed on the way.

    Raises:
        TextError: it cannot be read, or its compression is damaged (also while reading).
    """
    opener = {".gz": gzip.open, ".zst": zstd.open}.get(path.suffix.lower(), open)
    try:
        with opener(path, "rb") as file:
            yield cast(BinaryIO, file)
    except (EOFError, gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
        problem = f"is damaged or not {path.suffix[1:]} at all ({error})"
        raise TextError(path, problem, "Make or fetch the file again.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise TextError(path, f"cannot be read ({reason})", "Check the file.") from None


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


def _chunks(path: Path) -> Iterator[str]:
    """Decoded text of a file in chunks, the encoding found out first."""
    with open_bytes(path) as file:
        encoding = detect_encoding(path, file)
    with open_bytes(path) as file:
        yield from read_text(path, file, encoding)


def _read_whole(path: Path) -> Iterator[Piece]:
    """One document; a piece is held back until it is known whether another follows."""
    held = ""
    for chunk in _chunks(path):
        if held:
            yield Piece(held, str(path), ends_document=False)
        held = chunk
    yield Piece(held, str(path), ends_document=True)


def _read_lines(path: Path) -> Iterator[Piece]:
    """Each line that is not blank is a document without its line end, which counts as one byte."""
    rest, inside, source = "", False, str(path)
    for chunk in _chunks(path):
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


Chooser: TypeAlias = Callable[[Path, Sequence[str]], list[int]]
"""Chooses columns by their names, of a table that may lack them."""
Row: TypeAlias = tuple[str, list[Any]]
"""Where a row stands ("line 3"), and the values of its columns."""


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


def read_rows(path: Path, choose: Chooser) -> Iterator[Row]:
    """Reads columns of a csv, tsv, jsonl, ndjson or parquet file, row by row.

    Values of csv and tsv are strings; the others have what the file says.

    Raises:
        TextError: the file is ill-formed, or lacks a column.
        MissingExtra: parquet without pyarrow.
    """
    readers = {".csv": _csv_rows, ".tsv": _csv_rows, ".parquet": _parquet_rows}
    return readers.get(file_format(path), _json_rows)(path, choose)


def choose_text(path: Path, names: Sequence[str], column: str | None) -> int:
    """The column with the text: the named one, the only one, or the one called "text"."""
    if not names:
        raise TextError(path, "has no header line", "Name the columns in the first line.")
    if column is not None:
        return choose_column(path, names, column, " (--column)")
    if len(names) == 1:
        return 0
    if "text" in names:
        return names.index("text")
    problem = 'has several columns and none called "text"'
    raise TextError(path, problem, f"Choose one of: {', '.join(names)}. (--column)")


def choose_column(path: Path, names: Sequence[str], column: str, option: str = "") -> int:
    """The column of a name, or of a position from 0."""
    if column in names:
        return names.index(column)
    if column.isdecimal() and int(column) < len(names):
        return int(column)
    remedy = f"Choose one of: {', '.join(names)}.{option}"
    raise TextError(path, f"has no column {column!r}", remedy)


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends, cut at line feeds only."""
    rest = ""
    for chunk in _chunks(path):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            yield line + "\n"
    if rest:
        yield rest


def _csv_rows(path: Path, choose: Chooser) -> Iterator[Row]:
    """Rows of a csv file with quotes, or of a tsv file, which has none."""
    csv.field_size_limit(MAX_CELL)
    lines = _lines(path)
    head = next(lines, "")
    rows = csv.reader(itertools.chain([head], lines), **_dialect(path, head))
    try:
        names = next((row for row in rows if row), [])
        places = choose(path, names)
        for row in rows:
            if row and len(row) != len(names):
                problem = f"has {len(row)} cells in line {rows.line_num}, but {len(names)} columns"
                raise TextError(path, problem, "Mend the line, or quote the cell.")
            if row:
                yield f"line {rows.line_num}", [row[place] for place in places]
    except csv.Error as error:
        problem = f"is ill-formed at line {rows.line_num} ({error})"
        raise TextError(path, problem, "Mend the line, or its quotation marks.") from None


def _dialect(path: Path, head: str) -> dict[str, Any]:
    if file_format(path) == ".tsv":
        return {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    # Where the comma is the decimal mark, spreadsheets write semicolons.
    return {"delimiter": ";" if ";" in head and "," not in head else ",", "strict": True}


def _json_rows(path: Path, choose: Chooser) -> Iterator[Row]:
    """Values of keys of every object; the first object says which keys there are."""
    names: list[str] | None = None
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        row = _parse_json(path, number, line)
        if names is None:
            names = [list(row)[place] for place in choose(path, list(row))]
        for name in names:
            if name not in row:
                problem = f"has no {name!r} in line {number}"
                raise TextError(path, problem, f"There is: {', '.join(row)}.")
        yield f"line {number}", [row[name] for name in names]


def _parse_json(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        detail = str(error).split(": line")[0]
        problem = f"is not JSON in line {number} ({detail})"
        raise TextError(path, problem, "Write one object per line.") from None
    if not isinstance(row, dict) or not row:
        raise TextError(path, f"has no object in line {number}", "Write one object per line.")
    return row


def is_text(value: object) -> bool:
    """Whether a value is a string without halves of surrogate pairs, which JSON can spell."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parquet_rows(path: Path, choose: Chooser) -> Iterator[Row]:
    """Rows of a parquet file, read in batches."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra(f"Reading {path}", "data") from None
    with open_bytes(path) as file, tempfile.TemporaryFile() as unpacked:
        # Parquet is read from its end, which a compressed stream cannot do.
        seekable = unpacked if path.suffix.lower() in COMPRESSED else file
        if seekable is unpacked:
            shutil.copyfileobj(file, unpacked)
        try:
            table = pq.ParquetFile(seekable)
            names = table.schema_arrow.names
            chosen = [names[place] for place in choose(path, names)]
            number = 0
            for batch in table.iter_batches(256, columns=list(dict.fromkeys(chosen))):
                columns = [batch.column(name).to_pylist() for name in chosen]
                for row in zip(*columns, strict=True):
                    number += 1
                    yield f"row {number}", list(row)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            detail = str(error).split(". ")[0].split("\n")[0].rstrip(".")
            problem = f"is damaged or not parquet ({detail})"
            raise TextError(path, problem, "Make or fetch the file again.") from None
