"""Rows of tables: csv, tsv, jsonl, ndjson, arrays of JSON and parquet."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from re import Pattern

from ..errors import MissingExtra, TextError
from ..settings.data import FileFormat
from .delimited import Chooser, Row, delimited_rows
from .encodings import SAMPLE
from .files import COMPRESSED, file_format, open_bytes, read_chunks, read_lines

TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}
ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{")
OBJECTS = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{[^\n]*\}\s*\n\s*\{")


def is_table(path: Path) -> bool:
    """Whether a file holds rows: its name says so, or it is JSON and begins like some."""
    suffix = file_format(path)
    return suffix in TABLES or (suffix == ".json" and (_is_array(path) or _begins(path, OBJECTS)))


def _is_array(path: Path) -> bool:
    return _begins(path, ARRAY)


def _begins(path: Path, pattern: Pattern[bytes]) -> bool:
    with open_bytes(path) as file:
        return pattern.match(file.read(SAMPLE)) is not None


def read_rows(
    path: Path,
    choose: Chooser,
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> Iterator[Row]:
    """Reads columns of a csv, tsv, jsonl, ndjson, json or parquet file, row by row.

    Values of csv and tsv are strings; the others have what the file says.

    Raises:
        TextError: the file is ill-formed, its shape is doubtful, it lacks a column, or a value
            has a NUL character.
        MissingExtra: parquet without pyarrow.
    """
    readers = {".csv": delimited_rows, ".tsv": delimited_rows, ".parquet": _parquet_rows}
    for where, values in readers.get(file_format(path), _json_rows)(path, choose, files):
        if any(isinstance(value, str) and "\0" in value for value in values):
            raise TextError(path, f"has a NUL character in {where}", "Remove it.")
        yield where, values


def choose_text(
    path: Path, names: Sequence[str], column: str | None, option: str = "--column"
) -> int:
    """The column with the text: the named one, the only one, or the one called "text".

    Args:
        option: The flag that names it.
    """
    if not names:
        raise TextError(path, "has no header line", "Name the columns in the first line.")
    if column is not None:
        return choose_column(path, names, column, f" ({option})")
    if len(names) == 1:
        return 0
    if "text" in names:
        return choose_column(path, names, "text")
    problem = 'has several columns and none called "text"'
    raise TextError(path, problem, f"Choose one of: {', '.join(names)}. ({option})")


def choose_column(path: Path, names: Sequence[str], column: str, option: str = "") -> int:
    """The column of a name, or of a position from 0."""
    if names.count(column) > 1:
        remedy = "Rename one, or give its position, from 0."
        raise TextError(path, f"has two columns called {column!r}", remedy)
    if column in names:
        return names.index(column)
    if column.isdecimal() and int(column) < len(names):
        return int(column)
    remedy = f"Choose one of: {', '.join(names)}.{option}"
    raise TextError(path, f"has no column {column!r}", remedy)


def _json_rows(path: Path, choose: Chooser, files: FileFormat) -> Iterator[Row]:
    """Values of keys of every object; the first object says which keys there are."""
    names: list[str] | None = None
    objects = _json_items if file_format(path) == ".json" and _is_array(path) else _json_lines
    for where, row in objects(path, files.encoding):
        if names is None:
            names = [list(row)[place] for place in choose(path, list(row))]
        for name in names:
            if name not in row:
                problem = f"has no {name!r} in {where}"
                raise TextError(path, problem, f"There is: {', '.join(row)}.")
        yield where, [row[name] for name in names]


def _json_lines(path: Path, encoding: str | None) -> Iterator[tuple[str, dict[str, object]]]:
    for number, line in enumerate(read_lines(path, encoding), 1):
        if line.strip():
            where, remedy = f"line {number}", "Write one object per line."
            yield where, _as_object(path, where, _parse_json(path, where, line, remedy), remedy)


def _json_items(path: Path, encoding: str | None) -> Iterator[tuple[str, dict[str, object]]]:
    """Objects of one array, which is read whole."""
    remedy = "Write an array of objects."
    rows = _parse_json(path, "the array", "".join(read_chunks(path, encoding)), remedy)
    for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
        yield f"item {number}", _as_object(path, f"item {number}", row, remedy)


class _TwiceError(ValueError):
    """An object has two values of one name."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return row


def _parse_json(path: Path, where: str, text: str, remedy: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except _TwiceError as error:
        problem = f"has two values of {str(error)!r} in {where}"
        raise TextError(path, problem, "Rename or remove one.") from None
    except (ValueError, RecursionError) as error:
        detail = str(error).split(": line")[0]
        raise TextError(path, f"is not JSON in {where} ({detail})", remedy) from None


def _as_object(path: Path, where: str, row: object, remedy: str) -> dict[str, object]:
    if not isinstance(row, dict) or not row:
        raise TextError(path, f"has no object in {where}", remedy)
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


def _parquet_rows(path: Path, choose: Chooser, files: FileFormat) -> Iterator[Row]:
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
            if twice := [name for name in chosen if names.count(name) > 1]:
                problem = f"has two columns called {twice[0]!r}"
                raise TextError(path, problem, "Rename one.")
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
