"""What a command reads: files, and standard input where a file is called "-"."""

import itertools
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import TextError
from ..settings.data import DataConfig

STANDARD_INPUT = "-"


@contextmanager
def saved_input(config: DataConfig, out: Path | None = None) -> Iterator[DataConfig]:
    """Saves standard input, where it is asked for, in a file for the time of a command.

    Args:
        config: May have "-" among its texts.
        out: What the command writes; the file is on the same disk, which has to be large enough
            for the text anyway. Default: where temporary files are.

    Yields:
        The configuration with the file in place of "-".
    """
    if STANDARD_INPUT not in (*config.texts, *config.valid, *config.test):
        yield config
        return
    folder = out and next(parent for parent in out.absolute().parents if parent.is_dir())
    with TemporaryDirectory(prefix=".unrolled-", dir=folder) as temporary:
        path = Path(temporary) / "standard-input"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)

        def named(texts: Sequence[str]) -> tuple[str, ...]:
            return tuple(str(path) if text == STANDARD_INPUT else text for text in texts)

        yield replace(
            config, texts=named(config.texts), valid=named(config.valid), test=named(config.test)
        )


def name_of(file: str) -> str:
    """What a file is called in messages."""
    return "standard input" if file == STANDARD_INPUT else Path(file).name


def read_sentences(file: str, column: str | None = None) -> Iterator[str]:
    """The texts of a file or of "-", blank ones left out.

    Raises:
        TextError: there is none, or the file cannot be read.
    """
    sentences = read_lines() if file == STANDARD_INPUT else _rows(file, column)
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
    from ..text.documents import read_documents
    from ..text.files import find_files

    yield from read_documents(find_files([file]), column, documents="line")
