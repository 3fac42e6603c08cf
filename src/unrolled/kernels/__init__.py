"""The compiled library: which path runs on this processor, and how an operator calls it."""

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import functional as F

from ..errors import ConfigError, TensorError
from ..system.machine import using_threads

Function = TypeVar("Function", bound=Callable[..., Any])

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
    if isinstance(value, int):
        return value
    assert value.is_cpu and value.is_contiguous()
    if value.is_neg():  # its memory holds the numbers with the other sign
        raise TensorError("a tensor", "no negated view", "one", "Copy it with .resolve_neg().")
    return value.data_ptr()


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


TILES = "amx_bf16"
INSTRUCTION_SETS = (TILES, "avx512_bf16", "avx512", "avx2", "portable")
"""Best first; each is compiled where the compiler knows it."""
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
def available() -> tuple[str, ...]:
    """Instruction sets that were compiled and that this processor has, best first."""
    return tuple(name for name in _compiled() if name != TILES or _tiles_agree())


@cache
def _compiled() -> tuple[str, ...]:
    """The same, the tiles not yet tested: that takes some milliseconds."""
    found = library()
    if found is None:
        return ()
    return tuple(name for name in INSTRUCTION_SETS if found.unrolled_can_run(name.encode("ascii")))


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
    others = (name for name in _compiled() if name != TILES)
    return asked or (TILES if _fastest() == TILES else next(others, None))


def status() -> KernelStatus:
    """Says which path runs and why."""
    name = instruction_set()
    if name is None:
        return KernelStatus(False, "installed without a C++ compiler", "torch")
    why = f"forced by {VARIABLE}" if os.environ.get(VARIABLE) else "the best of this processor"
    torch_too = "compiled kernels; torch in bfloat16, where it is faster"
    recurrences = torch_too if torch_is_faster() else "compiled kernels"
    return KernelStatus(True, f"{name}, {why}", recurrences)


def constant_when_compiled(function: Function) -> Function:
    """`torch.compiler.assume_constant_result`, which imports a second of compiler to say so."""
    function._dynamo_marked_constant = True  # pyrefly: ignore[missing-attribute]
    return function


@constant_when_compiled
@cache
def torch_is_faster() -> bool:
    """Whether torch's own layers are the faster ones in bfloat16, on a processor with AMX."""
    return library() is not None and not os.environ.get(VARIABLE) and _fastest() == "torch"


@constant_when_compiled
def supports(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernels compute on a device in a precision.

    Not in forward-mode differentiation: torch's functions carry tangents along, kernels do not.
    """
    if device.type != "cpu" or forward_mode() or instruction_set() is None:
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bfloat16_works())


def forward_mode() -> bool:
    """Whether derivatives are carried forward, as `torch.func.jvp` does."""
    return forward_ad._current_level >= 0  # torch has no public name for it


def bfloat16_works() -> bool:
    """Whether the kernels multiply bfloat16: only with instructions for it is that faster."""
    return instruction_set() in (TILES, "avx512_bf16")


def call(name: str, dtype: torch.dtype, *arguments: int | Tensor | None) -> int:
    """Calls a kernel of this precision with torch's threads; tensors go as their addresses.

    Args:
        arguments: Whole numbers, contiguous tensors, and None for what is not wanted.
    """
    return call_on(instruction_set(), name, dtype, *arguments)


def pack(name: str, weight: Tensor, dtype: torch.dtype, num_gates: int = 1) -> Tensor:
    """Lays a weight `(gates * H, inputs)` out as the way forward of a recurrence reads it."""
    return pack_on(instruction_set(), name, weight, dtype, num_gates)


class _Sample:
    """The way forward of an LSTM layer, small enough to run now and then."""

    def __init__(self, num_steps: int, width: int) -> None:
        rng = torch.Generator().manual_seed(0)
        self.sizes = num_steps, 64, 64 * torch.arange(num_steps + 1), width, width
        self.x = torch.randn(num_steps, 64, width, generator=rng)
        self.weights = torch.randn(2, 4 * width, width, generator=rng) / width**0.5

    def on(self, isa: str | None, dtype: torch.dtype = torch.bfloat16) -> Callable[[], Tensor]:
        """Prepares it for an instruction set; the function gives y `(T, B, H)`."""
        packed = [pack_on(isa, "lstm", weight, dtype, num_gates=4) for weight in self.weights]
        x = self.x.to(dtype)
        states, bias = torch.zeros(2, 64, self.sizes[-1]), torch.zeros(len(self.weights[0]))
        gates = torch.empty(*x.shape[:2], 4 * self.sizes[-1], dtype=dtype)
        cells, y = torch.empty_like(x), torch.empty_like(x)

        def run() -> Tensor:
            call_on(
                *(isa, "lstm_forward", dtype, *self.sizes, 0, x, *packed),
                *(bias, None, *states.zero_(), gates, cells, y),
            )
            return y

        return run

    def on_torch(self) -> Callable[[], Tensor]:
        """The same by torch's own layer."""
        state = torch.zeros(2, 1, 64, self.sizes[-1])
        bias = torch.zeros(len(self.weights[0]))
        weights = [weight.clone().requires_grad_() for weight in self.weights]

        def run() -> Tensor:
            with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16):
                given = (*weights, bias, bias)
                return torch.lstm(self.x, tuple(state), given, True, 1, 0.0, True, False, False)[0]

        return run


def _tiles_agree() -> bool:
    """Whether torch's products of tiles give what the kernels' own give."""
    sample = _Sample(num_steps=3, width=40)
    tiles, own = (sample.on(isa)().float() for isa in (TILES, "avx512_bf16"))
    return bool((tiles - own).norm() < 0.01 * own.norm())


@cache
def _fastest() -> str | None:
    """What computes a layer in bfloat16 soonest on a processor with AMX; None without AMX."""
    compiled = library()
    if compiled is None or not compiled.unrolled_has_amx():
        return None
    sample = _Sample(num_steps=16, width=256)
    names = [name for name in available() if name in (TILES, "avx512_bf16")]
    return _race({name: sample.on(name) for name in names} | {"torch": sample.on_torch()})


def _race(ways: dict[str, Callable[[], Tensor]]) -> str:
    """The name of the one that takes least on one thread, each at its best of four runs in turn."""
    seconds: dict[str, float] = {}
    with using_threads(1):
        for _ in range(4):
            for name, run in ways.items():
                began = time.perf_counter()
                run()
                seconds[name] = min(seconds.get(name, 1e9), time.perf_counter() - began)
    return min(seconds, key=lambda name: seconds[name])


def precision(x: Tensor, *parameters: Tensor) -> torch.dtype | None:
    """What the kernels compute in, by autocast and processor; None where torch has to do it."""
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu")
    if any(p.dtype != torch.float32 for p in parameters):
        return None
    if not supports(x.device, torch.float32):
        return None
    if autocast == torch.bfloat16 and torch_is_faster():
        return None
    if autocast == torch.bfloat16 and supports(x.device, torch.bfloat16):
        return torch.bfloat16
    return torch.float32


def input_type(weight: Tensor) -> torch.dtype:
    """The type that a recurrence with such weights reads its inputs in."""
    return precision(weight, weight) or weight.dtype


def operator(differentiable: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    """The torch operator where gradients or a graph are wanted; else what it calls, at once."""
    wanted = torch.is_grad_enabled() or torch.compiler.is_compiling()
    return differentiable if wanted else plain


def even(x: Tensor, dtype: torch.dtype) -> Tensor:
    """A column of zeros more where there must be an even number: bfloat16 goes in pairs."""
    odd = x.shape[-1] % 2 and dtype == torch.bfloat16
    return F.pad(x, (0, 1)) if odd else x.contiguous()


def or_zeros(gradients: Sequence[Tensor | None], of: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of some results; zeros for those that nothing depends on."""
    pairs = zip(gradients, of, strict=True)
    return [torch.zeros_like(value) if grad is None else grad for grad, value in pairs]


def gradients_by_torch(
    run: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Gradients that can be differentiated once more, which those of a kernel cannot.

    Args:
        run: An operator by torch's functions.
        inputs: Of the call, as autograd saved them.
        gradients: Of its results.

    Returns:
        One for each input; None where none is wanted.
    """
    # What one input was made from is another one's business: a gradient ends at each.
    ends = [x.view_as(x) for x in inputs]
    pairs = zip(run(*ends), gradients, strict=True)
    known = [(y, grad.to(y.dtype)) for y, grad in pairs if grad is not None and y.requires_grad]
    wanted = [end for end in ends if end.requires_grad]
    results, of_results = zip(*known, strict=True)
    found = iter(
        torch.autograd.grad(results, wanted, of_results, create_graph=True, allow_unused=True)
    )
    return [next(found) if end.requires_grad else None for end in ends]


def copy(x: Tensor) -> Tensor:
    """A contiguous copy, for a kernel to write into."""
    return x.clone(memory_format=torch.contiguous_format)
