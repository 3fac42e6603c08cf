"""Standard input stands where a file may stand, read by the same code."""

import io
import sys

import pytest

from unrolled.cli import options
from unrolled.cli.options import FileOptions, read_prompt, read_sentences
from unrolled.errors import TextError, TextWarning
from unrolled.settings.data import DataConfig, FileFormat
from unrolled.text.prepare import prepare

LINES = ["Привет, как дела", "сегодня утром", "Все люди рождаются свободными"]


@pytest.fixture
def piped(monkeypatch):
    """Puts bytes into standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1251"])
@pytest.mark.filterwarnings("ignore::unrolled.errors.TextWarning")
def test_sentences_of_a_pipe_are_those_of_the_file(tmp_path, piped, encoding, end):
    data = end.join([*LINES, "", ""]).encode(encoding)
    (tmp_path / "a.txt").write_bytes(data)
    piped(data)
    assert list(read_sentences("-")) == LINES
    assert list(read_sentences(str(tmp_path / "a.txt"))) == LINES


def test_the_encoding_of_a_pipe_is_said_or_named(piped):
    data = "\n".join(LINES).encode("koi8-r")
    piped(data)
    with pytest.warns(TextWarning, match="standard input is read as koi8-r, guessed from its byte"):
        assert list(read_sentences("-")) == LINES
    piped(data)
    assert list(read_sentences("-", files=FileFormat(encoding="koi8-r"))) == LINES
    piped(b"\xef\xbb\xbfIt was\r\n\n")
    assert read_prompt() == "It was\n"


def test_a_sentence_may_be_too_long(piped, monkeypatch):
    monkeypatch.setattr(options, "MAX_SENTENCE", 1_000)
    piped(b"short\n" + b"x" * 3_000_000)
    with pytest.raises(TextError, match="standard input has a text of more than 1,000 characters"):
        list(read_sentences("-"))


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
