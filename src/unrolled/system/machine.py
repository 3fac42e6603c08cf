"""The machine under a figure: processor, threads, memory, versions."""

import ctypes
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutOfMemory

NO_MEMORY = re.compile("allocate memory|bad_alloc|Storage size calculation overflowed")
"""What torch says instead of MemoryError."""
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, see mallopt(3)."""
UNLIMITED, OLD_LIMIT = 2**31 - 1, 2**25
"""Of a threshold; older versions of the library take no more than 32 MB for MMAP_THRESHOLD."""


def machine() -> str:
    """The processor and its cores, in words."""
    name = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().split("\n")
        names = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
        name = next(names, name)
    return f"{name or 'unknown processor'}, {num_cores()} cores"


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def others_processor_seconds() -> float:
    """Processor time that other processes took since the machine began, on the cores of this one.

    What a hypervisor gave to other machines counts too. Differences of it are what is meant.
    """
    import psutil  # `unrolled --help` has no use for it

    cores = psutil.cpu_times(percpu=True)
    if hasattr(os, "sched_getaffinity"):
        cores = [cores[number] for number in os.sched_getaffinity(0) if number < len(cores)]
    # A guest's time is part of the user's; waiting for a disk leaves the processor to others.
    busy = (each._asdict() for each in cores)
    idle = {"idle", "iowait", "guest", "guest_nice"}
    total = sum(value for row in busy for name, value in row.items() if name not in idle)
    own = psutil.Process().cpu_times()
    return total - own.user - own.system


def process_began() -> float:
    """`time.monotonic()` when this process began: Python and torch were not loaded then."""
    import psutil

    return time.monotonic() - (time.time() - psutil.Process().create_time())


def peak_bytes() -> int:
    """Most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Versions that a figure depends on."""
    from importlib.metadata import version  # slow to import: `unrolled --help` has no use for it

    packages = ("unrolled", "torch", "numpy", "tokenizers", "safetensors")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


@contextmanager
def using_threads(number: int) -> Iterator[None]:
    """Sets torch's threads, and afterwards what they were."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def naming_lack_of_memory() -> Iterator[None]:
    """Raises OutOfMemory where Python or torch, in words of its own, found too little memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_lack_of_memory(error):
            raise OutOfMemory from None
        raise


def is_lack_of_memory(error: Exception) -> bool:
    """Whether it is Python's or torch's way to say so."""
    says_so = isinstance(error, RuntimeError) and NO_MEMORY.search(str(error)) is not None
    return says_so or isinstance(error, MemoryError)


FEW_ROWS, FEW_TOKENS = 4, 4096
"""Read on one thread: what others would save there they lose in waiting."""


@contextmanager
def threads_for(num_rows: int, num_tokens: int) -> Iterator[None]:
    """One thread for few rows and tokens, and afterwards torch's own number; else that number."""
    if num_rows > FEW_ROWS or num_tokens > FEW_TOKENS:
        yield
        return
    with using_threads(1):
        yield


def bound_spinning() -> None:
    """Lets threads that wait for others go to sleep soon, where the user has not decided.

    As it comes, GNU OpenMP lets them spin for milliseconds: beside another busy process a step
    takes up to twenty times as long. Heard only before torch is loaded.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, for its next tensors.

    As it comes, the GNU C library gives large blocks back to the system at once; the next tensor
    of that size then begins with thousands of page faults, in every step of a training. For
    processes that are ours alone: the memory of somebody else's is not ours to keep.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # Musl has none. One threshold set alone would keep the library from adapting the other.
    if mallopt and any(mallopt(MMAP_THRESHOLD, limit) for limit in (UNLIMITED, OLD_LIMIT)):
        mallopt(TRIM_THRESHOLD, UNLIMITED)
