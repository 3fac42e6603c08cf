"""Disturbed contexts cost where they are looked at, and nothing elsewhere."""

import numpy as np
import pytest

from unrolled.diagnosis.disturbed import (
    BEYOND,
    KINDS,
    disturb,
    find_repeated,
    measure_perturbed,
    measure_repeated,
    rows_before,
    spread_targets,
)
from unrolled.errors import ConfigError, TextError
from unrolled.inference.evaluation import score_stream
from unrolled.results.loss import BITS_PER_NAT

from .planted import Fading, LooksBack, V, echo


@pytest.mark.parametrize("distance", [1, 3, 16, 40])
def test_only_what_is_looked_at_costs(distance):
    found = measure_perturbed(LooksBack(distance), echo(4000, distance), 300)
    assert [(row.kind, row.beyond) for row in found] == [
        (kind, beyond) for kind in KINDS for beyond in BEYOND
    ]
    for row in found:
        if row.beyond >= distance:
            assert row.bits == 0
        else:
            assert row.bits > 1


def test_what_depends_on_the_length_alone_costs_nothing():
    assert {row.bits for row in measure_perturbed(Fading(), echo(1200, 3), 100)} == {0.0}


@pytest.mark.parametrize("num_tokens", [64, 100, 1100])
@pytest.mark.parametrize("kind", KINDS)
def test_the_near_context_stays(kind, num_tokens, monkeypatch):
    read = []

    def remember(_, rows):
        read.append(rows)
        return np.zeros(len(rows))

    monkeypatch.setattr("unrolled.diagnosis.disturbed.score_last", remember)
    monkeypatch.setattr("unrolled.diagnosis.disturbed.KINDS", (kind,))
    positions = np.arange(num_tokens + 1)  # a token says where it stands
    found = measure_perturbed(LooksBack(1), positions, 50)
    true, *disturbed = read
    context = true.shape[1] - 1
    assert np.array_equal(true, rows_before(positions, true[:, -1], context))
    assert len(found) == len(disturbed) == sum(beyond < context for beyond in BEYOND)
    for row, changed in zip(found, disturbed, strict=True):
        far = context - row.beyond
        assert np.array_equal(changed[:, far:], true[:, far:])
        old, new = true[:, :far], changed[:, :far]
        if kind == "reversed":
            assert np.array_equal(new, old[:, ::-1])
        elif kind == "shuffled":
            assert np.array_equal(np.sort(new, 1), old)
            orders = {tuple(line - line.min()) for line in new}
            assert len(orders) > len(new) // 2  # each row has its own
        else:
            assert (np.diff(new, axis=1) == 1).all()  # running text
            apart = np.abs(new[:, :, None] - true[:, None, :]).min((1, 2))
            assert (apart > 0).all()
            assert len({int(shift) for shift in new[:, 0] - old[:, 0]}) > 3


def test_rows_are_not_changed_in_place():
    rows = rows_before(echo(500, 2), spread_targets(500, 64, 10), 64)
    before = rows.copy()
    for kind in KINDS:
        disturb(rows, kind, 4, rows[:, :64], np.random.default_rng(0))
    assert np.array_equal(rows, before)


def naive(tokens: np.ndarray, order: int, within: int) -> list[bool]:
    """Looks for each run in every place of its context."""
    marks = []
    for position in range(len(tokens)):
        run = tuple(tokens[position - order + 1 : position + 1])
        starts = range(max(0, position - within), position - order + 1)
        places = [tuple(tokens[start : start + order]) for start in starts]
        marks.append(position >= order - 1 and run in places)
    return marks


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("within", [7, 30, 1024])
def test_repeated_runs_are_those_of_a_plain_loop(order, within):
    some = 0
    for seed, symbols in enumerate((2, 3, 9, 40_000)):
        tokens = np.random.default_rng(seed).integers(0, symbols, 250)
        tokens[200:230] = tokens[150:180]
        tokens[60:70] = 1
        found = find_repeated(tokens.astype(np.uint16), order, within)
        assert found.tolist() == naive(tokens, order, within)
        some += found.sum()
    assert some


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_texts_shorter_than_a_run_repeat_nothing(length):
    assert find_repeated(np.zeros(length, np.uint16), 3).tolist() == [False] * length


def test_repeated_tokens_are_cheap_for_a_model_that_copies():
    generator, half = np.random.default_rng(0), 100
    tokens = np.tile(generator.integers(1, V, half), 2)
    tokens[0] = 0
    found = measure_repeated(LooksBack(half, sure=0.9), tokens)
    assert found is not None
    assert found.order == 6
    assert found.num_repeated + found.num_new == 199
    assert found.num_repeated >= half - 6
    assert found.repeated_bits == pytest.approx(-np.log2(0.9), abs=0.02)
    assert found.new_bits > 3  # the first half, and the five after it that end no run yet
    marks = find_repeated(tokens, 6)[1:]
    bits = -score_stream(LooksBack(half, sure=0.9), tokens) * BITS_PER_NAT
    assert found.new_bits == pytest.approx(bits[~marks].mean(), rel=1e-6)


def test_the_run_is_shorter_where_symbols_are_words():
    class Words(LooksBack):
        vocab_size = 5000

    tokens = echo(400, 3)
    assert measure_repeated(Words(3), tokens).order == 2
    assert measure_repeated(LooksBack(3), tokens).order == 6
    assert measure_repeated(LooksBack(3), tokens, order=4).order == 4


def test_without_both_kinds_of_tokens_there_is_nothing_to_compare():
    assert measure_repeated(LooksBack(1), np.arange(V).astype(np.uint16)) is None
    assert measure_repeated(LooksBack(1), np.array([0, 3], np.uint16)) is None
    assert measure_repeated(LooksBack(1), np.zeros(20, np.uint16), order=1) is None
    with pytest.raises(ConfigError, match="order must be 1 or more, got 0"):
        measure_repeated(LooksBack(1), echo(100, 1), order=0)


def test_short_texts_are_refused():
    with pytest.raises(TextError, match="has 63 tokens"):
        measure_perturbed(LooksBack(1), echo(63, 1), 10)
