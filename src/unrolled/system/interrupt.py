"""What Ctrl-C, SIGTERM and SIGHUP do: the first asks to stop tidily, the second ends at once."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 1.0
"""After so long without an answer, work that does not ask is ended: reading a text, scoring."""
AGAIN_SECONDS = 0.1
"""Where Python swallowed the KeyboardInterrupt, as in `__del__` and the callbacks of imports."""

IMPORTING = "<frozen importlib._bootstrap>"
"""Where frames of an import come from."""


def interrupt(number: int, frame: FrameType | None) -> None:
    """What Ctrl-C does outside of `stop_on_interrupt`: raises KeyboardInterrupt.

    Within an import it ends the process at once. Torch, which asks in C++ whether there is numpy,
    would swallow the exception and go on with half a module.
    """
    while frame is not None:
        if frame.f_code.co_filename == IMPORTING:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        frame = frame.f_back
    raise KeyboardInterrupt


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether one of the signals came since.

    Who calls it answers, and saves in its own time. Where nobody does for `GRACE_SECONDS`,
    KeyboardInterrupt is raised, as it is by a second signal; again and again, until the work ends
    or somebody answers, but not while it is being handled. Files are written whole or not at all,
    so that what was saved before is still whole then.

    A signal that is ignored stays so, as SIGHUP under nohup.
    """
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS, AGAIN_SECONDS)
        if asked:
            raise KeyboardInterrupt
        asked = True

    def end(number: int, frame: object) -> None:
        if not _is_handled():
            raise KeyboardInterrupt

    def answer() -> bool:
        if asked:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return asked

    before = {
        number: signal.signal(number, ask)
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, end)
    try:
        yield answer
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_handled() -> bool:
    """Whether a KeyboardInterrupt is under way: `except`, `finally` and `with` tidy up."""
    error = sys.exception()
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
