"""Texts become ids with the right counts."""

import lzma
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled.errors import ConfigError, TextError
from unrolled.settings.data import DataConfig
from unrolled.system.files import TEMPORARY
from unrolled.text import prepare as module
from unrolled.text.corpus import Corpus, Part
from unrolled.text.documents import Piece
from unrolled.text.prepare import build_store, compressed_bytes, encode_texts, prepare
from unrolled.text.store import Boundaries, SplitInfo, TokenStore
from unrolled.text.tokenizers import ByteTokenizer, Spelling, WordTokenizer, load_tokenizer

DATA = Path(__file__).parents[1] / "data"
ENGLISH_PATH = str(DATA / "english.txt")
ENGLISH = (DATA / "english.txt").read_text("utf-8")


def file(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    return str(path)


def part_of(folder: Path, *documents: str) -> Part:
    pieces = (Piece(text, "a.txt", ends_document=True) for text in documents)
    corpus = Corpus.write(pieces, folder / "corpus")
    return Part(corpus, corpus.spans())


def test_a_boundary_stands_before_and_after_every_document(tmp_path: Path) -> None:
    part = part_of(tmp_path, "ab", "é我\n", "c d")
    store = build_store(tmp_path, {"text": part}, ByteTokenizer())
    ids = store.tokens("text")
    expected = [0, *b"ab", -1, *"é我\n".encode(), -1, *b"c d", -1]
    assert ids.tolist() == [0, *(byte + 1 for byte in expected[1:])]
    assert isinstance(ids, np.memmap) and ids.dtype == np.uint16 and not ids.flags.writeable
    assert store.split("text") == SplitInfo(
        num_tokens=14,
        num_documents=3,
        num_bytes=11,
        num_chars=8,
        num_words=5,
        num_unknown=0,
        spelling_nats=0.0,
        xz_bytes=len(lzma.compress("abé我\nc d".encode(), preset=6)),
        xz_of_bytes=11,
    )
    assert store.token_bytes.tolist() == [0] + [1] * 256


def test_treebank_as_it_comes(tmp_path: Path) -> None:
    """Lines are documents, their ends are boundaries, and every byte of the files counts."""
    texts = {
        "train": " the cat <unk> N \n the dog sat \n\n a cat\n",
        "valid": " a dog sat \n",
        "test": " the cat \n <unk> \n",
    }
    paths = {name: file(tmp_path / name, text) for name, text in texts.items()}
    config = DataConfig(
        (paths["train"],),
        (paths["valid"],),
        (paths["test"],),
        documents="line",
        tokenizer="word",
    )
    tokenizer, store = prepare(config, tmp_path / "store")
    assert isinstance(tokenizer, WordTokenizer)
    assert tokenizer.words == ["cat", "the", "N", "a", "dog", "sat"]
    # 2 cat, 3 the, 4 N, 5 a, 6 dog, 7 sat
    streams = {name: store.tokens(name).tolist() for name in texts}
    assert streams == {
        "train": [0, 3, 2, 1, 4, 0, 3, 6, 7, 0, 5, 2, 0],
        "valid": [0, 5, 6, 7, 0],
        "test": [0, 3, 2, 0, 1, 0],
    }
    for name, text in texts.items():
        info = store.split(name)
        assert (info.num_bytes, info.num_chars, info.num_words) == (
            len(text),
            len(text),
            len(text.split()),
        )
        assert (info.num_tokens, info.num_unknown) == (len(streams[name]) - 1, 0)
    assert store.token_bytes.tolist() == [1, 5, 3, 3, 1, 1, 3, 3]
    xz = lzma.compress(texts["test"].encode(), preset=6)
    assert (store.split("test").xz_bytes, store.split("train").xz_bytes) == (len(xz), 0)


@pytest.mark.parametrize("kind", ["byte", "char", "bpe"])
def test_ids_stand_for_the_text(tmp_path: Path, kind: Any) -> None:
    tokenizer, store = prepare(DataConfig((ENGLISH_PATH,), tokenizer=kind), tmp_path)
    assert [*store.splits] == ["train", "valid", "test"]
    parts = [tokenizer.decode(store.tokens(name).tolist()) for name in store.splits]
    assert "".join(parts) == ENGLISH
    for text, info in zip(parts, store.splits.values(), strict=True):
        assert info.num_bytes == len(text.encode())
        assert (info.num_chars, info.num_words) == (len(text), len(text.split()))
    bytes_of_ids = store.token_bytes[store.tokens("valid")].sum()
    assert bytes_of_ids == store.split("valid").num_bytes


def test_batches_and_pieces_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [ENGLISH[:500], "a", "\n", ENGLISH[500:3_000], "é我 é", "x" * 999, "b"]
    part = part_of(tmp_path, *documents)
    whole = build_store(tmp_path / "a", {"text": part}, ByteTokenizer())
    monkeypatch.setattr(module, "BATCH_CHARS", 150)
    monkeypatch.setattr("unrolled.text.corpus.PIECE_CHARS", 100)
    monkeypatch.setattr("unrolled.text.corpus.BLOCK", 333)
    cut = build_store(tmp_path / "b", {"text": part}, ByteTokenizer())
    assert cut.tokens("text").tolist() == whole.tokens("text").tolist()
    assert cut.splits == whole.splits
    # 我 is a word beside the one before it.
    assert cut.split("text").num_words == sum(len(text.split()) for text in documents) + 1


def test_what_the_training_split_lacks_is_unknown(tmp_path: Path) -> None:
    text = file(tmp_path / "a.txt", "ab" * 45 + "ab§§xxaba" + "a")
    config = DataConfig((text,), tokenizer="char", valid_fraction=0.1, test_fraction=0)
    tokenizer, store = prepare(config, tmp_path / "store")
    assert (tokenizer.vocab_size, store.split("train").num_unknown) == (4, 0)
    info = store.split("valid")
    assert info.num_unknown == 4
    # "a", "b" and two ends over 257 events and 4 counts
    expected = 2 * (3 * math.log(261) - math.log(3)) + 2 * (2 * math.log(261) - math.log(3))
    assert info.spelling_nats == pytest.approx(expected)


def test_the_hash_is_of_text_and_splits(tmp_path: Path) -> None:
    configs = [
        DataConfig((ENGLISH_PATH,), tokenizer="byte"),
        DataConfig((ENGLISH_PATH,), tokenizer="char"),
        DataConfig((ENGLISH_PATH,), tokenizer="byte", valid_fraction=0.1),
        DataConfig((str(DATA / "chinese.txt"),), tokenizer="byte"),
    ]
    stores = [prepare(config, tmp_path / str(i))[1] for i, config in enumerate(configs)]
    assert stores[0].data_hash == stores[1].data_hash
    assert len({store.data_hash for store in stores}) == 3


def test_xz_is_what_xz_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, data = part_of(tmp_path, ENGLISH[:9_000], ENGLISH[9_000:]), ENGLISH.encode()
    assert compressed_bytes(part) == (len(lzma.compress(data, preset=6)), len(data))
    monkeypatch.setattr(module, "XZ_BYTES", 10_000)
    assert compressed_bytes(part) == (len(lzma.compress(data[:10_000], preset=6)), 10_000)


def test_texts_for_a_tokenizer_that_exists(tmp_path: Path) -> None:
    tokenizer, _ = prepare(DataConfig((ENGLISH_PATH,), tokenizer="char"), tmp_path / "a")
    table = file(tmp_path / "t.csv", "id,body\n1,one\n2,two§\n")
    store = encode_texts([table], tokenizer, tmp_path / "b", column="body")
    assert [*store.splits] == ["text"]
    info = store.split("text")
    assert (info.num_documents, info.num_tokens, info.num_unknown) == (2, 9, 1)
    assert tokenizer.decode(store.tokens("text").tolist()) == "onetwo\ufffd"
    lines = encode_texts(
        [file(tmp_path / "l.txt", "a\nb")], tokenizer, tmp_path / "c", None, "line"
    )
    assert (lines.split("text").num_documents, lines.split("text").num_bytes) == (2, 3)


def test_a_given_tokenizer_is_kept(tmp_path: Path) -> None:
    given = ByteTokenizer()
    tokenizer, store = prepare(DataConfig((ENGLISH_PATH,)), tmp_path, given)
    assert tokenizer is given and store.tokenizer == given.fingerprint
    assert load_tokenizer(tmp_path / "tokenizer.json").fingerprint == given.fingerprint


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig(), "the input names no text. Give a file or a folder."),
        (
            DataConfig((ENGLISH_PATH,), valid_fraction=0),
            "valid_fraction must be above 0 without files for validation, got 0. "
            "Write 0.05, or name files with --valid.",
        ),
    ],
)
def test_what_cannot_be_prepared(tmp_path: Path, config: DataConfig, message: str) -> None:
    error = TextError if not config.texts else ConfigError
    with pytest.raises(error) as caught:
        prepare(config, tmp_path / "a")
    assert str(caught.value) == message
    assert [*(tmp_path / "a").iterdir()] == []


def test_large_vocabularies_take_more_bytes(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(70_000)]
    tokenizer = WordTokenizer(words, Spelling([1] * 257), split_punctuation=False)
    part = part_of(tmp_path, "w69999 w0")
    ids = build_store(tmp_path, {"text": part}, tokenizer).tokens("text")
    assert (ids.dtype, ids.tolist()) == (np.uint32, [0, 70_001, 2, 0])


def test_line_ends_are_counted_where_documents_are_whole_files(tmp_path: Path) -> None:
    text = "".join(f"line {number} of the text\n" for number in range(400))
    path = file(tmp_path / "a.txt", text)
    rows = "".join(f'"one {number}\ntwo\nthree",{number}\n' for number in range(400))
    table = file(tmp_path / "a.csv", f"text,n\n{rows}")
    found = {}
    for name, config in (
        ("file", DataConfig((path,))),
        ("line", DataConfig((path,), documents="line")),
        ("row", DataConfig((table,))),
    ):
        _, store = prepare(config, tmp_path / name)
        found[name] = Boundaries.of(store.split("train"))
    train = TokenStore.open(tmp_path / "file").split("train")
    assert found["file"] == Boundaries("line", train.num_line_ends)
    assert 300 < train.num_line_ends < 400
    assert (found["line"].kind, found["row"].kind) == ("document", "document")
    assert found["line"].number == TokenStore.open(tmp_path / "line").split("train").num_documents
    assert (found["file"].before, found["line"].before) == ("\n", "")


def test_only_folders_of_ours_are_replaced_and_removed(tmp_path: Path) -> None:
    """The user's may be called as they like; what a kill left behind goes."""
    for name in (".text", f"{TEMPORARY}killed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("mine")
    encode_texts([file(tmp_path / "a.txt", "one two")], ByteTokenizer(), tmp_path)
    assert (tmp_path / ".text" / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [".text"]
