"""The command line: parse flags, call one function, print."""

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from cyclopts import App, CycloptsError
from rich.console import Console

from ..errors import TextWarning, UnrolledError
from ..system.machine import keep_freed_memory

app = App(
    name="unrolled",
    help="Train language models on your own text, see which kind to choose and why, and use it.\n\n"
    "Start with: unrolled compare my-texts/ --budget 10m",
    version_flags=["--version"],
    help_format="markdown",
    result_action="return_value",
)
# None of them loads torch before it runs.
for _command in (
    "compare",
    "probe",
    "train",
    "diagnose",
    "evaluate",
    "generate",
    "score",
    "next",
    "classify",
    "export",
    "info",
):
    app.command(getattr(import_module(f".{_command}", __name__), _command), name=_command)


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; 0 done, 1 a sentence on stderr says what is wrong, 2 a wrong flag."""
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal need not know every character
            stream.reconfigure(errors="backslashreplace")
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        with _notes():
            result = app(arguments, exit_on_error=False, print_error=False, error_console=errors)
    except CycloptsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except UnrolledError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        name, reason = error.filename or "a file", error.strerror or error
        print(f"error: {name} cannot be used ({reason}).", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return result if isinstance(result, int) else 0


@contextmanager
def _notes() -> Iterator[None]:
    """Prints what is said of texts, a sentence for each guess and not for each file."""
    told: dict[str, set[str]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("always", TextWarning)
        show = warnings.showwarning

        def show_once(message: Warning | str, *place: object) -> None:
            if not isinstance(message, TextWarning):
                show(message, *place)  # pyrefly: ignore
                return
            if message.note not in told:
                print(f"note: {message}", file=sys.stderr)
            told.setdefault(message.note, set()).add(str(message.source))

        warnings.showwarning = show_once  # pyrefly: ignore
        try:
            yield
        finally:
            for note, sources in told.items():
                if len(sources) > 1:
                    print(f"note: {len(sources) - 1:,} more: {note}.", file=sys.stderr)
