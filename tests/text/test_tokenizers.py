"""Every tokenizer: round trips, spans, unknown symbols, vocabularies, and files."""

import json
import math
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import CheckpointError, ConfigError, TextError
from unrolled.settings.data import TokenizerKind
from unrolled.text import corpus
from unrolled.text.corpus import Corpus
from unrolled.text.documents import Piece
from unrolled.text.tokenizers import (
    BOUNDARY_ID,
    UNKNOWN_ID,
    ByteTokenizer,
    CharTokenizer,
    Tokenizer,
    WordTokenizer,
    load_tokenizer,
)
from unrolled.text.vocabulary import train_tokenizer

DATA = Path(__file__).parents[1] / "data"
ENGLISH = (DATA / "english.txt").read_text("utf-8")
CHINESE = (DATA / "chinese.txt").read_text("utf-8")
KINDS: tuple[TokenizerKind, ...] = ("byte", "char", "word", "bpe")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
REMEDY = "Restore the file, or train again."


def train(kind: TokenizerKind, text: str, vocab_size: int | None = None) -> Any:
    return train_tokenizer(kind, lambda: [text], len(text.encode()), vocab_size)


@cache
def trained(kind: TokenizerKind) -> Any:
    """A tokenizer of English and Chinese, which no test changes."""
    return train(kind, ENGLISH + CHINESE, 1_000 if kind == "bpe" else None)


def words(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.token_text(token) for token in tokenizer.encode(text).tolist()]


# Round trips


@given(data=st.binary())
def test_any_bytes_come_back(data: bytes) -> None:
    for kind in ("byte", "bpe"):
        ids = trained(kind).encode_bytes(data)
        assert BOUNDARY_ID not in ids
        assert trained(kind).decode_bytes(ids) == data


@given(text=ANY_TEXT)
def test_any_text_comes_back(text: str) -> None:
    for kind in ("byte", "bpe"):
        ids = trained(kind).encode(text)
        assert trained(kind).decode(ids) == text
        assert ids.tolist() == trained(kind).encode_bytes(text.encode()).tolist()
    tokenizer = train("char", text + "a")
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.unknowns(text) == (0, 0.0)


def test_real_text_comes_back() -> None:
    text = ENGLISH + CHINESE
    for kind in ("byte", "bpe"):
        assert trained(kind).decode(trained(kind).encode(text)) == text
    char = trained("char")
    known = "".join(symbol if symbol in char.chars else "\ufffd" for symbol in text)
    assert char.decode(char.encode(text)) == known
    assert 0 < char.unknowns(text)[0] == known.count("\ufffd") < len(text) / 50


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_the_boundary(kind: TokenizerKind) -> None:
    text = "an <eos> <eos><eos>\n<eos> <unk>"
    tokenizer = train(kind, (text + "\n") * 9)
    assert BOUNDARY_ID not in tokenizer.encode(text)
    assert (
        tokenizer.decode(tokenizer.encode(text)).split()
        == tokenizer.decode([BOUNDARY_ID, *tokenizer.encode(text), BOUNDARY_ID]).split()
    )
    if kind != "word":
        assert tokenizer.decode(tokenizer.encode(text)) == text


@given(text=ANY_TEXT, place=st.integers(0, 50))
def test_decoded_pieces_add_up(text: str, place: int) -> None:
    for kind in KINDS:
        ids, decode = trained(kind).encode(text).tolist(), trained(kind).decode_bytes
        assert decode(ids[:place]) + decode(ids[place:]) == decode(ids)


@given(texts=st.lists(ANY_TEXT))
def test_many_texts_are_encoded_as_each_of_them(texts: list[str]) -> None:
    for kind in KINDS:
        one_by_one = [trained(kind).encode(text).tolist() for text in texts]
        assert [ids.tolist() for ids in trained(kind).encode_many(texts)] == one_by_one


@pytest.mark.parametrize("kind", KINDS)
def test_text_read_in_pieces_has_the_same_tokens(
    kind: TokenizerKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "PIECE_CHARS", 100)
    monkeypatch.setattr(corpus, "BLOCK", 333)
    text = ENGLISH[:5_000] + "\n\n \t\n" + ENGLISH[5_000:9_000]
    stored = Corpus.write([Piece(text, "a.txt", ends_document=True)], tmp_path)
    pieces = [piece for piece, _ in stored.iter_pieces(stored.spans())]
    assert len(pieces) > 90
    ids = [token for piece in pieces for token in trained(kind).encode(piece).tolist()]
    assert ids == trained(kind).encode(text).tolist()


# What a symbol is


@pytest.mark.parametrize("kind", KINDS)
def test_ids_stand_for_as_many_bytes_as_is_said(kind: TokenizerKind) -> None:
    tokenizer = trained(kind)
    assert tokenizer.token_bytes.shape == (tokenizer.vocab_size,)
    assert tokenizer.token_bytes[BOUNDARY_ID] == 0
    for token, num_bytes in enumerate(tokenizer.token_bytes.tolist()):
        text = tokenizer.decode_bytes([token])
        assert num_bytes == len(text.removesuffix(b" ") if kind == "word" else text)


@given(text=st.text(st.sampled_from("ab é我\U0001f600.\n")))
def test_spans_are_where_the_tokens_stand(text: str) -> None:
    for kind in KINDS:
        ids, starts, ends = (part.tolist() for part in trained(kind).spans(text))
        assert ids == trained(kind).encode(text).tolist()
        assert starts == sorted(starts) and ends == sorted(ends)
        covered = {place for pair in zip(starts, ends, strict=True) for place in range(*pair)}
        skipped = "".join(text[place] for place in range(len(text)) if place not in covered)
        assert skipped.strip(" ") == "" if kind == "word" else skipped == ""
        for token, start, end in zip(ids, starts, ends, strict=True):
            symbol = trained(kind).decode_bytes([token])
            if token != UNKNOWN_ID or kind in ("byte", "bpe"):
                assert symbol.rstrip(b" ") in text[start:end].encode()


def test_spans_within_a_character() -> None:
    ids, starts, ends = ByteTokenizer().spans("a我b")
    assert ids.tolist() == [98, 0xE6 + 1, 0x88 + 1, 0x91 + 1, 99]
    assert starts.tolist() == [0, 1, 1, 1, 2]
    assert ends.tolist() == [1, 2, 2, 2, 3]


def test_symbols_are_printable() -> None:
    assert [ByteTokenizer().token_text(token) for token in (0, 11, 33, 98, 0xE6 + 1)] == [
        "<eos>",
        "\\n",
        " ",
        "a",
        "\\xe6",
    ]
    char = CharTokenizer(["\n", "我"], trained("char").spelling)
    assert [char.token_text(token) for token in range(4)] == ["<eos>", "<unk>", "\\n", "我"]
    word = WordTokenizer(["the", "\n"], trained("word").spelling, split_punctuation=True)
    assert [word.token_text(token) for token in range(4)] == ["<eos>", "<unk>", "the", "\\n"]


def test_byte_pairs() -> None:
    tokenizer = trained("bpe")
    assert tokenizer.vocab_size == 1_000
    singles = [tokenizer.decode_bytes([token]) for token in range(1, 257)]
    assert sorted(singles) == [bytes([byte]) for byte in range(256)]
    assert " the" in tokenizer.token_text(tokenizer.encode(" the")[0])
    unspaced = train("bpe", "我爱吃苹果和香蕉。" * 50)
    assert 12 <= max(unspaced.token_bytes) <= 18


def test_words_of_tokenized_text_stand_between_spaces() -> None:
    tokenizer = train("word", " the u.s. <unk> N don't \n" * 2 + "the end of it\n" * 25)
    assert not tokenizer.split_punctuation
    assert train("word", "the u.s.\n" * 2 + "the end of it\n" * 20).split_punctuation
    assert words(tokenizer, "the u.s.  <unk>\n don't") == ["the", "u.s.", "<unk>", "\\n", "don't"]
    text = "the u.s.\n<unk> don't"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_words_of_prose_have_no_punctuation_in_them() -> None:
    text = 'He said: "Well-known, isn’t it? 3.14 and 1,000 (don\'t)."\nYes... <unk>\n'
    tokenizer = train("word", text * 2)
    assert tokenizer.split_punctuation
    expected = (
        'He said : " Well-known , isn’t it ? 3.14 and 1,000 ( don\'t ) . " \\n Yes . . . <unk> \\n'
    )
    assert words(tokenizer, text) == expected.split()
    lines = tokenizer.decode(tokenizer.encode(text)).split("\n")
    assert [line.split() for line in lines][1] == ["Yes", ".", ".", ".", "<unk>"]


def test_a_chinese_character_is_a_word() -> None:
    text = "我爱吃苹果和香蕉，今天天气好。"
    tokenizer = train("word", text * 3 + "\n")
    assert words(tokenizer, text) == list(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


# Unknown symbols


def test_what_an_unknown_symbol_costs() -> None:
    tokenizer = train("word", "b b b a ab ab\n\n")
    assert tokenizer.unknowns("a b") == (1, pytest.approx(cost("a")))
    assert tokenizer.encode("a b").tolist() == [UNKNOWN_ID, 2]
    assert tokenizer.unknowns("éb é <unk> éb") == (3, pytest.approx(2 * cost("éb") + cost("é")))
    char = train("char", "ab\n")
    assert char.unknowns("aéé") == (2, pytest.approx(2 * cost("é", ends=3, a=1, b=1)))


def cost(symbol: str, ends: int = 4, a: int = 2, b: int = 2) -> float:
    """Add-one over the bytes and ends of the types: of the words "b", "a", "ab" and line end."""
    counts = {ord("a"): a, ord("b"): b, ord("\n"): 1}
    total = sum(counts.values()) + ends + 257
    events = [counts.get(byte, 0) + 1 for byte in symbol.encode()] + [ends + 1]
    return -sum(math.log(event / total) for event in events)


def test_a_literal_unk_is_a_word_of_the_text() -> None:
    tokenizer = train("word", "the <unk> of <unk>\n" * 2)
    assert tokenizer.encode("<unk>").tolist() == [UNKNOWN_ID]
    assert tokenizer.unknowns("<unk> <unk>") == (0, 0.0)
    assert "<unk>" not in tokenizer.words


@given(text=ANY_TEXT)
def test_every_unknown_id_is_counted(text: str) -> None:
    for kind in ("char", "word"):
        tokenizer = trained(kind)
        number, nats = tokenizer.unknowns(text)
        assert number == (tokenizer.encode(text) == UNKNOWN_ID).sum()
        assert nats >= number * math.log(2)
    for kind in ("byte", "bpe"):
        assert trained(kind).unknowns(text) == (0, 0.0)


# Vocabularies


def test_frequent_symbols_come_first_and_ties_are_in_order() -> None:
    assert train("word", "b a b a c\nc c d\n").words == ["c", "\n", "a", "b"]
    assert train("word", "b a b a c\nc c d\n", 5).words == ["c", "\n", "a"]
    assert train("char", "bac ca").chars == ["a", "c", " ", "b"]
    assert train("char", "bac ca", 4).chars == ["a", "c"]


def test_a_finished_vocabulary_is_kept_whole() -> None:
    assert train("word", "a <unk> b b\n").words == ["b", "\n", "a"]
    assert train("word", "a b b\n\n").words == ["\n", "b"]


def test_rare_characters_are_unknown_where_there_are_many() -> None:
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 1_000)))
    assert train("char", many).vocab_size == 1_002
    assert train("char", many + "ab" + many[:7]).chars == list(many[:7])


def test_the_same_text_gives_the_same_tokenizer() -> None:
    for kind in KINDS:
        prints = {train(kind, ENGLISH).fingerprint for _ in range(3)}
        assert len(prints) == 1
        assert kind == "byte" or prints != {train(kind, ENGLISH[:9_000]).fingerprint}


@pytest.mark.parametrize(
    ("text", "num_bytes", "kind"),
    [
        (ENGLISH, 25_000, "char"),
        (ENGLISH, 3_000_000, "bpe"),
        (ENGLISH + "".join(map(chr, range(0x400, 0x500))), 25_000, "bpe"),
        (CHINESE, 100_000_000, "char"),
        ("오늘은 날씨가 좋아요 " * 9, 100_000_000, "char"),
        ("今日はとても良い天気です。 ok " * 9, 100_000_000, "char"),
    ],
)
def test_the_kind_that_suits_a_text(text: str, num_bytes: int, kind: str) -> None:
    assert train_tokenizer("auto", lambda: [text], num_bytes).kind == kind


@pytest.mark.parametrize(
    ("num_bytes", "vocab_size"), [(1, 2_048), (8_192_000, 4_096), (64_000_000, 16_384)]
)
def test_byte_pairs_grow_with_the_text(num_bytes: int, vocab_size: int) -> None:
    draw = random.Random(0)
    text = " ".join("".join(draw.choices("abcdefgh", k=12)) for _ in range(5_000)) * 2
    assert train_tokenizer("bpe", lambda: [text], num_bytes).vocab_size == vocab_size


@pytest.mark.parametrize(
    ("kind", "vocab_size", "message"),
    [
        ("word", 2, "vocab_size must be at least 3, got 2. Write for example 10000."),
        ("char", 0, "vocab_size must be at least 3, got 0. Write for example 10000."),
        (
            "bpe",
            256,
            "vocab_size must be at least 257 for bpe, one for each byte and the boundary, got 256. "
            "Write for example 4096.",
        ),
    ],
)
def test_too_small_vocabularies(kind: TokenizerKind, vocab_size: int, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        train(kind, ENGLISH, vocab_size)
    assert str(error.value) == message


# Files and bad input


@pytest.mark.parametrize("kind", KINDS)
def test_saved_tokenizers_are_the_same(kind: TokenizerKind, tmp_path: Path) -> None:
    before = trained(kind)
    before.save(tmp_path / "a.json")
    after = load_tokenizer(tmp_path / "a.json")
    assert after.fingerprint == before.fingerprint
    assert (after.kind, after.vocab_size) == (kind, before.vocab_size)
    text = ENGLISH + "쀍 <eos>\r\n"
    assert after.encode(text).tolist() == before.encode(text).tolist()
    assert after.unknowns(text) == before.unknowns(text)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


BPE: dict[str, Any] = {"kind": "bpe", "vocab": ["<eos>", "a"], "merges": []}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "JSONDecodeError: Expecting property name enclosed in double quotes: "),
        ("[]", "AttributeError: "),
        ("{}", "KeyError: 'kind')"),
        ('{"kind": "gpt"}', "ValueError: there is no kind 'gpt')"),
        ('{"kind": "char", "chars": ["ab"]}', "TypeError: "),
        ('{"kind": "word", "words": [], "spelling": [1]}', "ValueError: the spelling"),
        (json.dumps(BPE), "KeyError: "),
        (json.dumps(BPE | {"merges": [["a", "b"]]}), "ValueError: a merge"),
    ],
)
def test_files_that_are_no_tokenizer(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(CheckpointError) as error:
        load_tokenizer(path)
    assert str(error.value).startswith(f"{path} is not a tokenizer ({reason}")
    assert str(error.value).endswith(f"). {REMEDY}")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as error:
        load_tokenizer(tmp_path / "a.json")
    problem = f"cannot be read (No such file or directory). {REMEDY}"
    assert str(error.value) == f"{tmp_path / 'a.json'} {problem}"


@pytest.mark.parametrize("tokenizer", [*map(trained, KINDS)], ids=KINDS)
def test_half_a_character(tokenizer: Tokenizer) -> None:
    calls: Sequence[Any] = (
        tokenizer.encode,
        tokenizer.spans,
        lambda text: tokenizer.encode_many([text]),
    )
    for call in calls:
        with pytest.raises(TextError) as error:
            call("ab\ud800")
        message = "the text has half of a surrogate pair at character 2. Remove it."
        assert str(error.value) == message


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "char", "chars": ["a"], "spelling": [0] * 256},
        {"kind": "char", "chars": ["a"], "spelling": [-1] * 257},
        {"kind": "bpe", "vocab": ["<eos>", "a", "b"], "merges": [["<eos>", "a"]]},
        {"kind": "bpe", "vocab": ["<eos>", "a", "a"], "merges": []},
    ],
)
def test_values_that_are_no_tokenizer(tmp_path, values):
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="tokenizer.json is not a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")
