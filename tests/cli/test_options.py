"""Standard input stands where a file may stand, for as long as the command takes."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from unrolled.cli.options import saved_input
from unrolled.settings.data import DataConfig
from unrolled.text.prepare import prepare


@pytest.fixture
def piped(monkeypatch, english):
    data = Path(english).read_bytes()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    return data


def test_standard_input_is_a_file_on_the_disk_of_what_is_written(tmp_path, piped):
    out = tmp_path / "runs" / "a"
    config = DataConfig(("a.txt", "-"), ("-",), documents="line")
    with saved_input(config, out) as saved:
        path = Path(saved.texts[1])
        assert saved == replace(config, texts=("a.txt", str(path)), valid=(str(path),))
        assert path.read_bytes() == piped
        assert path.parents[1] == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_read_where_it_is_not_asked_for(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    config = DataConfig(("a.txt",))
    with saved_input(config) as saved:
        assert saved is config


def test_a_pipe_is_the_same_text_as_the_file(tmp_path, piped, english):
    with saved_input(DataConfig(("-",))) as saved:
        _, from_pipe = prepare(saved, tmp_path / "a")
    _, from_file = prepare(DataConfig((english,)), tmp_path / "b")
    assert from_pipe.data_hash == from_file.data_hash
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        *("store.json", "tokenizer.json", "token_bytes.int32"),
        *("train.ids", "valid.ids", "test.ids"),
    }
