"""Finds text files and tables, and opens them."""

import gzip
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import TextError
from .encodings import NoText, detect_encoding, read_text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}
COMPRESSED = {".gz", ".zst"}


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


def read_chunks(path: Path) -> Iterator[str]:
    """Decodes the text of a file in chunks, the encoding found out first.

    Raises:
        TextError: the file is empty, binary or undecodable.
    """
    with open_bytes(path) as file:
        encoding = detect_encoding(path, file)
    with open_bytes(path) as file:
        yield from read_text(path, file, encoding)
