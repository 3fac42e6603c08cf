"""Words are counted as `str.split` counts them, and joined as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.text.words import PLAIN_WORDS, count_words, is_tokenized, mirrored

SPACES = "".join(chr(code) for code in range(0x3100) if chr(code).isspace())


@given(text=st.text(st.sampled_from(SPACES + "ab我\U0001f600\u200b\ufeff")))
def test_words_are_what_stands_between_white_space(text: str) -> None:
    assert count_words(text) == len(text.split())


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
