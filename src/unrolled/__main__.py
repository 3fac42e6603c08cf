"""The command `unrolled`, which is `python -m unrolled` too."""

import os
import signal
import sys
from contextlib import suppress

STOPPED = 130


def run() -> None:
    """Runs the command line and ends the process.

    Ctrl-C before there is anything to tidy, and while modules are imported, ends it without a word;
    after that, once all is saved, without taking the modules apart, which takes Python a second or
    two with torch among them.
    """
    handler = signal.getsignal(signal.SIGINT)
    if ours := handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main
    from .system.interrupt import interrupt

    signal.signal(signal.SIGINT, interrupt if ours else handler)
    status = main()
    if status == STOPPED:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # closed, or nobody reads it
                stream.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    run()
