"""What a text costs: the same in lanes as in one piece."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.inference import evaluation
from unrolled.inference.evaluation import (
    VALID_BYTES,
    WARMUP,
    Baseline,
    baselines,
    evaluate,
    even_windows,
    loss_by_position,
    score_stream,
    scoring_speed,
    to_bits_per_byte,
    to_loss,
    validation_nats,
)
from unrolled.models.build import build
from unrolled.models.ngram import NgramModel
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate
from unrolled.settings.models import RecurrentConfig, TransformerConfig
from unrolled.text.store import SplitInfo

V = 11


def text(num_tokens: int) -> np.ndarray:
    """A boundary, then a sequence in which a token depends on the two before it."""
    generator, ids = np.random.default_rng(0), [0, 1]
    noise = (generator.random(num_tokens + 1) ** 3 * V).astype(int)
    for value in noise[: num_tokens - 1]:
        ids.append((ids[-1] + 2 * ids[-2] + int(value)) % V)
    return np.array(ids, np.uint16)


class Clock:
    """A `LanguageModel` whose cost of a token is the number of tokens read before it plus one.

    Its state counts what it has read; as a memory that never fades it is the hardest to cut.
    """

    vocab_size = V

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size)

    def advance(self, tokens: Tensor, state: Tensor) -> Tensor:
        return state + tokens.shape[1]

    def score(self, tokens: Tensor, targets: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        assert tokens.shape == targets.shape
        steps = state[:, None] + torch.arange(1, tokens.shape[1] + 1)
        return -steps, steps[:, -1]


def in_one_piece(model, tokens: np.ndarray) -> np.ndarray:
    ids = torch.from_numpy(tokens.astype(np.int64))[None]
    with torch.inference_mode():
        scores, _ = model.score(ids[:, :-1], ids[:, 1:], model.initial_state(1))
    return scores[0].numpy()


def models() -> list:
    """Models that remember little, or forget soon."""
    ngram = NgramModel(estimate(count_ngrams(text(3000), 4, V)))
    transformer = build(TransformerConfig(hidden_size=8, num_layers=2, num_heads=2, context=16), V)
    lstm = build(RecurrentConfig(kind="lstm", hidden_size=8, embedding_size=4), V)
    return [ngram, transformer.eval(), lstm.eval()]


@pytest.mark.parametrize("num_tokens", [1, 300, 2 * WARMUP, 2 * WARMUP + 1, 5003])
def test_lanes_cost_what_one_piece_costs(num_tokens):
    tokens = text(num_tokens)
    for model in models():
        scores = score_stream(model, tokens)
        assert scores.shape == (num_tokens,) and scores.dtype == np.float32
        np.testing.assert_allclose(scores, in_one_piece(model, tokens), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lanes", [1, 2, 3, 7])
def test_any_number_of_lanes(lanes, monkeypatch):
    monkeypatch.setattr(evaluation, "LANES", lanes)
    tokens = text(8 * WARMUP + 5)
    for model in models()[:2]:
        found = score_stream(model, tokens)
        np.testing.assert_allclose(found, in_one_piece(model, tokens), rtol=1e-4, atol=1e-5)


def test_a_lane_begins_with_the_tokens_before_it():
    num_tokens, lanes = 10 * WARMUP + 3, 5
    length = -(-num_tokens // lanes)
    expected = -np.arange(1, length + 1) - WARMUP * (np.arange(lanes)[:, None] > 0)
    assert np.array_equal(score_stream(Clock(), text(num_tokens)), expected.flat[:num_tokens])


def test_the_cost_of_a_split(make_store):
    store = make_store(V, train=text(3000), test=text(2000))
    model = models()[0]
    loss = evaluate(model, store, "test")
    scores = in_one_piece(model, text(2000)).astype(np.float64)
    assert loss.loss_nats == pytest.approx(-scores.sum(), rel=1e-6)
    assert (loss.num_tokens, loss.num_bytes) == (2000, 2000)


def test_counts_go_into_the_loss():
    info = SplitInfo(
        num_tokens=10,
        num_documents=2,
        num_bytes=40,
        num_chars=30,
        num_words=5,
        num_unknown=3,
        spelling_nats=1.5,
    )
    loss = to_loss(12.5, info)
    assert loss.loss_nats == 12.5
    assert (loss.num_tokens, loss.num_bytes, loss.num_chars) == (10, 40, 30)
    assert (loss.num_unknown, loss.spelling_nats) == (3, 1.5)
    assert loss.num_words == 7  # the two ends of documents are words too


def test_validation_looks_at_the_first_tokens(make_store):
    short = make_store(V, valid=text(500))
    assert validation_nats(Clock(), short) == pytest.approx(np.arange(1, 501).mean())
    ids = np.zeros(VALID_BYTES + 5000, np.uint16)
    long = make_store(V, valid=ids)
    first = -score_stream(Clock(), ids[: VALID_BYTES + 1]).mean(dtype=np.float64)
    assert validation_nats(Clock(), long) == pytest.approx(first)


def test_baselines(make_store):
    store = make_store(V, test=text(2000))
    model = models()[0]
    assert baselines(store, "test", {"4-gram": model}) == [
        Baseline("uniform", pytest.approx(math.log2(V))),
        Baseline("4-gram", evaluate(model, store, "test").bits_per_byte),
    ]


def test_xz_is_read_by_the_bytes_it_covers(make_store):
    store = make_store(V, test=text(2000))
    values = vars(store.split("test")) | {"xz_bytes": 300, "xz_of_bytes": 1200}
    store.splits["test"] = SplitInfo(**values)
    assert baselines(store, "test", {})[1] == Baseline("xz", 2.0)


def test_loss_by_position_has_bins_that_double():
    rows = loss_by_position(Clock(), text(600), length=20, num_windows=3)
    expected = {1: 1, 2: 2.5, 4: 5.5, 8: 11.5, 16: 18}
    assert {row.position: row.nats_per_token for row in rows} == pytest.approx(expected)


def test_the_bins_of_a_long_text_are_full():
    rows = loss_by_position(Clock(), text(600))
    assert [row.position for row in rows] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert rows[-1].nats_per_token == pytest.approx(np.arange(256, 512).mean())


def test_loss_falls_where_context_helps():
    rows = loss_by_position(models()[0], text(3000), length=8)
    costs = [row.nats_per_token for row in rows]
    assert costs[0] > costs[1] + 0.1 and costs[1] > costs[2] + 0.1
    assert costs[-1] == pytest.approx(costs[2], abs=0.2)  # a 4-gram gains nothing any more


def test_windows_reach_from_the_first_token_to_the_last():
    windows = even_windows(np.arange(101, dtype=np.uint16), 3, 11)
    assert windows.dtype == torch.int64
    assert windows.tolist() == [[*range(start, start + 11)] for start in (0, 45, 90)]
    assert even_windows(np.arange(4), 2, 4).tolist() == [[0, 1, 2, 3]] * 2


def test_a_text_shorter_than_the_window():
    rows = loss_by_position(Clock(), text(5), num_windows=4)
    assert {row.position: row.nats_per_token for row in rows} == {1: 1, 2: 2.5, 4: 4.5}


def test_losses_by_position_of_a_slow_model_are_of_fewer_windows():
    """A quarter of them, evenly spread: the figures are means of what was read."""
    whole = loss_by_position(Clock(), text(600), num_windows=8)
    model = Clock()
    rows, score = [], model.score
    model.score = lambda tokens, *args: (rows.append(len(tokens)), score(tokens, *args))[1]
    assert loss_by_position(model, text(600), num_windows=8, limit_seconds=0.0) == whole
    assert rows == [2]


def test_speed_is_tokens_over_seconds(monkeypatch):
    times = iter([0.0, 1.0, 1.0, 1.5, 4.0])  # warm-up; start; 0.5 s and 3 s have passed
    monkeypatch.setattr(evaluation.time, "perf_counter", lambda: next(times))
    speed = scoring_speed(Clock(), text(600), seconds=2.0)
    assert speed == 600 / 3.0


def test_a_mean_cost_in_the_unit_of_the_headline():
    info = SplitInfo(10, 1, 40, 30, 5, 3, spelling_nats=6 * math.log(2))
    assert to_bits_per_byte(3.4 * math.log(2), info) == pytest.approx((34 + 6) / 40)
