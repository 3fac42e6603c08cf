"""Rows of csv and tsv files, whose delimiter, quotes and header are looked for in many lines."""

import csv
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import TextError, TextWarning
from ..settings.data import FileFormat
from .files import file_format, read_lines

Chooser: TypeAlias = Callable[[Path, Sequence[str]], list[int]]
"""Chooses columns by their names, of a table that may lack them."""
Row: TypeAlias = tuple[str, list[Any]]
"""Where a row stands ("line 3"), and the values of its columns."""

MAX_CELL = 1 << 26
"""Characters of a cell; more is a quotation mark that was never closed."""
SAMPLE_LINES, SAMPLE_CHARS = 2_000, 1 << 22
"""Lines, or characters of them, that the shape is looked for in."""
DELIMITERS = ",;\t|"
REGULAR = 0.9
"""Part of the rows that have as many cells as the first, where a delimiter is the right one."""
MAX_NAME = 100
"""Characters of the name of a column; a longer one is a text."""
DECIDE = "Decide with --header or --no-header."


@dataclass(frozen=True)
class _Sample:
    """The first lines of a file, and the one that follows them, if any."""

    lines: list[str]
    following: str

    def rows(self, delimiter: str, quoted: bool) -> tuple[list[list[str]], bool]:
        """The rows that are not blank up to the first ill-formed one, and whether there is none."""
        reader, rows = _reader(self.lines, delimiter, quoted), []
        try:
            rows.extend(row for row in reader if row)
        except csv.Error:
            goes_on = bool(self.following) and reader.line_num == len(self.lines)
            return rows, goes_on
        return rows, True


def delimited_rows(path: Path, choose: Chooser, files: FileFormat) -> Iterator[Row]:
    """Reads columns of a csv or tsv file, row by row; values are strings.

    What is not said is found out: the delimiter by the number of cells, quotation marks in tsv
    where all are well-formed and needed. A delimiter that the name does not promise is said in a
    `TextWarning`; a doubt about delimiter or header is refused.

    Raises:
        TextError: the shape is doubtful, a row is ill-formed, or a column is missing.
    """
    csv.field_size_limit(MAX_CELL)
    # "\r\r\n" comes of a line end that was translated twice.
    whole = read_lines(path, files.encoding)
    lines = (re.sub("\r\r+\n$", "\n", line) for line in whole)
    skipped, said, sample = _begin(lines)
    delimiter = files.delimiter or said or _find_delimiter(path, sample)
    quoted = file_format(path) != ".tsv" or _has_quoted_cells(sample, delimiter)
    if files.header is None:
        _doubt_header(path, sample.rows(delimiter, quoted)[0])
    held = [*sample.lines, sample.following] if sample.following else sample.lines
    rows = _reader(itertools.chain(held, lines), delimiter, quoted)
    begin = skipped
    try:
        first = next(rows, [])
        begin = skipped + rows.line_num
        names = [str(place) for place in range(len(first))] if files.header is False else first
        places = choose(path, names)
        for row in itertools.chain([first], rows) if files.header is False else rows:
            line, begin = skipped + rows.line_num, skipped + rows.line_num
            if row and len(row) != len(names):
                problem = f"has {len(row)} cells in line {line}, but {len(names)} columns"
                remedy = "Correct the line, quote the cell, or name another --delimiter."
                raise TextError(path, problem, remedy)
            if row:
                yield f"line {line}", [row[place] for place in places]
    except csv.Error as error:
        problem = f"is ill-formed in the row that begins in line {begin + 1} ({error})"
        remedy = "Close its quotation marks, and double those within a cell."
        raise TextError(path, problem, remedy) from None


def _reader(lines: Any, delimiter: str, quoted: bool) -> Any:
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)


def _begin(lines: Iterator[str]) -> tuple[int, str | None, _Sample]:
    """Lines before the table, the delimiter that one of them says ("sep=;"), and a sample."""
    skipped, said, first = 0, None, ""
    for line in lines:
        text = line.strip("\r\n").strip('"')
        if len(text) == 5 and text.startswith("sep="):
            said = text[4]
        elif line.strip():
            first = line
            break
        skipped += 1
    found, num_chars = [first], len(first)
    for line in lines:
        num_chars += len(line)
        if len(found) == SAMPLE_LINES or num_chars > SAMPLE_CHARS:
            return skipped, said, _Sample(found, line)
        found.append(line)
    return skipped, said, _Sample(found, "")


def _find_delimiter(path: Path, sample: _Sample) -> str:
    """The one that the name of the file promises, unless only another cuts rows into cells."""
    own = "\t" if file_format(path) == ".tsv" else ","
    regular = [mark for mark in DELIMITERS if _is_regular(sample.rows(mark, quoted=True)[0])]
    if not regular or regular == [own]:
        return own
    if len(regular) > 1:
        problem = f"may be separated by {' or by '.join(map(repr, regular))}"
        raise TextError(path, problem, "Name one with --delimiter.")
    note = f"is read with {regular[0]!r} between its cells"
    warnings.warn(TextWarning(path, note, "Name another with --delimiter."), stacklevel=2)
    return regular[0]


def _is_regular(rows: list[list[str]]) -> bool:
    """Whether there are several columns, and nearly as many cells in every row."""
    if not rows or len(rows[0]) < 2:
        return False
    return sum(len(row) == len(rows[0]) for row in rows[1:]) >= REGULAR * (len(rows) - 1)


def _has_quoted_cells(sample: _Sample, delimiter: str) -> bool:
    """Whether a tsv file has quotation marks that belong to no cell's text.

    They are all well-formed then, and there is a reason for some: a name of a column has them, or
    a cell holds what has to be quoted.
    """
    rows, well_formed = sample.rows(delimiter, quoted=True)
    if not well_formed or not rows:
        return False
    special = {'"', delimiter, "\n", "\r"}
    inside = any(special & set(cell) for row in rows for cell in row)
    return sample.lines[0].startswith('"') or inside


def _doubt_header(path: Path, rows: list[list[str]]) -> None:
    """Refuses a first line that looks like a row of the table.

    Raises:
        TextError: it has a number, a whole sentence, or a value of the same column below.
    """
    if not rows:
        return
    names, *below = rows
    if names in below:
        problem = f"has its first line again as row {below.index(names) + 2}"
        raise TextError(path, problem, f"Remove it where files were joined. {DECIDE}")
    if names == [str(place) for place in range(len(names))]:
        return  # what pandas writes where columns have no names
    for place, name in enumerate(names):
        sentence = " " in name and name.rstrip().endswith((".", "!")) or name.endswith("。")
        if len(name) > MAX_NAME or sentence or _is_number(name):
            problem = f"may have no header line: it begins with {name[:30]!r}"
            raise TextError(path, problem, DECIDE)
        if name and any(row[place : place + 1] == [name] for row in below):
            problem = f"may have no header line: {name!r} stands in its first line and below"
            raise TextError(path, problem, DECIDE)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
