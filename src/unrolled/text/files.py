"""Finds text files and tables, opens them, and reads their text."""

import gzip
import io
import itertools
import os
import sys
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import TextError, TextWarning
from .encodings import decode, looks_like_text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STANDARD_INPUT = Path("-")
COMPRESSED = {".gz", ".zst"}
OWN = (
    {"config.json", "tokenizer.json"},
    {"train.ids"},
    {"classifier.safetensors"},
    {"results.json", "report.html"},
    {"comparison.json", "report.html"},
)
"""Files by which a folder of results is known: what it holds is not the user's text."""


def find_files(paths: Sequence[str], encoding: str | None = None) -> list[Path]:
    """Finds the files of a list of files and folders, each file once.

    Folders are searched to any depth in the order of names; hidden files, empty files and files
    that are neither text nor table are passed over, and so are folders that a command of ours
    wrote, which is said in a `TextWarning`. "-" is standard input.

    Raises:
        TextError: a path does not exist or may not be read, or a folder has no readable text.
    """
    found: dict[Path, None] = {}
    for name in paths:
        path = Path(name)
        if name == str(STANDARD_INPUT):
            found[STANDARD_INPUT] = None
        elif path.is_dir():
            inside = [file for file in _walk(path) if _is_readable(file, encoding)]
            if not inside:
                raise TextError(path, "holds no readable text", "Give a folder with text files.")
            found |= dict.fromkeys(inside)
        elif path.is_file():
            found[_apart(path)] = None
        elif path.exists():
            raise TextError(path, "is not a regular file", 'Pipe it in and write "-".')
        else:
            raise TextError(path, "does not exist", "Check the path.")
    return list(found)


def _apart(path: Path) -> Path:
    """A file that is called "-" itself is not taken for standard input."""
    return path.absolute() if path == STANDARD_INPUT else path


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder, onerror=_refuse):
        if Path(root) != folder and any(own <= set(names) for own in OWN):
            note = "is a folder of results and was passed over"
            remedy = "Name it, to read the text in it."
            warnings.warn(TextWarning(root, note, remedy), stacklevel=2)
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = (name for name in sorted(names) if not name.startswith("."))
        yield from (_apart(Path(root, name)) for name in shown)


def _refuse(error: OSError) -> None:
    reason = error.strerror or str(error)
    remedy = "Change its permissions, or name the files to read."
    raise TextError(error.filename, f"cannot be read ({reason})", remedy)


def _is_readable(path: Path, encoding: str | None) -> bool:
    """Whether a file that the user did not name looks like text."""
    if not path.is_file() or not path.stat().st_size:
        return False
    if file_format(path) == ".parquet":
        return True
    with open_bytes(path) as file:
        return looks_like_text(path, file, encoding)


def file_format(path: Path) -> str:
    """Returns the suffix that says how to read a file, ".gz" and ".zst" set aside."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def source_name(path: Path) -> str:
    """What a file is called in messages."""
    return "standard input" if path == STANDARD_INPUT else str(path)


def title_of(names: Sequence[str]) -> str:
    """What a report about files and folders is called: their names, without where they lie."""
    return ", ".join(source_name(Path(Path(name).name)) for name in names)


class _AsItWas(io.RawIOBase):
    """A file as long as it was when it was opened, however it grows while it is read."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        # What is no file on a disk may not know its length.
        self._length = os.fstat(self._file.fileno()).st_size or sys.maxsize

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            return self._file.seek(self._length + offset)
        return self._file.seek(offset, whence)

    def readinto(self, buffer: memoryview) -> int | None:  # pyrefly: ignore
        left = max(0, self._length - self._file.tell())
        return self._file.readinto(memoryview(buffer)[:left])

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Opens a file or standard input, uncompressed on the way.

    Raises:
        TextError: it cannot be read, or its compression is damaged (also while reading).
    """
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise TextError("standard input", "is closed", "Name a file, or pipe text in.")
        yield sys.stdin.buffer
        return
    opener = {".gz": gzip.open, ".zst": zstd.open}.get(path.suffix.lower())
    try:
        with io.BufferedReader(_AsItWas(path)) as file:
            if opener is None:
                yield cast(BinaryIO, file)
            else:
                with opener(file, "rb") as unpacked:
                    yield cast(BinaryIO, unpacked)
    except (EOFError, gzip.BadGzipFile, zlib.error, zstd.ZstdError) as error:
        problem = f"is damaged or not {path.suffix[1:]} at all ({error})"
        raise TextError(path, problem, "Make or fetch the file again.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise TextError(path, f"cannot be read ({reason})", "Check the file.") from None


def read_chunks(path: Path, encoding: str | None = None, live: bool = False) -> Iterator[str]:
    """Decodes the text of a file or of standard input in chunks: see `decode`.

    Line ends stay as they are, unless all are carriage returns: those become line feeds.

    Raises:
        TextError: the file is empty, binary or undecodable.
    """
    with open_bytes(path) as file:
        chunks = decode(source_name(path), file, encoding, live)
        first = next(chunks, "")
        if "\r" in first[:-1] and "\n" not in first:
            newlines = io.IncrementalNewlineDecoder(None, translate=True)
            for chunk in itertools.chain([first], chunks):
                yield newlines.decode(chunk)
            yield newlines.decode("", final=True)
        elif first:
            yield first
            yield from chunks


def read_lines(path: Path, encoding: str | None = None, live: bool = False) -> Iterator[str]:
    """Lines of a text with their ends, cut at line feeds only; errors as those of `read_chunks`."""
    begun: list[str] = []
    for chunk in read_chunks(path, encoding, live):
        *lines, rest = chunk.split("\n")
        for line in lines:
            yield "".join([*begun, line, "\n"])
            begun.clear()
        begun.append(rest)
    if last := "".join(begun):
        yield last
