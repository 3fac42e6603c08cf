"""Next tokens and words, against all continuations counted out."""

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from unrolled.inference.next_words import _finished, next_tokens, next_words
from unrolled.models.ngram import NgramModel
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate
from unrolled.text.vocabulary import train_tokenizer

DATA = Path(__file__).parents[1] / "data"


def ngram(text: str, kind: str, order: int):
    tokenizer = train_tokenizer(kind, lambda: iter([text]), len(text), None)
    stream = np.concatenate([[0], tokenizer.encode(text), [0]])
    return NgramModel(estimate(count_ngrams(stream, order, tokenizer.vocab_size))), tokenizer


@pytest.fixture(scope="module")
def english():
    return ngram((DATA / "english.txt").read_text("utf-8"), "char", 6)


def test_tokens_are_those_that_the_model_holds_most_likely(english):
    model, tokenizer = english
    with torch.no_grad():
        ids = torch.tensor([[0, *tokenizer.encode("It was").tolist()]])
        log_probs, _ = model.read(ids, model.initial_state(1))
    values, tokens = log_probs[0, -1].topk(4)
    found = next_tokens(model, tokenizer, "It was", 4)
    assert [candidate.log_prob for candidate in found] == pytest.approx(values.tolist())
    assert [candidate.text for candidate in found] == [
        tokenizer.token_text(token) for token in tokens.tolist()
    ]


def test_words_have_the_probabilities_of_all_their_spellings():
    model, tokenizer = ngram("ab abc b ab cb abc ab b. ab, cab\n" * 4, "char", 3)
    counted = count_out(model, tokenizer, "ab ", depth=5)
    best = sorted(counted.items(), key=lambda item: -item[1])[:4]
    found = next_words(model, tokenizer, "ab ", 4)
    assert [candidate.text for candidate in found] == [word for word, _ in best]
    for candidate, (_, probability) in zip(found, best, strict=True):
        assert candidate.probability == pytest.approx(probability, rel=0.05)


def count_out(model, tokenizer, prefix: str, depth: int) -> dict[str, float]:
    """Adds up all continuations of up to `depth` tokens that finish a word."""
    words: dict[str, float] = defaultdict(float)
    ids = [0, *tokenizer.encode(prefix).tolist()]

    def walk(data: bytes, ids: list[int], probability: float, left: int) -> None:
        log_probs, _ = model.read(torch.tensor([ids]), model.initial_state(1))
        for token in (0, *range(2, model.vocab_size)):
            chance = probability * math.exp(log_probs[0, -1, token])
            longer = data + tokenizer.decode_bytes([token])
            word = _finished(longer, token == 0)
            if word is not None:
                words[word] += chance
            elif left > 1:
                walk(longer, [*ids, token], chance, left - 1)

    walk(b"", ids, 1.0, depth)
    return words


@pytest.mark.parametrize(
    ("text", "ended", "word"),
    [
        ("the", False, None),
        ("the ", False, "the"),
        ("the", True, "the"),
        (" the", False, None),
        (" the,", False, None),  # "the,b" goes on for all it knows
        (" the, ", False, "the"),
        ("the!", False, "the"),
        ("don'", False, None),
        ("don't ", False, "don't"),
        ("床", False, "床"),
        ("。", False, "。"),
        (".", False, "."),
        (" ", False, None),
        ("", True, "<eos>"),
        (" \n", True, "<eos>"),
    ],
)
def test_where_a_word_ends(text, ended, word):
    assert _finished(text.encode(), ended) == word


def test_half_a_character_is_no_word():
    assert _finished("床".encode()[:2], ended=False) is None


def test_after_a_letter_a_new_word_begins(english):
    words = next_words(*english, "It was", 8)
    assert {"a", "the"} & {candidate.text for candidate in words}
    assert all(candidate.probability <= 1 for candidate in words)
    assert [c.log_prob for c in words] == sorted((c.log_prob for c in words), reverse=True)


@pytest.mark.parametrize("kind", ["byte", "char", "word"])
def test_the_article_s_example_works_for_tokens_of_any_size(kind):
    text = "我爱吃苹果。我爱吃米饭。我爱喝茶。他爱吃苹果。\n" * 30
    model, tokenizer = ngram(text, kind, 6)
    words = next_words(model, tokenizer, "我爱吃", 2)
    assert {words[0].text, words[1].text} == {"苹", "米"}
    assert sum(candidate.probability for candidate in words) > 0.9


def test_words_are_tokens_where_tokens_are_words():
    model, tokenizer = ngram("the cat sat . the dog sat . the cat ran .\n" * 20, "word", 3)
    tokens, words = (find(model, tokenizer, "the", 2) for find in (next_tokens, next_words))
    assert [candidate.text for candidate in words] == ["cat", "dog"]
    assert [c.log_prob for c in words] == pytest.approx([c.log_prob for c in tokens], abs=0.03)


def test_more_words_are_found_than_beginnings_are_followed_otherwise():
    names = {f"{first}{second}o" for first in "abcdefghijkl" for second in "abcdefghijkl"}
    text = " ".join(f"the {name}" for name in sorted(names)) + "\n"
    model, tokenizer = ngram(text * 20, "char", 6)
    found = next_words(model, tokenizer, "the", 144)
    assert {candidate.text for candidate in found} == names
    assert sum(candidate.probability for candidate in found) > 0.95


def test_a_prefix_is_read_on_one_thread(english, monkeypatch):
    model, tokenizer = english
    seen, real = [], type(model).read

    def read(self, *arguments):
        seen.append(torch.get_num_threads())
        return real(self, *arguments)

    monkeypatch.setattr(type(model), "read", read)
    torch.set_num_threads(3)
    next_tokens(model, tokenizer, "to be or")
    assert seen == [1]
    assert torch.get_num_threads() == 3
