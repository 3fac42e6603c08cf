"""The rows of an input, and a result for each: `score`, `classify predict`, `classify explain`."""

import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from ..errors import ConfigError, TextError
from ..text.files import TABLES, file_format, find_files
from ..text.tables import choose_column, choose_text, is_text, read_lines, read_rows
from .options import STANDARD_INPUT, name_of

Result = TypeVar("Result")
Cells: TypeAlias = tuple[str, dict[str, object]]
"""The text of a row and what is carried along."""


@dataclass(frozen=True)
class Row:
    """A line of a text, or a row of a table."""

    number: int
    """From 1; blank lines of a text count, the heading of a table does not."""
    text: str
    """Empty where there is none to be seen."""
    kept: dict[str, object]
    """Columns that are carried along, by name."""


def input_rows(
    file: str, column: str | None = None, keep: Sequence[str] = (), option: str = "--column"
) -> Iterator[Row]:
    """The rows of a file or of "-", in order, blank ones too.

    Args:
        column: Of a table, by name or position: the one with the text.
        keep: Columns to carry along.
        option: The flag that `column` is from.

    Raises:
        TextError: there is no text, or the file cannot be read.
        ConfigError: columns are to be kept of what has none.
    """
    if file == STANDARD_INPUT:
        parts = [_text_rows(input_lines(), keep)]
    else:
        parts = [_file_rows(path, column, keep, option) for path in find_files([file])]
    numbered = enumerate(itertools.chain.from_iterable(parts), 1)
    rows = (Row(number, text, kept) for number, (text, kept) in numbered)
    begun: list[Row] = []
    for row in rows:
        begun.append(row)
        if row.text:
            return itertools.chain(begun, rows)
    raise TextError(name_of(file), "holds no sentence", "Give one per line.")


def _file_rows(path: Path, column: str | None, keep: Sequence[str], option: str) -> Iterator[Cells]:
    if file_format(path) in TABLES:
        return _table_rows(path, column, keep, option)
    return _text_rows(read_lines(path), keep)


def _text_rows(lines: Iterable[str], keep: Sequence[str]) -> Iterator[Cells]:
    if keep:
        raise ConfigError("keep", "left out for a text", keep[0], "A table has columns to keep.")
    for line in lines:
        yield line.rstrip("\r\n") if line.strip() else "", {}


def _table_rows(
    path: Path, column: str | None, keep: Sequence[str], option: str
) -> Iterator[Cells]:
    names: list[str] = []

    def choose(path: Path, columns: Sequence[str]) -> list[int]:
        places = [choose_text(path, columns, column, option)]
        places += [choose_column(path, columns, name, " (--keep)") for name in keep]
        names.extend(columns[place] for place in places)
        return places

    for where, (text, *kept) in read_rows(path, choose):
        if text is not None and not is_text(text):
            problem = f"has no proper text as {names[0]!r} in {where}"
            raise TextError(path, problem, f"Name a column that holds strings with {option}.")
        seen = text if text and text.strip() else ""
        yield seen, dict(zip(names[1:], kept, strict=True))


def input_lines() -> Iterator[str]:
    """Lines of standard input as they come, without their ends.

    Raises:
        TextError: a line is not UTF-8.
    """
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            source = f"line {number} of standard input"
            raise TextError(source, "is not UTF-8", "Convert it, or give a file.") from None


def with_results(
    rows: Iterable[Row], answer: Callable[[Iterator[str]], Iterator[Result]]
) -> Iterator[tuple[Row, Result | None]]:
    """Each row with its result, in order; None where it has no text.

    Args:
        answer: Turns texts into as many results, in their order; it may read ahead.
    """
    waiting: deque[Row] = deque()

    def texts() -> Iterator[str]:
        for row in rows:
            waiting.append(row)
            if row.text:
                yield row.text

    for result in answer(texts()):
        while not waiting[0].text:
            yield waiting.popleft(), None
        yield waiting.popleft(), result
    yield from ((row, None) for row in waiting)
