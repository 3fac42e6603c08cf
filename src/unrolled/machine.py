"""The conditions of a figure: the processor, its cores, the memory held, the versions used."""

import os
import platform
import resource
import sys
from importlib.metadata import version
from pathlib import Path


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


def peak_bytes() -> int:
    """Most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Versions that a figure depends on."""
    packages = ("unrolled", "torch", "numpy", "tokenizers", "safetensors")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
