"""Files that are whole or absent."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

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
        raise OSError(errno.EINVAL, "it is no regular file", str(target))
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
