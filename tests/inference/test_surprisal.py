"""Surprisal: sums, batches, words, unknowns and the three forms of output."""

import json
import math

import numpy as np
import pytest
import torch

from unrolled.errors import ConfigError
from unrolled.inference.surprisal import (
    Cost,
    TextScore,
    rank,
    score_text,
    score_texts,
)
from unrolled.models.build import build
from unrolled.models.ngram import NgramModel
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate
from unrolled.settings.models import RecurrentConfig
from unrolled.text.store import Boundaries
from unrolled.text.tokenizers import (
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    Spelling,
    WordTokenizer,
)
from unrolled.text.vocabulary import train_tokenizer

TEXTS = ["to be or not", "be", "", "床前明月光 to be", "or\tnot to\nbe " * 20]
CHARS = CharTokenizer(sorted(set("to be or not 床前明月光\t\n")), Spelling([1] * 257))


@pytest.fixture(params=["lstm", "ngram"])
def model(request):
    torch.manual_seed(0)
    if request.param == "lstm":
        return build(RecurrentConfig("lstm", 8, 16), CHARS.vocab_size).eval()
    stream = np.concatenate([[0], CHARS.encode(" ".join(TEXTS)), [0]])
    return NgramModel(estimate(count_ngrams(stream, 4, CHARS.vocab_size)))


def test_bits_are_those_of_reading_the_text_with_its_end(model):
    score = score_text(model, CHARS, TEXTS[0])
    ids = [0, *CHARS.encode(TEXTS[0]).tolist(), 0]
    with torch.no_grad():
        log_probs, _ = model.read(torch.tensor([ids[:-1]]), model.initial_state(1))
    expected = -log_probs[0].gather(1, torch.tensor(ids[1:])[:, None])[:, 0] / math.log(2)
    assert [token.bits for token in score.tokens] == pytest.approx(expected.tolist(), abs=1e-4)
    assert score.bits == pytest.approx(expected.sum().item(), rel=1e-5)
    assert score.bits_per_byte == pytest.approx(score.bits / len(TEXTS[0]))
    assert score.perplexity == pytest.approx(2 ** (score.bits / (len(TEXTS[0]) + 1)))
    assert score.perplexity_per_word == pytest.approx(2 ** (score.bits / 5))
    assert [token.text for token in score.tokens] == [*TEXTS[0], "<eos>"]


@pytest.mark.parametrize(("rows", "tokens"), [(2, 1000), (64, 40), (64, 1000)])
def test_side_by_side_gives_the_numbers_of_one_by_one_in_order(model, monkeypatch, rows, tokens):
    monkeypatch.setattr("unrolled.inference.surprisal.TOKENS", tokens)
    monkeypatch.setattr("unrolled.inference.surprisal.ROWS", rows)
    monkeypatch.setattr("unrolled.inference.surprisal.WINDOW", 3)
    together = list(score_texts(model, CHARS, iter(TEXTS)))
    assert [score.text for score in together] == TEXTS
    for score in together:
        alone = score_text(model, CHARS, score.text)
        assert [t.bits for t in alone.tokens] == pytest.approx(
            [t.bits for t in score.tokens], abs=1e-4
        )


def test_words_and_the_rest_add_up_and_characters_too(model):
    for score in score_texts(model, CHARS, TEXTS):
        assert sum(word.bits for word in score.words) == pytest.approx(score.bits)
        inside = score.bits - score.tokens[-1].bits
        assert score.characters.sum() == pytest.approx(inside)
        assert score.words[-1].text == "<eos>"
        for word in score.words[:-1]:
            assert score.text[word.start : word.end] == word.text


def test_words_are_cut_at_spaces_and_at_each_east_asian_character():
    costs = (
        Cost("a", 0, 1, 1.0),
        Cost(" b", 1, 3, 2.0),  # its last visible character decides
        Cost("  ", 3, 5, 4.0),  # white space belongs to what follows
        Cost("床", 5, 6, 8.0),
        Cost("前", 6, 7, 16.0),
        Cost("\n", 7, 8, 32.0),
        Cost("<eos>", 8, 8, 64.0),
    )
    words = TextScore("a b  床前\n", costs).words
    assert [(word.text, word.bits) for word in words] == [
        ("a", 1.0),
        ("b", 2.0),
        ("床", 12.0),
        ("前", 16.0),
        ("<eos>", 96.0),
    ]


def test_pieces_of_one_character_add_up_to_it():
    tokenizer = ByteTokenizer()
    torch.manual_seed(0)
    model = build(RecurrentConfig("gru", 8, 16), tokenizer.vocab_size).eval()
    score = score_text(model, tokenizer, "é中")
    bits = [token.bits for token in score.tokens]
    assert score.characters.tolist() == pytest.approx([sum(bits[:2]), sum(bits[2:5])])
    assert [word.bits for word in score.words] == pytest.approx(
        [sum(bits[:2]), sum(bits[2:5]), bits[5]]
    )


def test_an_unknown_word_pays_for_its_spelling_and_a_literal_mark_does_not():
    tokenizer = WordTokenizer(["a", "b"], Spelling([1] * 257), split_punctuation=False)
    torch.manual_seed(0)
    model = build(RecurrentConfig("gru", 8, 16), tokenizer.vocab_size).eval()
    known, unknown = score_text(model, tokenizer, "a <unk>"), score_text(model, tokenizer, "a abba")
    number, nats = tokenizer.unknowns("abba")
    assert (known.num_unknown, unknown.num_unknown, number) == (0, 1, 1)
    assert unknown.bits - known.bits == pytest.approx(nats / math.log(2))
    assert nats > 0


def test_ranking_puts_the_most_likely_first(model):
    ranked = rank(model, CHARS, ["not or to be", "be", "to be or not"])
    bits = [score.bits for score in ranked]
    assert bits == sorted(bits)
    assert {score.text for score in ranked} == {"not or to be", "be", "to be or not"}


def test_a_score_as_json(model):
    text = "or\tnot\nbe"
    score = score_text(model, CHARS, text)
    values = json.loads(json.dumps(score.to_json()))
    assert values["text"] == text
    assert values["bits"] == pytest.approx(sum(token.bits for token in score.tokens))
    assert values["tokens"][2] == {"text": "\t", "start": 2, "end": 3, "bits": score.tokens[2].bits}
    assert [word["text"] for word in values["words"]] == ["or", "not", "be", "<eos>"]
    costs = [token.bits for token in score.tokens[:-1]]
    assert values["characters"] == pytest.approx(costs, abs=1e-6)
    assert score_text(model, CHARS, "").to_json()["bits_per_byte"] is None


def test_byte_pairs_are_scored_too():
    tokenizer = train_tokenizer("bpe", lambda: iter(["to be or not to be " * 50]), 950, 300)
    assert isinstance(tokenizer, BpeTokenizer)
    torch.manual_seed(0)
    model = build(RecurrentConfig("gru", 8, 16), tokenizer.vocab_size).eval()
    score = score_text(model, tokenizer, "to be 床 not")
    assert sum(word.bits for word in score.words) == pytest.approx(score.bits)
    assert [word.text for word in score.words] == ["to", "be", "床", "not", "<eos>"]


LINE = Boundaries("line", 100)


def nats(model, ids: list[int]) -> list[float]:
    """What each token costs after those before it, `ids` beginning with the boundary."""
    with torch.no_grad():
        log_probs, _ = model.read(torch.tensor([ids[:-1]]), model.initial_state(1))
    return (-log_probs[0].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]).tolist()


def test_a_line_is_scored_between_line_ends(model):
    score = score_text(model, CHARS, "to be", LINE)
    costs = nats(model, [0, *CHARS.encode("\nto be\n").tolist()])
    assert [token.text for token in score.tokens] == [*"to be", "\n"]
    assert [token.bits * math.log(2) for token in score.tokens] == pytest.approx(
        costs[1:], abs=1e-4
    )
    assert (score.tokens[-1].start, score.tokens[-1].end) == (5, 5)
    assert [word.text for word in score.words] == ["to", "be", "\n"]


@pytest.mark.parametrize("boundaries", [LINE, Boundaries()])
def test_the_end_and_the_context_are_as_asked_for(model, boundaries):
    before = "床前 "
    score = score_text(model, CHARS, "to be", boundaries, before, end=False)
    costs = nats(model, [0, *CHARS.encode(f"{boundaries.before}{before}to be").tolist()])
    assert [token.text for token in score.tokens] == [*"to be"]
    assert [token.bits * math.log(2) for token in score.tokens] == pytest.approx(
        costs[-5:], abs=1e-4
    )
    assert [word.text for word in score.words] == ["to", "be"]
    assert sum(word.bits for word in score.words) == pytest.approx(score.bits)
    nothing = score_text(model, CHARS, "", boundaries, end=False)
    assert (nothing.bits, nothing.tokens, nothing.words, nothing.perplexity) == (0, (), (), 1)


def test_candidates_are_ranked_after_their_context():
    text = "the cat sat on the mat. the dog ran to the door.\n" * 20
    tokenizer = CharTokenizer(sorted(set(text)), Spelling([1] * 257))
    stream = np.concatenate([[0], tokenizer.encode(text), [0]])
    model = NgramModel(estimate(count_ngrams(stream, 8, tokenizer.vocab_size)))
    for context, likely in (("the cat ", "sat"), ("the dog ", "ran")):
        assert rank(model, tokenizer, ["ran", "sat"], LINE, context, end=False)[0].text == likely


@pytest.mark.parametrize("context", ["It was", "It was "])
def test_a_context_of_words_stands_apart(context):
    tokenizer = WordTokenizer(["It", "was", "a"], Spelling([1] * 257), split_punctuation=True)
    torch.manual_seed(0)
    model = build(RecurrentConfig("gru", 8, 16), tokenizer.vocab_size).eval()
    score = score_text(model, tokenizer, "a was", context=context)
    assert [token.text for token in score.tokens] == ["a", "was", "<eos>"]
    assert score.num_unknown == 0


def test_byte_pairs_of_a_line_are_those_of_the_training():
    text = "to be or not.\nto be\n\nto be or not.\n" * 50
    tokenizer = train_tokenizer("bpe", lambda: iter([text]), len(text), 300)
    torch.manual_seed(0)
    model = build(RecurrentConfig("gru", 8, 16), tokenizer.vocab_size).eval()
    score = score_text(model, tokenizer, "to be or not.", LINE)
    costs = nats(model, [0, *tokenizer.encode("\nto be or not.\n").tolist()])
    assert score.bits * math.log(2) == pytest.approx(sum(costs[1:]), rel=1e-4)
    inside = score_text(model, tokenizer, " be", LINE, "to", end=False)
    assert inside.bits * math.log(2) == pytest.approx(
        sum(nats(model, [0, *tokenizer.encode("\nto be").tolist()])[2:]), rel=1e-4
    )


def test_one_string_is_no_list_of_texts(model):
    for function, name in ((score_texts, "texts"), (rank, "candidates")):
        with pytest.raises(ConfigError, match=rf"^{name} must be a list of strings, got 'to be'"):
            function(model, CHARS, "to be")
        with pytest.raises(ConfigError, match=rf"^each of {name} must be a string, got 5\."):
            list(function(model, CHARS, ["to", 5]))
    with pytest.raises(ConfigError, match=r"^text must be a string, got \['to'\]\."):
        score_text(model, CHARS, ["to"])


def test_one_short_text_is_scored_on_one_thread_and_many_on_all(model, monkeypatch):
    seen = []
    real = type(model).score

    def score(self, *arguments):
        seen.append(torch.get_num_threads())
        return real(self, *arguments)

    monkeypatch.setattr(type(model), "score", score)
    torch.set_num_threads(3)
    score_text(model, CHARS, TEXTS[0])
    list(score_texts(model, CHARS, TEXTS[:1] * 9))
    assert seen == [1, 3]
    assert torch.get_num_threads() == 3
