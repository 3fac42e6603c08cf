"""Files that are whole or absent, in folders that one process at a time writes."""

import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..errors import CheckpointError

TEMPORARY = ".unrolled-tmp-"
"""What the names of our temporary folders begin with, so that a kill's are told from a user's."""


def temporary_folder(parent: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder for the time of a `with`, on the same disk as its parent."""
    return tempfile.TemporaryDirectory(dir=parent, prefix=TEMPORARY)


def remove_left_behind(folder: Path) -> None:
    """Removes the temporary folders of processes that were killed."""
    for path in folder.glob(f"{TEMPORARY}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes a folder and keeps other processes from writing it; the lock dies with its process.

    The folder itself is locked, so that nothing is added to it. Afterwards it is gone if it is new
    and still empty.

    Raises:
        CheckpointError: another process has it, or something else than a folder is there.
    """
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(folder, "is not a folder", "Choose another --out.")
    is_new = not folder.exists()
    handle = _lock(folder)
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # it holds something
                folder.rmdir()
        os.close(handle)


def _lock(folder: Path) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            problem = "is being written by another process"
            raise CheckpointError(
                folder, problem, "Wait for it, or choose another --out."
            ) from None
        except OSError:  # a network's file system without locks
            return handle
        # Whoever had it before may have removed the folder that was opened.
        if folder.exists() and os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
        os.close(handle)


def write_atomically(path: str | os.PathLike[str], write: Callable[[Path], object]) -> None:
    """Lets `write` fill a temporary file, then puts it in place: never a half-written file.

    Raises:
        OSError: it cannot be written, or something else than a file is there: a pipe, a device.
    """
    target = Path(path)
    parent = target.absolute().parent.resolve()
    device = parent == Path("/dev") or parent.is_relative_to("/proc")  # or a link to an open file
    if device or (target.exists() and not target.is_file()):
        raise OSError(errno.EINVAL, "it is not a regular file", str(target))
    target = target.resolve()  # what a link names is replaced, not the link
    target.parent.mkdir(parents=True, exist_ok=True)
    # A folder, because safetensors writes through a temporary file of its own beside the given one.
    with temporary_folder(target.parent) as folder:
        temporary = Path(folder) / target.name
        fresh = Path(folder) / ".fresh"
        fresh.touch()  # has the permissions that the user gives new files
        try:
            write(temporary)
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error), str(target)) from None
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(fresh.stat().st_mode)
        temporary.replace(target)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text as UTF-8, whole or not at all; errors as those of `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_text(text, "utf-8"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a value as JSON to be read by people too; errors as those of `write_atomically`."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """A value as such a file has it."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file's name need not be UTF-8: it is escaped then
        text = json.dumps(value, indent=2)
    return text + "\n"


def parse_json(text: str | bytes) -> Any:
    """Reads JSON.

    Raises:
        ValueError: it is none, not UTF-8, or nested so deeply that it was not written by us.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
