"""Batches: which tokens come when."""

from collections import Counter

import numpy as np
import pytest
import torch

from unrolled.errors import ConfigError
from unrolled.training.batches import REMAP_EVERY, BatchStream


def text(num_tokens: int) -> np.ndarray:
    """A boundary, different tokens, a boundary: `(num_tokens + 1,)`."""
    return np.concatenate([[0], np.arange(1, num_tokens), [0]])


def stream(make_store, num_tokens=1003, batch_size=4, sequence_length=10, seed=0) -> BatchStream:
    store = make_store(num_tokens, train=text(num_tokens))
    return BatchStream(store, "train", batch_size, sequence_length, seed)


def epoch(batches: BatchStream) -> list:
    """The batches up to the end of the epoch."""
    number, taken = batches.epoch, []
    while batches.epoch == number:
        taken.append(batches.take())
    return taken


def test_a_batch_is_a_function_of_seed_epoch_and_position(make_store):
    batches = stream(make_store)
    for _ in range(2 * REMAP_EVERY // 100 + 40):
        position, number = batches.position, batches.epoch
        batch = batches.take()
        again = stream(make_store)
        again.epoch, again.position = number, position
        other = again.take()
        assert torch.equal(batch.tokens, other.tokens)
        assert torch.equal(batch.targets, other.targets)
        assert batch.starts_epoch == other.starts_epoch == (position == 0)
    assert number > 0


def test_seeds_and_epochs_read_in_another_order(make_store):
    batches = stream(make_store)
    first, second = epoch(batches), epoch(batches)
    other = epoch(stream(make_store, seed=1))
    assert not torch.equal(first[0].tokens[:, :5], second[0].tokens[:, :5])
    assert not torch.equal(first[0].tokens[:, :5], other[0].tokens[:, :5])


@pytest.mark.parametrize("num_tokens", [1000, 1003])
@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_an_epoch_predicts_every_token_once(make_store, num_tokens, batch_size):
    batches = stream(make_store, num_tokens, batch_size)
    assert batches.batch_size == batch_size
    for _ in range(3):
        taken = epoch(batches)
        counts = Counter(torch.cat([batch.targets for batch in taken], 1).flatten().tolist())
        # The lanes are equally long: what is left over is not read in this epoch.
        assert set(counts.values()) == {1}
        assert counts.total() == batches.tokens_per_epoch == num_tokens - num_tokens % batch_size


def test_lanes_go_on_where_they_stopped(make_store):
    taken = epoch(stream(make_store))
    tokens = torch.cat([batch.tokens for batch in taken], 1)
    targets = torch.cat([batch.targets for batch in taken], 1)
    assert torch.equal(tokens[:, 1:], targets[:, :-1])
    assert [batch.starts_epoch for batch in taken] == [True] + [False] * (len(taken) - 1)


def test_targets_follow_across_the_seam(make_store):
    batches = stream(make_store, num_tokens=101, batch_size=1)
    taken = epoch(batches)
    tokens = torch.cat([batch.tokens for batch in taken], 1)[0]
    targets = torch.cat([batch.targets for batch in taken], 1)[0]
    # Token t is followed by t + 1, the last one by the boundary, the boundary by the first.
    assert torch.equal(targets, (tokens + 1) % 101)
    assert tokens[0] != 0  # the epoch begins elsewhere, so the seam is inside


def test_lengths_vary_by_a_quarter_around_the_given_one(make_store):
    batches = stream(make_store, num_tokens=40_000, batch_size=2, sequence_length=20)
    lengths = [batch.tokens.shape[1] for batch in epoch(batches)][:-1]
    assert (min(lengths), max(lengths)) == (15, 25)
    assert np.mean(lengths) == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize(
    ("variation", "expected"), [(0.0, (20, 20)), (0.5, (10, 30)), (1.0, (1, 40))]
)
def test_lengths_vary_by_the_given_part(make_store, variation, expected):
    store = make_store(40_000, train=text(40_000))
    batches = BatchStream(store, "train", 2, 20, 0, length_variation=variation)
    lengths = [batch.tokens.shape[1] for batch in epoch(batches)][:-1]
    assert (min(lengths), max(lengths)) == expected


def test_what_was_read_stays_when_the_file_is_mapped_anew(make_store):
    batches = stream(make_store, num_tokens=8000, batch_size=2, sequence_length=5)
    tokens = torch.cat([batch.tokens for batch in epoch(batches)], 1)
    assert batches._reads > 2 * REMAP_EVERY
    assert torch.equal(tokens[:, 1:], (tokens[:, :-1] + 1) % 8000)


def test_a_small_text_is_read_in_fewer_lanes(make_store):
    batches = stream(make_store, num_tokens=100, batch_size=64, sequence_length=10)
    assert batches.batch_size == 5
    assert batches.take().tokens.shape[0] == 5


def test_the_shortest_text_is_read(make_store):
    batches = stream(make_store, num_tokens=16, batch_size=64, sequence_length=64)
    assert batches.batch_size == 1
    assert sum(batch.targets.numel() for batch in epoch(batches)) == 16


def test_too_short_a_text_is_refused(make_store):
    with pytest.raises(ConfigError) as caught:
        stream(make_store, num_tokens=15)
    assert str(caught.value) == (
        "training text must be at least 16 tokens long, got 15. "
        "Give more text, or a smaller --valid-fraction and --test-fraction."
    )
