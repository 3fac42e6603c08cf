"""The command line: parse flags, call one function, print."""

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

from cyclopts import App, CycloptsError
from cyclopts.exceptions import UnusedCliTokensError
from rich.console import Console

from ..errors import TextWarning, UnrolledError
from ..system.machine import keep_freed_memory, naming_lack_of_memory

app = App(
    name="unrolled",
    help="Train language models on your own text, see which kind to choose and why, and use it.\n\n"
    "Start with: unrolled compare my-texts/ --budget 10m",
    version_flags=["--version"],
    help_format="markdown",
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # it would become SystemExit, which rich raises too
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
    _open_streams()
    arguments = _names_after_dashes(sys.argv[1:] if arguments is None else arguments)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        with _notes(), naming_lack_of_memory():
            result = app(arguments, exit_on_error=False, print_error=False, error_console=errors)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except UnusedCliTokensError as error:
        return _refuse(_unused(arguments, error.unused_tokens or [""]), 2)
    except CycloptsError as error:
        return _refuse(error, 2)
    except UnrolledError as error:
        return _refuse(error)
    except (BrokenPipeError, SystemExit):  # the latter is what rich makes of the former
        _forget_output()
        return 0
    except OSError as error:
        name, reason = error.filename or "a file", error.strerror or error
        return _refuse(f"{name} cannot be used ({reason}).")
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


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


def _refuse(problem: object, status: int = 1) -> int:
    print(f"error: {problem}", file=sys.stderr)
    return status


def _open_streams() -> None:
    """Opens what the caller closed, and lets every character through.

    A file would get the number of a closed stream, and then what is printed. Into files and pipes
    text goes as UTF-8, whatever the locale; a terminal need not know every character.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  it stays
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = None if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _names_after_dashes(arguments: list[str]) -> list[str]:
    """After `--` a file's name may begin with a dash: `./` before it says the same everywhere."""
    if "--" not in arguments or arguments[0] == "next":  # whose prefix is a text
        return arguments
    cut = arguments.index("--") + 1
    names = [f"./{name}" if name[:1] == "-" != name else name for name in arguments[cut:]]
    return [*arguments[:cut], *names]


def _unused(arguments: list[str], tokens: list[str]) -> str:
    """What is wrong with arguments that no command takes."""
    token = tokens[0]
    before = arguments[arguments.index(token) - 1] if token in arguments else ""
    if before.startswith("-"):
        return f"Unknown option: {before}. See --help."
    return f"Unexpected argument: {token}. See --help."


def _forget_output() -> None:
    """Lets what nobody reads any more go nowhere, so that nothing complains when Python ends."""
    with suppress(OSError, ValueError):  # a test's stream has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
