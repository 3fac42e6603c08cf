"""Every formula by hand."""

import math

import pytest

from unrolled.results.loss import BITS_PER_NAT, Loss

LOSS = Loss(loss_nats=12 * math.log(2), num_tokens=4, num_bytes=8, num_chars=6, num_words=3)
SPELLED = Loss(
    loss_nats=12 * math.log(2),
    num_tokens=4,
    num_bytes=8,
    num_chars=6,
    num_words=3,
    num_unknown=1,
    spelling_nats=6 * math.log(2),
)


def test_a_nat_has_this_many_bits():
    assert pytest.approx(1.442695040888963) == BITS_PER_NAT


def test_formulas():
    assert LOSS.bits_per_byte == pytest.approx(12 / 8)
    assert LOSS.bits_per_char == pytest.approx(12 / 6)
    assert LOSS.nats_per_token == pytest.approx(3 * math.log(2))
    assert LOSS.perplexity == pytest.approx(2**3)
    assert LOSS.perplexity_per_word == pytest.approx(2**4)
    assert not LOSS.closed_vocabulary


def test_spelling_counts_except_per_token():
    assert SPELLED.bits_per_byte == pytest.approx(18 / 8)
    assert SPELLED.bits_per_char == pytest.approx(18 / 6)
    assert SPELLED.perplexity_per_word == pytest.approx(2**6)
    assert SPELLED.nats_per_token == pytest.approx(3 * math.log(2))
    assert SPELLED.perplexity == pytest.approx(2**3)
    assert SPELLED.closed_vocabulary


@pytest.mark.parametrize(("num_chars", "known"), [(60, True), (61, False)])
def test_text_without_spaces_has_no_perplexity_per_word(num_chars, known):
    loss = Loss(loss_nats=1.0, num_tokens=4, num_bytes=200, num_chars=num_chars, num_words=3)
    assert (loss.perplexity_per_word is not None) == known


def test_a_huge_cost_is_infinite_perplexity():
    loss = Loss(loss_nats=4000.0, num_tokens=4, num_bytes=8, num_chars=6, num_words=3)
    assert loss.perplexity == loss.perplexity_per_word == math.inf


def test_json_names():
    assert SPELLED.to_json() == {
        "bits_per_byte": SPELLED.bits_per_byte,
        "bits_per_char": SPELLED.bits_per_char,
        "perplexity": SPELLED.perplexity,
        "perplexity_per_word": SPELLED.perplexity_per_word,
        "closed_vocabulary": True,
        "loss_nats": SPELLED.loss_nats,
        "nats_per_token": SPELLED.nats_per_token,
        "num_tokens": 4,
        "num_bytes": 8,
        "num_chars": 6,
        "num_words": 3,
        "num_unknown": 1,
        "spelling_nats": SPELLED.spelling_nats,
    }
