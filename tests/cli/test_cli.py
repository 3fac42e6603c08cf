"""What every command has in common: help, exit codes, one sentence for what is wrong."""

import os
import subprocess
import sys
import warnings
from unittest.mock import Mock

import pytest

from unrolled import cli
from unrolled.errors import TextWarning

COMMANDS = ["compare", "diagnose", "train", "evaluate", "generate", "score", "next"]
COMMANDS += ["classify", "export", "info", "probe"]


def test_help_names_every_command(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "Start with: unrolled compare my-texts/ --budget 10m" in shown
    listed = {line.split()[1] for line in shown.split("\n") if line.startswith("│ ")}
    assert listed >= set(COMMANDS)
    assert "train        Train one language model within a budget." in shown
    known = {name for name in cli.app if not name.startswith("-")}
    assert known == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command, capsys):
    assert cli.main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example: unrolled {command}" in shown
    assert f"Usage: unrolled {command}" in shown


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "0.1.0\n"


@pytest.mark.parametrize("arguments", [["tarin"], ["train", "a.txt", "--out"], ["evaluate"]])
def test_wrong_usage(arguments, capsys):
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ") and "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BrokenPipeError(), 0, ""),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (
            PermissionError(13, "Permission denied", "runs/a"),
            1,
            "error: runs/a cannot be used (Permission denied).\n",
        ),
        (
            OSError(28, "No space left on device"),
            1,
            "error: a file cannot be used (No space left on device).\n",
        ),
    ],
)
def test_what_the_system_says(error, code, said, capsys, monkeypatch):
    def fails(*args, **kwargs):
        raise error

    class Stream:
        """Standard error that outlives being closed."""

        def __init__(self):
            self.text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

        def close(self):
            pass

    stream = Stream()
    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr(sys, "stderr", stream)
    assert cli.main([]) == code
    assert stream.text == said


def test_ctrl_c_within_a_command(capsys, monkeypatch):
    monkeypatch.setattr("unrolled.cli.train.required", Mock(side_effect=KeyboardInterrupt))
    assert cli.main(["train", "a.txt", "--out", "b"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_a_guess_is_said_once_and_others_like_it_are_counted(tmp_path, capsys, monkeypatch):
    def reads(*args, **kwargs):
        for name in ("a.txt", "b.txt", "c.txt", "a.txt"):
            warnings.warn(TextWarning(name, "is read as big5", "Decide."), stacklevel=2)
        warnings.warn(TextWarning("d.txt", "is read as hz", "Decide."), stacklevel=2)
        return 0

    monkeypatch.setattr(cli, "app", reads)
    assert cli.main([]) == 0
    assert capsys.readouterr().err == (
        "note: a.txt is read as big5. Decide.\nnote: d.txt is read as hz. Decide.\n"
        "note: 2 more: is read as big5.\n"
    )


@pytest.mark.parametrize(
    ("call", "status", "said"),
    [
        ("info >&-", 0, ""),
        ("tarin 2>&-", 2, ""),
        ("score {run} - <&-", 1, "error: standard input is empty. Give a file with text.\n"),
        ("next {run} the | true", 0, ""),
        ("evaluate {run} {text} | true", 0, ""),
        ("info | true", 0, ""),
        (
            "info >/dev/full",
            1,
            "error: a file cannot be used (No space left on device).\n",
        ),
    ],
)
def test_streams_that_are_closed_full_or_not_read(runs, english, call, status, said):
    call = call.format(run=runs / "char", text=english)
    script = f'"{sys.executable}" -m unrolled {call}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (status, said)


def test_what_goes_into_files_is_utf_8_in_any_locale(runs):
    command = [sys.executable, "-m", "unrolled", "score", str(runs / "zh")]
    environment = {name: value for name, value in os.environ.items() if name != "LC_ALL"}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    text = "我爱。".encode()
    done = subprocess.run(command, input=text, capture_output=True, env=environment)
    assert done.returncode == 0
    assert "。" in done.stdout.decode("utf-8")


def test_after_two_dashes_a_name_may_begin_with_one(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.txt").write_text("It was.\n")
    assert cli.main(["score", str(runs / "char"), "--", "-x.txt"]) == 0
    assert cli.main(["evaluate", str(runs / "char"), "--", "-x.txt"]) == 0
    assert cli.main(["next", str(runs / "char"), "--", "-x"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classify", "explain", "r", "--class", "3"], "Unknown option: --class. See --help."),
        (["score", "r", "a", "b"], "Unexpected argument: b. See --help."),
        (
            ["classify", "train", "a.csv", "--out", "o", "--kind", "transformer"],
            'Invalid value "transformer" for --kind. '
            'Choose from: "rnn", "gru", "lstm", "mingru", "linear".',
        ),
    ],
)
def test_a_flag_that_is_not_known_is_named(arguments, said, capsys):
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == f"error: {said}\n"


def test_the_module_is_the_command():
    command = [sys.executable, "-m", "unrolled", "train"]
    environment = os.environ | {"COLUMNS": "80"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
