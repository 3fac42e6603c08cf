"""Standard input as text."""

import sys
from collections.abc import Iterator

from ..errors import TextError


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
