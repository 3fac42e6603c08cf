"""The compiled recurrences: which path runs on this processor, and how it is called."""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from ..errors import ConfigError

INSTRUCTION_SETS = ("avx512_bf16", "avx512", "avx2", "portable")
"""Best first; each is compiled where the compiler knows it."""
PRECISIONS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
GATES = {"elman": 1, "gru": 3, "lstm": 4, "linear_log_probs": 1}
VARIABLE = "UNROLLED_ISA"


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


@cache
def available() -> tuple[str, ...]:
    """Instruction sets that were compiled and that this processor has, best first."""
    compiled = library()
    if compiled is None:
        return ()
    return tuple(
        name for name in INSTRUCTION_SETS if compiled.unrolled_can_run(name.encode("ascii"))
    )


@cache
def instruction_set() -> str | None:
    """The one in use: the best, or what UNROLLED_ISA names; None without the compiled library.

    Raises:
        ConfigError: UNROLLED_ISA names one that this processor or build does not have.
    """
    asked = os.environ.get(VARIABLE)
    if asked and asked not in available():
        choices = ", ".join(available()) or "none, since there is no compiled library"
        raise ConfigError(VARIABLE, f"one of those that run here ({choices})", asked, "Unset it.")
    return asked or next(iter(available()), None)


def status() -> KernelStatus:
    """Says which path runs and why."""
    name = instruction_set()
    if name is None:
        return KernelStatus(False, "installed without a C++ compiler", "torch")
    why = f"forced by {VARIABLE}" if os.environ.get(VARIABLE) else "the best of this processor"
    recurrences = (
        "compiled kernels; torch in bfloat16, for AMX" if has_amx() else "compiled kernels"
    )
    return KernelStatus(True, f"{name}, {why}", recurrences)


@cache
def has_amx() -> bool:
    """Whether torch's own layers multiply bfloat16 in AMX tiles; the kernels do not yet."""
    compiled = library()
    forced = os.environ.get(VARIABLE)
    return compiled is not None and not forced and bool(compiled.unrolled_has_amx())


def supports(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernels compute on a device in a precision."""
    if device.type != "cpu" or instruction_set() is None:
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bfloat16_works())


def bfloat16_works() -> bool:
    """Whether the kernels multiply bfloat16: only with instructions for it is that faster."""
    return instruction_set() == "avx512_bf16"


def call(name: str, dtype: torch.dtype, *arguments: int | Tensor | None) -> int:
    """Calls a kernel of this precision with torch's threads; tensors go as their addresses.

    Args:
        arguments: Whole numbers, contiguous tensors, and None for what is not wanted.
    """
    function = _function(name, PRECISIONS[dtype], instruction_set(), len(arguments) + 2)
    values = [0 if value is None else _number(value) for value in arguments]
    return function(_parallel_for(), torch.get_num_threads(), *values)


def pack(name: str, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Lays a weight `(gates * H, inputs)` out as the way forward of a recurrence reads it."""
    sizes = weight.shape[1], weight.shape[0] // GATES[name]
    packed = torch.empty(call(f"{name}_packed_size", dtype, *sizes), dtype=dtype)
    call(f"{name}_pack", dtype, *sizes, weight.contiguous(), packed)
    return packed


def _number(value: int | Tensor) -> int:
    return value if isinstance(value, int) else value.data_ptr()


@cache
def _function(name: str, precision: str, isa: str | None, num_arguments: int) -> Callable[..., int]:
    function = getattr(library(), f"unrolled_{name}_{precision}_{isa}")
    # Addresses too are whole numbers of 64 bits.
    function.restype, function.argtypes = ctypes.c_int64, [ctypes.c_int64] * num_arguments
    return function


@cache
def _parallel_for() -> int:
    """The address of torch's own `torch_parallel_for`: its threads are ours."""
    path = next((Path(torch.__file__).parent / "lib").glob("*torch_cpu.*"))
    found = ctypes.cast(ctypes.CDLL(str(path)).torch_parallel_for, ctypes.c_void_p).value
    assert found is not None
    return found
