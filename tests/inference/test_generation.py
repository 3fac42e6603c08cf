"""Sampling: filters by hand, streams, stop strings, seeds; with models whose answers are known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.errors import ConfigError
from unrolled.inference.generation import (
    SamplingConfig,
    filtered_probs,
    generate,
    sample_ids,
    stream,
)
from unrolled.models.build import build
from unrolled.models.ngram import NgramModel
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate
from unrolled.settings.models import RecurrentConfig
from unrolled.text.store import Boundaries
from unrolled.text.tokenizers import ByteTokenizer, CharTokenizer, Spelling, WordTokenizer

CHARS = CharTokenizer("abcd", Spelling([1] * 257))


class Successor:
    """After symbol i comes i + 1 for certain; after the last one the text ends.

    Its state counts what was read: whoever loses or mixes up states is found out.
    """

    vocab_size = 6

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size, 1)

    def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        following = torch.where(tokens == 0, 2, (tokens + 1) % self.vocab_size)
        log_probs = torch.nn.functional.one_hot(following, self.vocab_size).float().log()
        return log_probs, state + tokens.shape[1]

    def score(self, tokens: Tensor, targets: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        log_probs, state = self.read(tokens, state)
        return log_probs.gather(-1, targets[..., None])[..., 0], state


class Fixed(Successor):
    """Always the same distribution."""

    def __init__(self, probs: list[float]) -> None:
        self.log_probs = torch.tensor(probs).log()
        self.vocab_size = len(probs)

    def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self.log_probs.expand(*tokens.shape, -1).clone(), state


def filtered(probs: list[float], recent: tuple[int, ...] = (1,), **settings) -> list[float]:
    log_probs = torch.tensor([probs]).log()
    kept = filtered_probs(log_probs, torch.tensor([recent]), SamplingConfig(**settings))
    return [round(value, 4) for value in kept[0].tolist()]


def test_filters_keep_what_their_definitions_say():
    probs = [0.4, 0.3, 0.2, 0.1]
    assert filtered(probs) == probs
    assert filtered(probs, temperature=0) == [1, 0, 0, 0]
    assert filtered(probs, temperature=1e-5) == [1, 0, 0, 0]
    assert filtered(probs, temperature=1e-320) == [1, 0, 0, 0]
    assert filtered(probs, temperature=0.5) == [0.5333, 0.3, 0.1333, 0.0333]
    assert filtered(probs, top_k=2) == [0.5714, 0.4286, 0, 0]
    assert filtered(probs, top_k=9) == probs
    assert filtered([0.25] * 4, top_k=1) == [1, 0, 0, 0]
    assert filtered([0.2, 0.3, 0.2, 0.3], top_k=3) == [0.25, 0.375, 0, 0.375]
    assert filtered([0.25] * 4, top_p=0.5) == [0.5, 0.5, 0, 0]
    assert filtered(probs, top_p=0.5) == [0.5714, 0.4286, 0, 0]
    assert filtered(probs, top_p=0.1) == [1, 0, 0, 0]
    assert filtered(probs, min_p=0.45) == [0.4444, 0.3333, 0.2222, 0]
    assert filtered(probs, top_k=3, top_p=0.6) == [0.5714, 0.4286, 0, 0]


@pytest.mark.parametrize(
    "settings",
    [{"top_p": 1e-50}, {"temperature": 1e6}, {"temperature": 1e-45}, {"repetition_penalty": 0.01}],
)
def test_extremes_leave_probabilities(settings):
    probs = filtered([0.2, 0.5, 0.3, 0.0], **settings)
    assert sum(probs) == pytest.approx(1, abs=1e-3) and probs[3] == 0
    if "top_p" in settings:
        assert probs == [0, 1, 0, 0]


def test_the_penalty_multiplies_log_probabilities_of_recent_tokens_once():
    squared = [0.4, 0.09, 0.2, 0.1]
    expected = [round(value / sum(squared), 4) for value in squared]
    assert filtered([0.4, 0.3, 0.2, 0.1], (1, 1, 1), repetition_penalty=2.0) == expected


def test_the_penalty_leaves_the_end_of_the_text_alone():
    probs = [0.4, 0.3, 0.2, 0.1]
    assert filtered(probs, (0,), repetition_penalty=2.0) == probs


def test_the_text_goes_on_from_the_prompt_and_ends_where_the_model_ends_it():
    assert generate(Successor(), CHARS, "") == ["abcd"]
    assert generate(Successor(), CHARS, "ab", num_samples=3) == ["cd"] * 3
    assert generate(Successor(), CHARS, "a", SamplingConfig(max_tokens=2)) == ["bc"]
    assert generate(Successor(), CHARS, "d") == [""]


@pytest.mark.parametrize(
    ("stop", "text"), [(("c",), "ab"), (("bc",), "a"), (("bx", "cd"), "ab"), (("dd",), "abcd")]
)
def test_stop_strings_are_left_out_also_when_they_come_in_pieces(stop, text):
    config = SamplingConfig(stop=stop)
    assert generate(Successor(), CHARS, "", config) == [text]
    pieces = list(stream(Successor(), CHARS, "", config))
    assert "".join(pieces) == text
    assert "" not in pieces


WORDS = WordTokenizer(["the", "cat", "\n", "sat"], Spelling([1] * 257), split_punctuation=True)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("", "the cat\nsat"),
        ("the", " cat\nsat"),
        ("the ", "cat\nsat"),
        ("the cat", "\nsat"),
        ("the cat\n", "sat"),
        ("dog", " the cat\nsat"),
        ("床", "the cat\nsat"),
    ],
)
def test_words_stand_apart_and_lines_end_without_a_space(prompt, text):
    assert generate(Successor(), WORDS, prompt) == [text]
    assert "".join(stream(Successor(), WORDS, prompt)) == text


def test_symbols_that_are_no_words_keep_their_spaces():
    spaced = CharTokenizer("a b ", Spelling([1] * 257))
    assert generate(Successor(), spaced, "a") == [" b "]


def test_characters_are_streamed_whole():
    tokenizer = ByteTokenizer()
    ids = tokenizer.encode("é中a").tolist()

    class Bytes(Successor):
        vocab_size = tokenizer.vocab_size

        def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            place = int(state[0, 0])
            following = torch.tensor([[[*ids, 0][min(place, len(ids))]]])
            log_probs = torch.nn.functional.one_hot(following, self.vocab_size).float()
            return log_probs.log(), state + 1

    assert list(stream(Bytes(), tokenizer, "")) == ["é", "中", "a"]


def test_a_sample_does_not_depend_on_how_many_there_are():
    torch.manual_seed(0)
    model = build(RecurrentConfig("gru", 8, 16), CHARS.vocab_size).eval()
    model.set_output_bias(torch.tensor([-20.0, *[0.0] * 5]))  # long texts are all different
    config = SamplingConfig(max_tokens=30, seed=5)
    four = generate(model, CHARS, "ab", config, 4)
    assert generate(model, CHARS, "ab", config, 2) == four[:2]
    assert len(set(four)) == 4
    for other in (0, 6, 10**30):  # of any size
        assert not set(four) & set(
            generate(model, CHARS, "ab", SamplingConfig(max_tokens=30, seed=other), 4)
        )


def test_there_has_to_be_a_sample():
    with pytest.raises(ConfigError) as caught:
        generate(Successor(), CHARS, "", num_samples=0)
    assert str(caught.value) == "num_samples must be 1 or more, got 0. Use for example 1."


def test_draws_follow_the_distribution_and_never_give_the_unknown():
    model = Fixed([0.0, 0.4, 0.3, 0.2, 0.1, 0.0])
    config = SamplingConfig(max_tokens=3000)
    drawn = torch.cat(list(sample_ids(model, [0], config, 1, banned=[1])))
    shares = drawn.bincount(minlength=6) / len(drawn)
    expected = torch.tensor([0, 0, 0.5, 1 / 3, 1 / 6, 0])
    torch.testing.assert_close(shares, expected, atol=0.04, rtol=0)
    text = generate(model, CHARS, "", SamplingConfig(max_tokens=50))[0]
    assert set(text) <= set("abc")
    assert len(text) == 50


def test_a_long_prompt_is_read_in_pieces_to_the_same_effect():
    torch.manual_seed(0)
    model = build(RecurrentConfig("lstm", 8, 16), CHARS.vocab_size).eval()
    prompt = [0, *([2, 3, 4, 5] * 200)]
    with torch.no_grad():
        whole, _ = model.read(torch.tensor([prompt]), model.initial_state(1))
    first = next(sample_ids(model, prompt, SamplingConfig(temperature=0), 1))
    assert first.item() == whole[0, -1].argmax().item()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"temperature": -1},
            "temperature must be from 0 to 1000000, got -1. Use for example 0.8.",
        ),
        (
            {"temperature": math.nan},
            "temperature must be from 0 to 1000000, got nan. Use for example 0.8.",
        ),
        ({"top_p": 0}, "top_p must be above 0 and at most 1, got 0. Use for example 0.9."),
        ({"min_p": 2}, "min_p must be from 0 to 1, got 2. Use for example 0.05."),
        ({"top_k": -1}, "top_k must be 0 or more, got -1. Use for example 40, or 0 for all."),
        ({"max_tokens": 0}, "max_tokens must be 1 or more, got 0. Use for example 200."),
        ({"stop": ("",)}, "stop must be no empty string, got ('',). Leave it out."),
        (
            {"repetition_penalty": 0},
            "repetition_penalty must be from 0.01 to 100, got 0. Use for example 1.2.",
        ),
        ({"seed": -1}, "seed must be 0 or more, got -1. Use for example 0."),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError) as caught:
        SamplingConfig(**settings)
    assert str(caught.value) == message


def test_samples_begin_where_the_lines_of_the_training_do():
    text = "once\n" + "ab\n" * 50
    tokenizer = CharTokenizer(sorted(set(text)), Spelling([1] * 257))
    tokens = np.concatenate([[0], tokenizer.encode(text), [0]])
    model = NgramModel(estimate(count_ngrams(tokens, 3, tokenizer.vocab_size)))
    greedy, line = SamplingConfig(temperature=0, max_tokens=2), Boundaries("line", 51)
    assert generate(model, tokenizer, "", greedy) == ["on"]
    assert generate(model, tokenizer, "", greedy, 2, line) == ["ab", "ab"]
    assert "".join(stream(model, tokenizer, "", greedy, line)) == "ab"


class ThreadCounter(Successor):
    """Notes torch's number of threads whenever it is asked."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append(torch.get_num_threads())
        return super().read(tokens, state)


def test_few_rows_are_written_on_one_thread_and_the_callers_number_stays():
    torch.set_num_threads(3)
    model = ThreadCounter()
    for _ in stream(model, CHARS, ""):
        assert torch.get_num_threads() == 3  # between the pieces too
    generate(model, CHARS, "a", num_samples=4)
    assert set(model.seen) == {1}
    model.seen.clear()
    generate(model, CHARS, "a", num_samples=5)
    assert model.seen[1:] and set(model.seen[1:]) == {3}
    assert torch.get_num_threads() == 3
