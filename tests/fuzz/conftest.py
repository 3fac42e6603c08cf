"""What an input may lead to and may take, and how many there were."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import FrameType

import pytest

from unrolled.errors import UnrolledError
from unrolled.system.machine import peak_bytes

from .mutations import EXAMPLES, FEW, mutated

MOST_SECONDS, MOST_BYTES = 10.0, 1 << 30
"""Of one input; of all together, beyond what was held before the first."""


class Hang(BaseException):
    """An input took too long; nothing of ours catches this."""


class Seen:
    """How many inputs there were, and the most that they took."""

    def __init__(self) -> None:
        self.inputs = self.refused = self.bytes = 0
        self.seconds = 0.0
        self.before = peak_bytes()

    def survives(self, action: Callable[[], object], data: object = None) -> None:
        """Runs something on one input: a result or an UnrolledError, never another exception.

        Fails too where it takes too much time or memory. A failure shows `data`.
        """
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
        try:
            action()
        except UnrolledError as error:
            self.refused += 1
            assert str(error) and "Traceback" not in str(error)
        except BaseException as error:
            error.add_note(f"The input was {data!r}")
            raise
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.inputs += 1
        self.seconds = max(self.seconds, time.monotonic() - began)
        self.bytes = peak_bytes() - self.before
        assert self.seconds < MOST_SECONDS and self.bytes < MOST_BYTES, repr(data)

    def __str__(self) -> str:
        most = f"{self.seconds:.2f} s and {self.bytes / 1e6:.0f} MB at most"
        return f"{self.inputs:,} inputs, {self.refused:,} refused in a sentence, {most}"


SEEN: list[Seen] = []


@pytest.fixture(scope="session")
def seen() -> Iterator[Seen]:
    def end(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    SEEN.append(Seen())
    yield SEEN[-1]
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def survives(seen: Seen) -> Callable[..., None]:
    """See `Seen.survives`."""
    return seen.survives


@pytest.fixture(scope="session")
def damage(seen: Seen) -> Callable[..., None]:
    """Damages a file in many ways, uses it each time, and leaves it whole.

    Args:
        times: How many times as many as usual, where they are cheap.
        part: How many bytes from its beginning are damaged; default: all.
    """
    random = Random(None if EXAMPLES else 0)

    def run(
        path: Path, use: Callable[[], object], times: float = 1, part: int | None = None
    ) -> None:
        whole = path.read_bytes()
        try:
            for _ in range(round(times * EXAMPLES) or FEW):
                data = mutated(whole[:part], random) + whole[len(whole[:part]) :]
                path.write_bytes(data)
                seen.survives(use, data)
        finally:
            path.write_bytes(whole)

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if EXAMPLES:
        for each in SEEN:
            terminalreporter.write_line(f"fuzz: {each}")
