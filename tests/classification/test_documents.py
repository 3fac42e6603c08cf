"""Batches of texts: what they hold, how little padding, and always the same."""

import numpy as np

from unrolled.classification import documents as module
from unrolled.classification.documents import Documents
from unrolled.text.tokenizers import ByteTokenizer


def make(lengths: list[int], **settings) -> Documents:
    return Documents.encode(["a" * length for length in lengths], ByteTokenizer(), **settings)


def test_a_batch_by_hand():
    found = Documents.encode(["ab", "", "c"], ByteTokenizer())
    tokens, lengths = found.batch(np.array([2, 0, 1]))
    a, b, c = 98, 99, 100
    assert tokens.tolist() == [[0, c, 0, 0], [0, a, b, 0], [0, 0, 0, 0]]
    assert lengths.tolist() == [3, 4, 2]


def test_only_the_last_tokens_are_read():
    found = Documents.encode(["abc"], ByteTokenizer(), max_tokens=3)
    assert found.ids.tolist() == [99, 100, 0]


def test_padding_that_is_read_as_text():
    found = Documents.encode(["ab", "abcdefgh"], ByteTokenizer(), max_tokens=6, padded=True)
    tokens, lengths = found.batch(np.array([0, 1]))
    assert tokens.shape == (2, 6) and lengths.tolist() == [6, 6]
    assert tokens[0].tolist() == [0, 98, 99, 0, 0, 0]


def test_padding_that_is_read_counts_in_the_size_of_a_batch(monkeypatch):
    monkeypatch.setattr(module, "MAX_BATCH_TOKENS", 12)
    found = make([1, 2, 3, 4], max_tokens=6, padded=True)
    assert [len(rows) for rows in found.in_order(4)] == [2, 2]


def test_an_epoch_has_every_text_once_in_batches_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 400, 3000).tolist()
    found = make(lengths)
    batches = found.shuffled(16, seed=1, epoch=0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(3000))
    padded = sum(len(rows) * int(found.lengths[rows].max()) for rows in batches)
    assert padded < 1.05 * found.lengths.sum()
    again = found.shuffled(16, seed=1, epoch=0)
    assert all(np.array_equal(one, two) for one, two in zip(batches, again, strict=True))
    other = found.shuffled(16, seed=1, epoch=1)
    assert not all(np.array_equal(one, two) for one, two in zip(batches, other, strict=False))
    means = [found.lengths[rows].mean() for rows in batches]
    assert abs(np.corrcoef(range(len(means)), means)[0, 1]) < 0.2  # short and long ones mixed


def test_long_texts_go_in_smaller_batches(monkeypatch):
    monkeypatch.setattr(module, "MAX_BATCH_TOKENS", 100)
    found = make([8] * 20 + [48] * 5 + [500])
    for rows in [*found.in_order(16), *found.shuffled(16, 0, 0)]:
        assert len(rows) == 1 or len(rows) * found.lengths[rows].max() <= 100
    assert sum(len(rows) for rows in found.in_order(16)) == 26


def test_no_texts():
    assert len(Documents.encode([], ByteTokenizer())) == 0
    assert list(Documents.encode([], ByteTokenizer()).in_order(4)) == []
