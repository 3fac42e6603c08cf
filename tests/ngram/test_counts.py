"""Counting: every n-gram, once, in any blocks."""

import re

import numpy as np
import pytest

from unrolled.errors import CheckpointError, ConfigError
from unrolled.ngram.counts import Counts, count_ngrams, merge

from .reference import raw_counts
from .streams import STREAMS, random_stream

V = 30


def spell(counts: Counts) -> list[dict[tuple[int, ...], int]]:
    """The n-grams of each order as tuples."""
    lower, orders = [()], []
    for level in counts.levels:
        keys = level.keys.tolist()
        grams = [(*lower[key // counts.vocab_size], key % counts.vocab_size) for key in keys]
        assert grams == sorted(set(grams))
        assert [lower[suffix] for suffix in level.suffixes] == [gram[1:] for gram in grams]
        orders.append(dict(zip(grams, level.counts.tolist(), strict=True)))
        lower = grams
    return orders


def assert_equal(one: Counts, two: Counts) -> None:
    assert (one.vocab_size, one.order) == (two.vocab_size, two.order)
    for a, b in zip(one.levels, two.levels, strict=True):
        for name in ("keys", "counts", "suffixes"):
            x, y = getattr(a, name), getattr(b, name)
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("order", [1, 2, 3, 5, 8])
def test_counts_are_those_of_a_dictionary(name, order):
    found = spell(count_ngrams(STREAMS[name], order, V))
    expected = raw_counts(STREAMS[name].tolist(), order)
    assert {gram: n for gram, n in found[0].items() if n} == expected[0]
    assert len(found[0]) == V
    assert found[1:] == expected[1:]


@pytest.mark.parametrize("name", ["empty documents", "one document", "text"])
@pytest.mark.parametrize("order", [1, 2, 5, 8])
@pytest.mark.parametrize("block_bits", [1, 4, 5, 7])
def test_blocks_give_the_same_counts(name, order, block_bits):
    whole = count_ngrams(STREAMS[name], order, V)
    assert_equal(count_ngrams(STREAMS[name], order, V, block_bits), whole)


def test_the_widest_vocabulary_fits_the_keys():
    vocab_size = 1 << 22
    tokens = random_stream(5, 700, vocab_size)
    tokens[5:8] = tokens[205:208] = vocab_size - 1
    _, pairs, triples = count_ngrams(tokens, 3, vocab_size).levels
    _, expected_pairs, expected_triples = raw_counts(tokens.tolist(), 3)
    found = list(zip(*divmod(pairs.keys, vocab_size), strict=True))
    assert dict(zip(found, pairs.counts, strict=True)) == expected_pairs
    prefixes, words = divmod(triples.keys, vocab_size)
    found = [(*found[prefix], word) for prefix, word in zip(prefixes, words, strict=True)]
    assert dict(zip(found, triples.counts, strict=True)) == expected_triples


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int32])
def test_memory_maps_of_any_integer_are_read(tmp_path, dtype):
    tokens = STREAMS["text"]
    tokens.astype(dtype).tofile(tmp_path / "ids")
    mapped = np.memmap(tmp_path / "ids", dtype, "r")
    assert_equal(count_ngrams(mapped, 4, V), count_ngrams(tokens, 4, V))


def test_counts_of_texts_add_up():
    texts = [random_stream(seed, 200, V) for seed in range(3)]
    together = np.concatenate([texts[0], texts[1][1:], texts[2][1:]])
    parts = [count_ngrams(text, 4, V) for text in texts]
    assert_equal(merge(*parts), count_ngrams(together, 4, V))
    assert_equal(merge(parts[2], merge(parts[1], parts[0])), count_ngrams(together, 4, V))
    assert merge(parts[0]) is parts[0]


def test_shards_come_back_from_disk(tmp_path):
    counts = count_ngrams(STREAMS["text"], 5, V)
    counts.save(tmp_path / "shard.safetensors")
    assert_equal(Counts.load(tmp_path / "shard.safetensors"), counts)
    assert [path.name for path in tmp_path.iterdir()] == ["shard.safetensors"]
    assert counts.num_ngrams == sum(len(level.keys) for level in counts.levels)


@pytest.mark.parametrize(
    ("tokens", "order", "vocab_size", "message"),
    [
        ([0, 1], 0, 5, "order must be from 1 to 8, got 0. Use for example 5."),
        ([0, 1], 9, 5, "order must be from 1 to 8, got 9. Use for example 5."),
        (
            [0, 1],
            2,
            (1 << 22) + 1,
            "vocab_size must be from 1 to 4194304, got 4194305. "
            "Use a tokenizer with fewer symbols.",
        ),
        (
            [3, 1],
            2,
            5,
            "tokens must be a 1-D array that begins with 0, got [3]. "
            "Put 0 before the first and after every document.",
        ),
        (
            [],
            2,
            5,
            "tokens must be a 1-D array that begins with 0, got []. "
            "Put 0 before the first and after every document.",
        ),
        (
            [0, 5, 0],
            2,
            5,
            "tokens must be ids from 0 to 4, got 5. "
            "Encode the text with the tokenizer that belongs to it.",
        ),
        (
            [0, -1, 0],
            2,
            5,
            "tokens must be ids from 0 to 4, got -1. "
            "Encode the text with the tokenizer that belongs to it.",
        ),
    ],
)
def test_bad_input_is_named(tokens, order, vocab_size, message):
    with pytest.raises(ConfigError) as caught:
        count_ngrams(np.array(tokens, np.int64), order, vocab_size)
    assert str(caught.value) == message


def test_only_like_counts_are_merged():
    counts = count_ngrams(STREAMS["text"], 3, V)
    with pytest.raises(ConfigError) as caught:
        merge(counts, count_ngrams(STREAMS["text"], 2, V))
    assert str(caught.value) == "order must be 3 as in the first counts, got 2. Count again."
    with pytest.raises(ConfigError) as caught:
        merge(counts, count_ngrams(STREAMS["text"], 3, V + 1))
    assert str(caught.value) == "vocab_size must be 30 as in the first counts, got 31. Count again."


def test_more_than_32_bits_of_tokens_are_refused():
    counts = count_ngrams(np.array([0, 2, 0]), 1, 3)
    counts.levels[0].counts[:] = 1 << 30
    with pytest.raises(ConfigError) as caught:
        merge(counts, counts)
    assert str(caught.value) == (
        "tokens must be fewer than 2 ** 32, got 6442450944. Count a part of the text."
    )


def test_a_damaged_shard_is_refused(tmp_path):
    path = tmp_path / "shard"
    count_ngrams(STREAMS["text"], 3, V).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(
        CheckpointError, match=f"^{re.escape(str(path))} is not a complete file of n-gram"
    ):
        Counts.load(path)
    path.write_bytes(b"\x07")
    with pytest.raises(CheckpointError, match=" is not a complete file of n-gram counts: "):
        Counts.load(path)
    with pytest.raises(CheckpointError) as caught:
        Counts.load(tmp_path / "none")
    assert str(caught.value) == f"{tmp_path / 'none'} does not exist. Check the name."


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("keys", 1 << 40, "has n-grams out of order"),
        ("keys", -1, "has n-grams out of order"),
        ("suffixes", V, "has arrays that do not fit"),
    ],
)
def test_a_shard_with_other_contents_is_refused(tmp_path, name, value, problem):
    counts = count_ngrams(STREAMS["text"], 2, V)
    getattr(counts.levels[1], name)[-1] = value
    counts.save(tmp_path / "shard")
    with pytest.raises(CheckpointError) as caught:
        Counts.load(tmp_path / "shard")
    assert str(caught.value).startswith(f"{tmp_path / 'shard'} {problem}. ")
