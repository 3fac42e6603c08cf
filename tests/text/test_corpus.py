"""Text on disk: documents come back whole, splits are where they are said to be."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import ConfigError, TextError
from unrolled.text import corpus as module
from unrolled.text.corpus import Corpus, Part, split_corpus
from unrolled.text.files import Piece, read_pieces

ENGLISH = (Path(__file__).parents[1] / "data" / "english.txt").read_text("utf-8")
DOCUMENTS = [f"document {number}: " + "word " * (number % 5 + 4) for number in range(200)]
TOO_SHORT = "Give more text, or files for validation and test of their own."


def write(folder: Path, documents: Sequence[str]) -> Corpus:
    pieces = (Piece(text, "a.txt", ends_document=True) for text in documents)
    return Corpus.write(pieces, folder)


def write_lines(folder: Path, text: str) -> Corpus:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.txt").write_bytes(text.encode())
    return Corpus.write(read_pieces([folder / "a.txt"], documents="line"), folder / "corpus")


def read(part: Part) -> list[str]:
    """Documents, joined from their pieces."""
    found, held = [], ""
    for text, ends in part.pieces():
        held += text
        if ends:
            found, held = [*found, held], ""
    assert not held
    return found


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


def test_one_text_is_split_as_nanogpt_splits_it(tmp_path: Path) -> None:
    text = ENGLISH.encode("ascii", "ignore").decode()
    splits = split_corpus(write(tmp_path, [text]), 0.1, 0)
    place = int(len(text) * 0.9)
    found = {name: read(part) for name, part in splits.items()}
    assert found == {"train": [text[:place]], "valid": [text[place:]]}


@given(
    documents=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=30), min_size=1, max_size=19
    )
)
def test_few_documents_are_cut_between_characters(
    tmp_path_factory: pytest.TempPathFactory, documents: list[str]
) -> None:
    splits = split_corpus(write(tmp_path_factory.mktemp("corpus"), documents), 0.2, 0.3)
    parts = [read(splits[name]) for name in ("train", "valid", "test")]
    assert ["".join(document) for document in zip(*parts, strict=True)] == documents
    for whole, *cut in zip(documents, *parts, strict=True):
        size = len(whole.encode())
        for part, fraction in zip(cut, (0.5, 0.2, 0.3), strict=True):
            assert abs(len(part.encode()) - fraction * size) <= 5


def test_documents_are_split_by_their_hash(tmp_path: Path) -> None:
    splits = split_corpus(write(tmp_path / "a", DOCUMENTS), 0.1, 0.2)
    found = {name: read(part) for name, part in splits.items()}
    assert sorted(sum(found.values(), [])) == sorted(DOCUMENTS)
    num_bytes = sum(map(len, DOCUMENTS))
    for name, fraction in (("valid", 0.1), ("test", 0.2)):
        assert abs(splits[name].num_bytes - fraction * num_bytes) <= max(map(len, DOCUMENTS))
    turned = split_corpus(write(tmp_path / "b", DOCUMENTS[::-1]), 0.1, 0.2)
    assert {name: read(part)[::-1] for name, part in turned.items()} == found
    # The order is that of the first 8 bytes of SHA-256, as a signed little-endian number.
    keys = [hashlib.sha256(text.encode()).digest()[:8] for text in DOCUMENTS]
    order = np.argsort([int.from_bytes(key, "little", signed=True) for key in keys])
    assert DOCUMENTS[order[0]] in found["valid"]
    assert DOCUMENTS[order[100]] in found["train"]
    assert DOCUMENTS[order[-1]] in found["test"]


def test_documents_stay_where_they_are_when_others_come(tmp_path: Path) -> None:
    more = [*DOCUMENTS, *(f"another document {number}" for number in range(40))]
    before = split_corpus(write(tmp_path / "a", DOCUMENTS), 0.1, 0.1)
    after = split_corpus(write(tmp_path / "b", more), 0.1, 0.1)
    assert not {*read(before["valid"])} & {*read(after["test"])}
    assert not {*read(before["test"])} & {*read(after["valid"])}
    for name in ("valid", "test"):
        assert len({*read(before[name])} - {*read(after[name])}) <= 3


def test_equal_documents_stay_together(tmp_path: Path) -> None:
    documents = [text for text in DOCUMENTS for _ in range(3)]
    splits = split_corpus(write(tmp_path, documents), 0.1, 0.1)
    found = [{*read(part)} for part in splits.values()]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]


def test_every_split_gets_a_document(tmp_path: Path) -> None:
    documents = [letter * 100 for letter in "abcdefghijklmnopqrst"]
    splits = split_corpus(write(tmp_path, documents), 0.01, 0.01)
    assert {name: len(read(part)) for name, part in splits.items()} == {
        "train": 18,
        "valid": 1,
        "test": 1,
    }


def test_lines_are_split_where_they_stand_and_every_byte_counts(tmp_path: Path) -> None:
    lines = [f"line {number:03}" for number in range(100)]
    text = "\n\n" + "\n".join(lines) + "\n \nend"
    splits = split_corpus(write_lines(tmp_path, text), 0.1, 0.2)
    assert read(splits["train"]) == lines[:70]
    assert read(splits["valid"]) == lines[70:80]
    assert read(splits["test"]) == [*lines[80:], "end"]
    assert sum(part.num_bytes for part in splits.values()) == len(text)
    assert splits["valid"].num_bytes == 90


def test_splits_of_no_given_size_are_small(tmp_path: Path) -> None:
    small = split_corpus(write(tmp_path / "small", ["a" * 1_000_000]), None, None)
    assert [part.num_bytes for part in small.values()] == [900_000, 50_000, 50_000]
    large = write(tmp_path / "large", ["a" * 20_000_000])
    sizes = [part.num_bytes for part in split_corpus(large, None, 0.05).values()]
    assert sizes == [18_500_000, 500_000, 1_000_000]
    assert [*split_corpus(large, None, 0)] == ["train", "valid"]


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        (["ab"], "the text is too short (2 bytes) for a train split"),
        (["abcdefg"], "the text is too short (7 bytes) for a valid split"),
        (["same"] * 20, "the text is too short (80 bytes) for a valid split"),
    ],
)
def test_too_short(tmp_path: Path, documents: list[str], problem: str) -> None:
    fractions = (0.9, 0.05) if len(documents[0]) == 2 else (0.01, 0.01)
    with pytest.raises(TextError) as error:
        split_corpus(write(tmp_path, documents), *fractions)
    assert str(error.value) == f"{problem}. {TOO_SHORT}"


def test_too_few_lines(tmp_path: Path) -> None:
    with pytest.raises(TextError) as error:
        split_corpus(write_lines(tmp_path, "one\ntwo\n"), 0.05, 0.05)
    assert str(error.value) == f"the text is too short (8 bytes) for a test split. {TOO_SHORT}"


@pytest.mark.parametrize(
    ("valid", "test", "message"),
    [
        (
            -0.1,
            0.1,
            "valid_fraction must be at least 0 and below 1, got -0.1. Write for example 0.05.",
        ),
        (
            None,
            1.0,
            "test_fraction must be at least 0 and below 1, got 1.0. Write for example 0.05.",
        ),
        (
            0.1,
            float("nan"),
            "test_fraction must be at least 0 and below 1, got nan. Write for example 0.05.",
        ),
        (
            0.5,
            0.5,
            "valid_fraction and test_fraction must be below 1 in sum, so that something is left "
            "for training, got 1.0. Make one smaller.",
        ),
    ],
)
def test_fractions_that_make_no_sense(
    tmp_path: Path, valid: float, test: float, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        split_corpus(write(tmp_path, [ENGLISH]), valid, test)
    assert str(error.value) == message
