"""Text on disk: documents come back whole."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import TextError
from unrolled.text import corpus as module
from unrolled.text.corpus import Corpus, Part
from unrolled.text.documents import Piece

from .corpora import read, write


def everything(corpus: Corpus) -> Part:
    return Part(corpus, corpus.spans())


@given(
    documents=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1)
)
def test_documents_come_back(
    tmp_path_factory: pytest.TempPathFactory, documents: list[str]
) -> None:
    corpus = write(tmp_path_factory.mktemp("corpus"), documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE_CHARS", 4)
        patch.setattr(module, "BLOCK", 8)
        assert read(everything(corpus)) == documents
    data = "".join(documents).encode()
    assert (corpus.folder / "text.utf8").read_bytes() == data
    assert corpus.num_bytes == everything(corpus).num_bytes == len(data)


def test_a_document_may_come_in_many_pieces_and_empty_ones_are_none(tmp_path: Path) -> None:
    parts = [
        ("", True),
        ("a", False),
        ("", False),
        ("b", True),
        ("", False),
        ("", True),
        ("c", True),
    ]
    corpus = Corpus.write((Piece(text, "a.txt", ends) for text, ends in parts), tmp_path)
    assert read(everything(corpus)) == ["ab", "c"]


def test_the_hash_tells_documents_apart(tmp_path: Path) -> None:
    cases = [["ab", "c"], ["a", "bc"], ["abc"], ["abd"]]
    hashes = [write(tmp_path / str(i), case).sha256 for i, case in enumerate(cases)]
    assert len({*hashes}) == len(cases)
    assert write(tmp_path / "again", cases[0]).sha256 == hashes[0]


def test_no_text(tmp_path: Path) -> None:
    with pytest.raises(TextError) as error:
        write(tmp_path, ["", ""])
    assert str(error.value) == "a.txt holds no text. Give a file with text."


def test_pieces_are_cut_before_white_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_CHARS", 20)
    monkeypatch.setattr(module, "BLOCK", 30)
    text = "one two three\n\n  four five six seven eight\n" + "x" * 50
    pieces = list(everything(write(tmp_path, [text])).pieces())
    assert pieces == [
        ("one two three", False),
        ("\n\n  four five six", False),
        (" seven eight", False),
        ("\nxxxxxxxxxxxxxxxxxxx", False),
        ("x" * 20, False),
        ("x" * 11, True),
    ]
