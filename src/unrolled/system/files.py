"""Files that are whole or absent."""

import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError


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
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
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
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a file's name need not be UTF-8: it is escaped then
        text = json.dumps(value, indent=2)
    write_text(path, text + "\n")
