"""Runs of n-grams, and commands on them in this process."""

import io
import sys
from pathlib import Path

import pytest

from unrolled.cli import main

DATA = Path(__file__).parents[1] / "data"
ARTICLE = "我爱吃苹果。\n我爱吃米饭。\n我爱喝茶。\n他爱吃苹果。\n" * 40


@pytest.fixture(scope="package")
def runs(tmp_path_factory) -> Path:
    """Runs of an n-gram: English characters and words, Chinese characters."""
    folder = tmp_path_factory.mktemp("use")
    (folder / "article.txt").write_text(ARTICLE, "utf-8")
    for name, text, kind in (
        ("char", DATA / "english.txt", "char"),
        ("word", DATA / "english.txt", "word"),
        ("zh", folder / "article.txt", "char"),
    ):
        flags = ["--model", "ngram", "--tokenizer", kind, "--out", str(folder / name)]
        assert main(["train", str(text), *flags]) == 0
    return folder


@pytest.fixture
def run(runs, capsys):
    """Runs a command on one of the runs; returns what it printed."""

    def call(command: str, name: str, *arguments: object) -> str:
        capsys.readouterr()
        assert main([command, str(runs / name), *map(str, arguments)]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        return shown.out

    return call


@pytest.fixture
def refused(runs, capsys):
    """Runs a command that has to fail; returns the sentence."""

    def call(command: str, name: str, *arguments: object, code: int = 1) -> str:
        capsys.readouterr()
        assert main([command, str(runs / name), *map(str, arguments)]) == code
        shown = capsys.readouterr()
        assert shown.out == ""
        return shown.err

    return call


@pytest.fixture
def standard_input(monkeypatch):
    """Puts bytes into standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
