"""Words are those of UAX 29; they are counted as they are cut, and joined as they were."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.text.words import (
    COUNTED_WORDS,
    PLAIN_WORDS,
    count_words,
    is_tokenized,
    mirrored,
    with_space,
)

SPACES = "".join(chr(code) for code in range(0x3100) if chr(code).isspace())
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("पाठशाला में।", ["पाठशाला", "में", "।"]),
        ("pre\u0301sente\u0301!", ["pre\u0301sente\u0301", "!"]),
        ("self.max_len", ["self", ".", "max_len"]),
        ("well-known don't 3.14 U.S.", ["well-known", "don't", "3.14", "U", ".", "S", "."]),
        (f"ok{FAMILY}ok", ["ok", FAMILY, "ok"]),
        (
            "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
            ["\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"],
        ),
        (
            "\U0001f44b\U0001f3fd1\ufe0f\u20e3\u203c\ufe0f",
            ["\U0001f44b\U0001f3fd", "1\ufe0f\u20e3", "\u203c\ufe0f"],
        ),
        ("ดีครับ very good", ["ดี", "ค", "รั", "บ", "very", "good"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("我爱が\u3099、", ["我", "爱", "が\u3099", "、"]),
        ("שלום־עולם ኢትዮ፡ጵያ شعر؟", ["שלום", "־", "עולם", "ኢትዮ", "፡", "ጵያ", "شعر", "؟"]),
        ("\U00011104\U0001110b\U00011134 a", ["\U00011104\U0001110b\U00011134", "a"]),
        ("a\u200bb", ["a", "\u200b", "b"]),
        ("a <unk> b\n", ["a", "<unk>", "b", "\n"]),
    ],
)
def test_words_are_those_of_unicode(text: str, words: list[str]) -> None:
    assert PLAIN_WORDS.findall(text) == words


def test_marks_belong_to_the_letter_before_and_punctuation_to_none():
    for code in range(0x80, 0x10000):
        char, category = chr(code), unicodedata.category(chr(code))
        words = PLAIN_WORDS.findall(f"k{char}k")
        if category in ("Mn", "Me") and char < "\u0e00":
            assert words == [f"k{char}k"], hex(code)
        if category in ("Po", "Ps", "Pe", "Pi", "Sm", "Sc") and char not in "·’״׳":
            assert words == ["k", char, "k"], hex(code)


MIXED = st.text(st.sampled_from(SPACES + "ab1.'-_我が\u3099ดี\u0301\u200d\U0001f600\u200b\ufeff"))


@given(text=MIXED)
def test_nothing_that_is_seen_is_lost(text: str) -> None:
    assert "".join(PLAIN_WORDS.findall(text)).replace("\n", "") == "".join(text.split())


@given(text=MIXED)
def test_words_are_counted_as_they_are_cut(text: str) -> None:
    assert count_words(text) == len(COUNTED_WORDS.findall(text))


@given(text=st.text(st.sampled_from(SPACES + "ab\U0001f600\u200b\ufeff")))
def test_where_there_are_spaces_words_stand_between_them(text: str) -> None:
    assert count_words(text) == len(text.split())


def test_characters_of_scripts_without_spaces_are_counted() -> None:
    assert count_words("我爱 Python，真的\n") == 6
    assert count_words("ดีครับ") == 4


def test_nothing_stands_between_characters_of_scripts_without_spaces() -> None:
    assert [with_space(word, True) for word in ("ดี", "我", "a", "\n")] == ["ดี", "我", "a ", "\n"]


def test_every_white_space_separates() -> None:
    assert count_words("a" + "a".join(SPACES) + "a") == len(SPACES) + 1


def test_text_is_tokenized_where_few_words_hold_more_than_a_word() -> None:
    assert is_tokenized(["the cat , the dog . mr. smith \n", "and so on and on " * 10])
    assert not is_tokenized(["The cat, the dog. Mr. Smith.\n"])
    assert not is_tokenized(["我爱吃苹果和香蕉 今天天气很好"])
    assert is_tokenized(["我 爱 吃 苹果 和 香蕉"])


def test_the_beginning_of_a_text_decides() -> None:
    def texts():
        yield "a b c d " * 100_000
        raise AssertionError("read further than needed")

    assert is_tokenized(texts())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It isn't bad.\nNo!", "! No \n . bad isn't It"),
        ("太差了，no", "no ， 了 差 太"),
        (" \t", ""),
    ],
)
def test_mirrored_texts_have_the_same_words_from_the_last_to_the_first(text, expected):
    assert mirrored(text) == expected
    assert PLAIN_WORDS.findall(expected) == PLAIN_WORDS.findall(text)[::-1]
