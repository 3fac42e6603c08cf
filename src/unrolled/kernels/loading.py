"""The compiled library, and its functions by name, precision and instruction set."""

import ctypes
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

PRECISIONS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
TILE_PRODUCT = "_ZN2at6native7cpublas6brgemmEllllllbPKN3c108BFloat16ES5_Pfb"
TILE_RELEASE = "_ZN2at6native7cpublas14brgemm_releaseEb"
"""Torch's products of tiles, see tiles.h: no public interface, so perhaps not there."""


@cache
def library() -> ctypes.CDLL | None:
    """Loads the compiled library; None where the package was installed without a compiler."""
    for path in files("unrolled.kernels").iterdir():
        if path.name.startswith("unrolled_kernels."):
            found = ctypes.CDLL(str(path))
            if hasattr(_torch(), TILE_PRODUCT) and hasattr(_torch(), TILE_RELEASE):
                found.unrolled_use_tiles(*map(_address, (TILE_PRODUCT, TILE_RELEASE)))
            return found
    return None


def call_on(isa: str | None, name: str, dtype: torch.dtype, *arguments: int | Tensor | None) -> int:
    """Calls a kernel of an instruction set and a precision with torch's threads.

    Args:
        arguments: Whole numbers, contiguous tensors, and None for what is not wanted.
    """
    function = _function(name, PRECISIONS[dtype], isa, len(arguments) + 2)
    values = [0 if value is None else _number(value) for value in arguments]
    parallel_for = _address("torch_parallel_for").value  # its threads are ours
    return function(parallel_for, torch.get_num_threads(), *values)


def pack_on(
    isa: str | None, name: str, weight: Tensor, dtype: torch.dtype, num_gates: int = 1
) -> Tensor:
    """Lays a weight `(gates * H, inputs)` out as the way forward of a recurrence reads it."""
    sizes = weight.shape[1], weight.shape[0] // num_gates
    packed = torch.empty(call_on(isa, f"{name}_packed_size", dtype, *sizes), dtype=dtype)
    call_on(isa, f"{name}_pack", dtype, *sizes, weight.contiguous(), packed)
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
def _torch() -> ctypes.CDLL:
    return ctypes.CDLL(str(next((Path(torch.__file__).parent / "lib").glob("*torch_cpu.*"))))


@cache
def _address(name: str) -> ctypes.c_void_p:
    """Where a function of torch lies."""
    return ctypes.cast(getattr(_torch(), name), ctypes.c_void_p)
