"""Memory that is freed is used again, and too little of it is said to be."""

import subprocess
import sys

import pytest
import torch

from unrolled.errors import OutOfMemory
from unrolled.system.machine import naming_lack_of_memory

PROGRAM = """
import resource, sys
import torch
from unrolled.system.machine import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()


def faults_of_steps() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        x = torch.ones(1 << 24)
        y = x * 2
        (x + y).sum()
        del x, y
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


faults_of_steps()
print(faults_of_steps())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no mallopt")
def test_tensors_take_over_the_memory_of_others():
    def run(how: str) -> int:
        command = [sys.executable, "-c", PROGRAM, how]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert run("kept") < run("given back") / 10


@pytest.mark.parametrize(
    "take",
    [
        lambda: bytearray(1 << 60),
        lambda: torch.empty(1 << 50),
        lambda: torch.empty(1 << 40, 1 << 40),
    ],
)
def test_too_little_memory_is_one_sentence(take):
    message = r"^This takes more memory than there is\. Give less"
    with pytest.raises(OutOfMemory, match=message), naming_lack_of_memory():
        take()


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shape"), naming_lack_of_memory():
        torch.ones(2).reshape(3)
