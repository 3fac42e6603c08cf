"""Rows of tables: csv, tsv, jsonl, ndjson and parquet."""

import csv
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import MissingExtra, TextError
from .files import COMPRESSED, file_format, open_bytes, read_chunks

MAX_CELL = 1 << 26
"""Characters of a csv cell; more is a quotation mark that was never closed."""

Chooser: TypeAlias = Callable[[Path, Sequence[str]], list[int]]
"""Chooses columns by their names, of a table that may lack them."""
Row: TypeAlias = tuple[str, list[Any]]
"""Where a row stands ("line 3"), and the values of its columns."""


def read_rows(path: Path, choose: Chooser) -> Iterator[Row]:
    """Reads columns of a csv, tsv, jsonl, ndjson or parquet file, row by row.

    Values of csv and tsv are strings; the others have what the file says.

    Raises:
        TextError: the file is ill-formed, or lacks a column.
        MissingExtra: parquet without pyarrow.
    """
    readers = {".csv": _csv_rows, ".tsv": _csv_rows, ".parquet": _parquet_rows}
    return readers.get(file_format(path), _json_rows)(path, choose)


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
        return names.index("text")
    problem = 'has several columns and none called "text"'
    raise TextError(path, problem, f"Choose one of: {', '.join(names)}. ({option})")


def choose_column(path: Path, names: Sequence[str], column: str, option: str = "") -> int:
    """The column of a name, or of a position from 0."""
    if column in names:
        return names.index(column)
    if column.isdecimal() and int(column) < len(names):
        return int(column)
    remedy = f"Choose one of: {', '.join(names)}.{option}"
    raise TextError(path, f"has no column {column!r}", remedy)


def read_lines(path: Path) -> Iterator[str]:
    """Lines with their ends, cut at line feeds only."""
    rest = ""
    for chunk in read_chunks(path):
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            yield line + "\n"
    if rest:
        yield rest


def _csv_rows(path: Path, choose: Chooser) -> Iterator[Row]:
    """Rows of a csv file with quotes, or of a tsv file, which has none."""
    csv.field_size_limit(MAX_CELL)
    lines = read_lines(path)
    head = next(lines, "")
    rows = csv.reader(itertools.chain([head], lines), **_dialect(path, head))
    try:
        names = next((row for row in rows if row), [])
        places = choose(path, names)
        for row in rows:
            if row and len(row) != len(names):
                problem = f"has {len(row)} cells in line {rows.line_num}, but {len(names)} columns"
                raise TextError(path, problem, "Correct the line, or quote the cell.")
            if row:
                yield f"line {rows.line_num}", [row[place] for place in places]
    except csv.Error as error:
        problem = f"is ill-formed at line {rows.line_num} ({error})"
        raise TextError(path, problem, "Correct the line, or its quotation marks.") from None


def _dialect(path: Path, head: str) -> dict[str, Any]:
    if file_format(path) == ".tsv":
        return {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    # Where the comma is the decimal mark, spreadsheets write semicolons.
    return {"delimiter": ";" if ";" in head and "," not in head else ",", "strict": True}


def _json_rows(path: Path, choose: Chooser) -> Iterator[Row]:
    """Values of keys of every object; the first object says which keys there are."""
    names: list[str] | None = None
    for number, line in enumerate(read_lines(path), 1):
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
