"""The effective length of models of which it is known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from unrolled.diagnosis import memory
from unrolled.diagnosis.disturbed import (
    VARIANTS,
    rows_before,
    score_last,
    spread_targets,
    targets_within,
)
from unrolled.diagnosis.memory import (
    affordable_targets,
    effective_interval,
    effective_length,
    measure_curve,
    measure_memory,
)
from unrolled.errors import ConfigError, TextError
from unrolled.inference.evaluation import to_bits_per_byte
from unrolled.models.build import build
from unrolled.models.ngram import NgramModel
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate
from unrolled.results.loss import BITS_PER_NAT
from unrolled.settings.models import RecurrentConfig, TransformerConfig

from .planted import Fading, LooksBack, V, are_finite, echo, split_of

CONTEXTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
RECURRENT = [
    RecurrentConfig(kind=kind, hidden_size=8, embedding_size=4) for kind in ("rnn", "gru", "lstm")
]
NARROW = TransformerConfig(hidden_size=8, num_layers=1, num_heads=2, context=4)


def ngram(tokens: np.ndarray, order: int, vocab_size: int) -> NgramModel:
    return NgramModel(estimate(count_ngrams(tokens, order, vocab_size)))


@pytest.mark.parametrize("distance", [1, 2, 4, 16, 128])
def test_a_model_that_looks_at_one_token_uses_so_much_context(distance):
    tokens = echo(3000, distance)
    found = measure_memory("planted", LooksBack(distance), tokens, num_targets=400)
    bits = {point.context: point.bits for point in found.curve}
    assert list(bits) == CONTEXTS
    for context in CONTEXTS:
        if context < distance:
            assert bits[context] == pytest.approx(np.log2(V), rel=1e-6)
        else:
            assert bits[context] == bits[512] < 0.7 * np.log2(V)
    assert 0.98 * distance <= found.effective <= distance
    assert 0.98 * distance <= found.effective_low <= found.effective_high <= distance


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_an_ngram_uses_no_more_than_it_has(order, english):
    tokens = np.frombuffer(b"\0" + Path(english).read_bytes(), np.uint8)
    found = measure_memory("ngram", ngram(tokens, order, 256), tokens, num_targets=300)
    bits = {point.context: point.bits for point in found.curve}
    assert found.effective_high <= max(1, order - 1)
    assert len({bits[context] for context in CONTEXTS if context >= order - 1}) == 1
    if order == 5:
        assert found.effective_low > 2


def test_the_interval_holds_the_truth_of_a_smooth_decay():
    expected = [Fading.base.mean() + Fading.gain.mean() / context for context in CONTEXTS]
    truth = effective_length(CONTEXTS, np.array(expected))
    base, gain = Fading.base.mean(), Fading.gain.mean()
    assert truth == pytest.approx(gain / (1.01 * expected[-1] - base), rel=0.1)
    covered = 0
    for seed in range(20):
        tokens = np.random.default_rng(seed).integers(0, V, 1200)
        costs = measure_curve(Fading(), tokens, CONTEXTS, 300)
        low, high = effective_interval(CONTEXTS, costs, seed)
        assert low < effective_length(CONTEXTS, costs.mean(0)) < high < 2 * low
        covered += low <= truth <= high
    assert covered >= 17


def test_the_criterion():
    contexts = [1, 2, 4, 8, 16]
    assert effective_length(contexts, np.array([1.0, 1.0, 1.0, 1.0, 1.0])) == 1
    # Below 1 % in between, and above again: what counts is from where on it stays below.
    assert 4 < effective_length(contexts, np.array([2.0, 1.0, 1.2, 1.0, 1.0])) < 8
    # Half of the way in cost, from 3.01 to -0.99, is half of the way in log-context.
    costs = np.array([4.0, 4.0, 3.01, -0.99, 1.0])
    assert effective_length(contexts, costs) == pytest.approx(4 * 2**0.5)
    # Where more context does harm, the shorter one is enough.
    assert effective_length(contexts, np.array([3.0, 0.5, 0.6, 0.8, 1.0])) < 2
    assert effective_length(contexts, np.array([1.0, 0.0, 0.0, 0.0, 0.0])) == 2


@pytest.mark.parametrize("config", [*RECURRENT, NARROW], ids=lambda config: config.kind)
def test_a_target_is_scored_after_its_context_alone(config):
    model, tokens = build(config, V).eval(), echo(900, 3)
    costs = measure_curve(model, tokens, [1, 4, 64], 50)
    targets = spread_targets(900, 64, 50)
    assert (targets[0], targets[-1], len(set(targets))) == (64, 900, 50)
    with torch.inference_mode():
        for row in (0, 17, 49):
            for column, context in enumerate((1, 4, 64)):
                window = tokens[targets[row] - context : targets[row]].astype(np.int64)
                log_probs, _ = model.read(torch.from_numpy(window)[None], model.initial_state(1))
                expected = -float(log_probs[0, -1, tokens[targets[row]]])
                assert costs[row, column] == pytest.approx(expected, rel=1e-4)


def test_many_windows_are_scored_in_pieces():
    tokens = echo(2000, 2)
    rows = rows_before(tokens, spread_targets(2000, 512, 100), 512)
    assert rows.shape == (100, 513)
    model = LooksBack(2)
    alone = [score_last(model, rows[number : number + 1])[0] for number in range(100)]
    assert np.array_equal(score_last(model, rows), alone)


def test_a_narrow_transformer_looks_no_further_than_its_window():
    tokens = echo(1500, 2)
    found = measure_memory("narrow", build(NARROW, V).eval(), tokens, num_targets=60)
    bits = [point.bits for point in found.curve]
    np.testing.assert_allclose(bits[3:], bits[-1], rtol=1e-6)
    for row in found.perturbed:
        if row.beyond >= 16:
            assert row.bits == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("num_tokens", [64, 65, 127, 128, 300])
def test_short_texts_have_fewer_points(num_tokens):
    tokens = echo(num_tokens, 2)
    lstm = build(RECURRENT[2], V).eval()
    for model in (LooksBack(2), ngram(tokens, 3, V), lstm, build(NARROW, V).eval()):
        found = measure_memory("short", model, tokens, num_targets=500)
        longest = 1 << ((num_tokens // 2).bit_length() - 1)
        assert [point.context for point in found.curve][-1] == longest
        assert 1 <= found.effective_low <= found.effective_high <= longest
        assert found.perturbed
        assert are_finite(found)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(TextError) as caught:
        measure_memory("a", LooksBack(1), echo(63, 1))
    problem = "has 63 tokens, too few to measure a model's memory on"
    assert str(caught.value) == f"The text {problem}. Give one of at least 64 tokens."
    for tokens in (np.zeros(1, np.uint16), np.zeros(0, np.uint16)):
        with pytest.raises(TextError, match="has 0 tokens"):
            measure_memory("a", LooksBack(1), tokens)
    for name in ("num_targets", "longest"):
        with pytest.raises(ConfigError, match=r"must be .*, got 0"):
            measure_memory("a", LooksBack(1), echo(100, 1), **{name: 0})
    with pytest.raises(ConfigError, match=r"seconds must be above 0, got 0"):
        affordable_targets([LooksBack(1)], echo(100, 1), 0.0)


def test_bits_are_those_of_the_headline():
    tokens = echo(2000, 4)
    split = split_of(tokens, num_bytes=9000, spelling_nats=700.0)
    plain = measure_memory("a", LooksBack(4), tokens, num_targets=200)
    found = measure_memory("a", LooksBack(4), tokens, split, num_targets=200)
    for one, other in zip(plain.curve, found.curve, strict=True):
        nats = one.bits / BITS_PER_NAT
        assert other.bits == pytest.approx(to_bits_per_byte(nats, split), rel=1e-9)
    for one, other in zip(plain.perturbed, found.perturbed, strict=True):
        assert other.bits == pytest.approx(one.bits * 2000 / 9000)
    for key in ("effective", "effective_low", "effective_high", "repeated"):
        assert getattr(found, key) == getattr(plain, key)


def test_the_same_numbers_twice():
    tokens, model = echo(1500, 4), build(RECURRENT[1], V).eval()
    found = measure_memory("a", model, tokens, num_targets=40, seed=3)
    assert found == measure_memory("a", model, tokens, num_targets=40, seed=3)
    other = measure_memory("a", model, tokens, num_targets=40, seed=4)
    assert other.curve == found.curve
    assert other.perturbed[0] != found.perturbed[0]
    costs = measure_curve(Fading(), tokens, CONTEXTS, 40)
    assert effective_interval(CONTEXTS, costs, 3) == effective_interval(CONTEXTS, costs, 3)
    assert effective_interval(CONTEXTS, costs, 3) != effective_interval(CONTEXTS, costs, 4)


def test_the_time_decides_the_number_of_targets(monkeypatch):
    assert targets_within(10, 50_000, 1000) == 500
    assert (targets_within(1e-3, 1, 1000), targets_within(1e9, 1e9, 1)) == (32, 4096)
    slow, fast = LooksBack(1), LooksBack(2)
    speeds = {slow: 20_000.0, fast: 1e6}
    monkeypatch.setattr(memory, "reading_speed", lambda model, *_: speeds[model])
    tokens = echo(3000, 1)
    assert affordable_targets([fast, slow], tokens, 20) == 20 * 20_000 // (
        1023 + (VARIANTS + 1) * 256
    )
    monkeypatch.undo()
    number = affordable_targets([slow], tokens, 0.01)
    assert are_finite(measure_memory("a", slow, tokens, num_targets=number))
