"""Memory and threads: what is freed is used again, too little is said, nobody waits for nothing."""

import os
import subprocess
import sys

import pytest
import torch

from unrolled.errors import OutOfMemory
from unrolled.system.machine import naming_lack_of_memory, threads_for

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


@pytest.mark.parametrize(
    ("before", "first", "spins"),
    [
        ({}, "", "1000"),
        ({"GOMP_SPINCOUNT": "7"}, "", "7"),
        ({"OMP_WAIT_POLICY": "active"}, "", "None"),
        ({}, "import torch", "None"),  # too late
    ],
)
def test_waiting_threads_go_to_sleep_unless_the_user_decides(before, first, spins):
    program = f"{first}\nimport os, unrolled\nprint(os.environ.get('GOMP_SPINCOUNT'))"
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, env=environment | before, capture_output=True, text=True)
    assert found.stdout.strip() == spins


def test_few_rows_run_on_one_thread_and_change_nothing_afterwards():
    torch.set_num_threads(3)
    for num_rows, num_tokens, threads in ((1, 1, 1), (4, 4096, 1), (5, 5, 3), (1, 4097, 3)):
        with threads_for(num_rows, num_tokens):
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == 3
    with pytest.raises(ValueError), threads_for(1, 1):
        raise ValueError
    assert torch.get_num_threads() == 3
