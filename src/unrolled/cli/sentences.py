"""Texts to be read one by one: lines of standard input or of a file, rows of a table."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import TextError


def name_of(file: str) -> str:
    """What a file is called in messages."""
    return "standard input" if file == "-" else Path(file).name


def read_sentences(file: str, column: str | None = None) -> Iterator[str]:
    """The texts of a file or of "-", blank ones left out.

    Raises:
        TextError: there is none, or the file cannot be read.
    """
    sentences = read_lines() if file == "-" else _rows(file, column)
    visible = (sentence for sentence in sentences if sentence.strip())
    first = next(visible, None)
    if first is None:
        raise TextError(name_of(file), "holds no sentence", "Give one per line.")
    return itertools.chain([first], visible)


def read_lines() -> Iterator[str]:
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


def _rows(file: str, column: str | None) -> Iterator[str]:
    """Lines of a text or cells of a table in any encoding."""
    from ..text.files import find_files, read_documents

    yield from read_documents(find_files([file]), column, documents="line")
