"""Runs the examples in README.md, README.zh.md and docs/: Python blocks and `$ unrolled` commands.

Each page is one session in an empty folder with `my-texts/` (English) and `古诗/` (Chinese) in it,
labelled texts in `reviews.csv` and `new-reviews.csv`, two more in `sentences.txt`, and the model of
`examples/own_model.py`.
Budgets and times of measuring are cut short; everything else runs as it is written.
"""

import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from unrolled.cli import main

ROOT = Path(__file__).parent
BUDGET = re.compile(r"budget \S+")


class ConsoleParser(CodeBlockParser):
    """Evaluates ```console blocks: every line that begins with `$ unrolled` has to succeed."""

    language = "console"

    def evaluate(self, example: Example) -> None:
        for line in example.parsed.replace("\\\n", " ").splitlines():
            if line.startswith("$ unrolled "):
                command = BUDGET.sub("budget 2ktokens", line.removeprefix("$ unrolled "))
                if command.startswith("diagnose "):
                    command += " --memory-seconds 0.5"
                status = main(shlex.split(command, comments=True))
                assert status == 0, f"{line} ended with {status}"


def enter(namespace: dict[str, Any]) -> None:
    """Makes the folder that a page's examples run in."""
    folder = Path(tempfile.mkdtemp(prefix="unrolled-docs-"))
    namespace["__places"] = os.getcwd(), folder
    for name, text in (("my-texts", "english.txt"), ("古诗", "chinese.txt")):
        (folder / name).mkdir()
        shutil.copy(ROOT / "tests" / "data" / text, folder / name)
    for name in ("reviews.csv", "new-reviews.csv"):
        shutil.copy(ROOT / "tests" / "data" / "reviews.csv", folder / name)
    shutil.copy(ROOT / "examples" / "own_model.py", folder)
    (folder / "sentences.txt").write_text("The plot is not dull at all.\nWhat a cold film!\n")
    os.chdir(folder)


def leave(namespace: dict[str, Any]) -> None:
    """Removes it; and that folder only, wherever an example may have gone."""
    back, folder = namespace["__places"]
    os.chdir(back)
    shutil.rmtree(folder)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), ConsoleParser()],
    path=str(ROOT),
    patterns=["README*.md", "docs/*.md"],
    setup=enter,
    teardown=leave,
).pytest()
