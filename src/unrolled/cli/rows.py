"""The rows of an input, and a result for each: `score`, `classify predict`, `classify explain`."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from ..errors import ConfigError, TextError
from ..settings.data import FileFormat
from ..text.files import find_files, read_lines
from ..text.tables import choose_column, choose_text, is_table, is_text, read_rows
from .options import name_of

Result = TypeVar("Result")
Cells: TypeAlias = tuple[str, dict[str, object]]
"""The text of a row and what is carried along."""
MAX_CHARS = 1 << 24
"""Characters of a text whose every token is shown or kept: about 300 MB of memory."""


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
    file: str,
    column: str | None = None,
    keep: Sequence[str] = (),
    option: str = "--column",
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> Iterator[Row]:
    """The rows of a file or of "-", in order, blank ones too.

    Args:
        column: Of a table, by name or position: the one with the text.
        keep: Columns to carry along.
        option: The flag that `column` is from.
        files: What the file does not say of itself.

    Raises:
        TextError: there is no text, one is longer than `MAX_CHARS`, or the file cannot be read.
        ConfigError: columns are to be kept of what has none.
    """
    parts = [
        _table_rows(path, column, keep, option, files)
        if is_table(path)
        else _text_rows(path, keep, files)
        for path in find_files([file], files.encoding)
    ]
    numbered = enumerate(itertools.chain.from_iterable(parts), 1)
    rows = (_row(file, number, text, kept) for number, (text, kept) in numbered)
    begun: list[Row] = []
    for row in rows:
        begun.append(row)
        if row.text:
            return itertools.chain(begun, rows)
    raise TextError(name_of(file), "holds no sentence", "Give one per line.")


def _row(file: str, number: int, text: str, kept: dict[str, object]) -> Row:
    if len(text) > MAX_CHARS:
        problem = f"has a text of more than {MAX_CHARS:,} characters in row {number}"
        raise TextError(name_of(file), problem, "Cut it into lines or rows.")
    return Row(number, text if text.strip() else "", kept)


def _text_rows(path: Path, keep: Sequence[str], files: FileFormat) -> Iterator[Cells]:
    if keep:
        raise ConfigError("keep", "left out for a text", keep[0], "A table has columns to keep.")
    for line in read_lines(path, files.encoding, live=True):
        yield line.rstrip("\r\n"), {}


def _table_rows(
    path: Path, column: str | None, keep: Sequence[str], option: str, files: FileFormat
) -> Iterator[Cells]:
    names: list[str] = []

    def choose(path: Path, columns: Sequence[str]) -> list[int]:
        places = [choose_text(path, columns, column, option)]
        places += [choose_column(path, columns, name, " (--keep)") for name in keep]
        names.extend(columns[place] for place in places)
        return places

    for where, (text, *kept) in read_rows(path, choose, files):
        if text is not None and not is_text(text):
            problem = f"has no proper text as {names[0]!r} in {where}"
            raise TextError(path, problem, f"Name a column that holds strings with {option}.")
        yield text or "", dict(zip(names[1:], kept, strict=True))


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
