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
from unrolled.text.store import Boundaries
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
                words[word[0]] += chance
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
    found = _finished(text.encode(), ended)
    assert (found and found[0]) == word


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
    found = next_words(model, tokenizer, "the ", 144)
    assert {candidate.text for candidate in found} == names
    assert sum(candidate.probability for candidate in found) > 0.95


def best(text: str, kind: str, prefix: str, order: int = 8) -> str:
    """The most likely word after a prefix, the text being the whole training."""
    model, tokenizer = ngram(text * 20, kind, order)
    return next_words(model, tokenizer, prefix, 3)[0].text


@pytest.mark.parametrize("kind", ["byte", "char", "bpe", "word"])
def test_a_begun_word_is_completed(kind):
    text = "It was a man. It was a house. It want that.\n"
    model, tokenizer = ngram(text * 20, kind, 4)
    words = next_words(model, tokenizer, "It wa", 3)
    assert (words[0].text, words[0].completes) == ("was", True)
    assert all(word.completes for word in words)
    after = next_words(model, tokenizer, "It was", 3)[0]
    assert (after.text, after.completes) == ("a", False)
    assert after.probability > 0.8


def test_a_completion_has_its_share_of_all_words_that_begin_so():
    model, tokenizer = ngram("It was . It was . It want . It is .\n" * 20, "word", 3)
    chances = {token.text: token.probability for token in next_tokens(model, tokenizer, "It", 9)}
    found = {word.text: word.probability for word in next_words(model, tokenizer, "It wa", 9)}
    both = chances["was"] + chances["want"]
    assert found["was"] == pytest.approx(chances["was"] / both, rel=1e-4)
    assert found["want"] == pytest.approx(chances["want"] / both, rel=1e-4)


@pytest.mark.parametrize("kind", ["char", "word"])
def test_completions_and_next_words_share_one_probability(kind):
    text = "to go into a town to go to it.\n"
    model, tokenizer = ngram(text * 20, kind, 3)
    words = next_words(model, tokenizer, "go to", 100)
    assert sum(word.probability for word in words) == pytest.approx(1, abs=0.04)
    assert {word.text for word in words if word.completes} >= {"town"}
    assert {word.text for word in words if not word.completes} >= {"it"}


FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("text", "prefix", "word"),
    [
        ("वह पाठशाला गया।\n", "वह ", "पाठशाला"),
        ("वह पाठशाला गया।\n", "वह पाठ", "पाठशाला"),
        ("il a pre\u0301sente\u0301 un livre\n", "il a ", "pre\u0301sente\u0301"),
        ("il a pre\u0301sente\u0301 un livre\n", "il a pre\u0301", "pre\u0301sente\u0301"),
        ("x = self.max_len + 1\n", "x = self.", "max_len"),
        ("x = self.max_len + 1\n", "x = self.max_", "max_len"),
        (f"we are {FAMILY} now\n", "we are ", FAMILY),
        (f"we are {FAMILY} now\n", "we are \U0001f469", FAMILY),
        ("flag \U0001f1e9\U0001f1ea flies\n", "flag ", "\U0001f1e9\U0001f1ea"),
        ("ดีครับ\n", "ดีค", "รั"),
        ("it costs 3.14 in all\n", "it costs ", "3.14"),
        ("well-known facts\n", "well", "well-known"),
    ],
)
def test_a_word_is_whole_in_every_script(text, prefix, word):
    assert best(text, "char", prefix) == word


def test_a_word_of_several_bytes_a_letter_is_whole():
    assert best("वह पाठशाला गया।\n", "byte", "वह पाठ") == "पाठशाला"


def test_letters_without_a_token_are_not_completed(english):
    found = next_words(*english, "It was q\u017e", 3)
    assert found and not any(candidate.completes for candidate in found)


def test_a_million_words_are_as_many_as_there_are(english):
    model, tokenizer = english
    found = next_words(model, tokenizer, "It was ", 1_000_000)
    assert 100 < len(found) < 10_000
    assert len({candidate.text for candidate in found}) == len(found)
    assert len(next_tokens(model, tokenizer, "It was ", 1_000_000)) == model.vocab_size


def test_a_prefix_begins_where_lines_of_the_training_do():
    model, tokenizer = ngram("once\n" + "ab cd\n" * 50, "char", 4)
    line = Boundaries("line", 51)
    assert next_words(model, tokenizer, "", 1)[0].text == "once"
    assert next_words(model, tokenizer, "", 1, line)[0].text == "ab"
    assert next_tokens(model, tokenizer, "", 1, line)[0].text == "a"


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
