"""The compiled library and what this processor can do."""

import ctypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class KernelStatus:
    """Which path runs the recurrences, and why."""

    compiled: bool
    instruction_set: str
    recurrences: str

    def __str__(self) -> str:
        return f"{self.recurrences} ({self.instruction_set})"


@cache
def library() -> ctypes.CDLL | None:
    """Loads the compiled library; None where the package was installed without a compiler."""
    for path in files("unrolled.kernels").iterdir():
        if path.name.startswith("unrolled_kernels."):
            return ctypes.CDLL(str(path))
    return None


def status() -> KernelStatus:
    """Says which path runs and why."""
    compiled = library()
    if compiled is None:
        return KernelStatus(False, "unknown, installed without a C++ compiler", "torch")
    compiled.unrolled_instruction_set.restype = ctypes.c_char_p
    return KernelStatus(True, compiled.unrolled_instruction_set().decode(), "torch")
