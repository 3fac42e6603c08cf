"""What an input may lead to, and how many there were."""

from collections.abc import Callable

import pytest

from unrolled.errors import UnrolledError

from .mutations import EXAMPLES

COUNTS = {"inputs": 0, "refused": 0}


@pytest.fixture(scope="session")
def survives() -> Callable[[Callable[[], object]], None]:
    """Runs something on one input: a result or an UnrolledError, never another exception."""

    def run(action: Callable[[], object]) -> None:
        COUNTS["inputs"] += 1
        try:
            action()
        except UnrolledError as error:
            COUNTS["refused"] += 1
            assert str(error) and "Traceback" not in str(error)

    return run


def pytest_terminal_summary(terminalreporter) -> None:
    if EXAMPLES:
        inputs, refused = COUNTS["inputs"], COUNTS["refused"]
        terminalreporter.write_line(f"fuzz: {inputs:,} inputs, {refused:,} refused in a sentence")
