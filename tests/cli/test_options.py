"""Standard input stands where a file may stand, read by the same code."""

import io
import sys

import pytest

from unrolled.cli.options import FileOptions, read_prompt
from unrolled.errors import TextError
from unrolled.settings.data import DataConfig, FileFormat
from unrolled.text.prepare import prepare


@pytest.fixture
def piped(monkeypatch):
    """Puts bytes into standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_prompt_has_no_mark_and_no_last_line_end(piped):
    piped(b"\xef\xbb\xbfIt was\r\n\n")
    assert read_prompt() == "It was\n"


def test_a_pipe_is_the_same_text_as_the_file(tmp_path, piped, english):
    with open(english, "rb") as file:
        piped(file.read())
    _, from_pipe = prepare(DataConfig(("-",)), tmp_path / "a")
    _, from_file = prepare(DataConfig((english,)), tmp_path / "b")
    assert from_pipe.data_hash == from_file.data_hash
    with pytest.raises(TextError, match="standard input is named twice. It can be read once: name"):
        prepare(DataConfig(("-",), valid=("-",)), tmp_path / "c")


def test_flags_of_files_become_their_format():
    options = FileOptions(encoding="GBK", delimiter="\\t", header=False)
    assert options.file_format() == FileFormat(encoding="GBK", delimiter="\t", header=False)
