"""Damaged texts that were prepared for training, and counts of n-grams."""

import pytest

from unrolled.ngram.counts import Counts, count_ngrams
from unrolled.runs.prepared import BASELINE_ORDERS, IDS, PreparedText, load_baselines
from unrolled.settings.data import DataConfig
from unrolled.text.store import INDEX, TOKEN_BYTES, TOKENIZER


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "text.txt").write_text("an apple, a pear,\nan orange and a peach\n" * 50)
    data = DataConfig(texts=(str(folder / "text.txt"),), documents="line")
    PreparedText.prepare(data, folder)
    return folder


def use(folder) -> None:
    text = PreparedText.open(folder)
    text.unigram()
    counts = count_ngrams(text.store.tokens("train"), 3, text.store.vocab_size)
    assert counts.num_ngrams > 0 and text.store.token_bytes.sum() is not None


@pytest.mark.parametrize("name", [INDEX, TOKENIZER, TOKEN_BYTES, IDS[0]])
def test_tokens(folder, name, damage):
    damage(folder / "tokens" / name, lambda: use(folder))


@pytest.mark.parametrize("name", BASELINE_ORDERS)
def test_baselines(folder, name, damage):
    damage(folder / "baselines" / f"{name}.safetensors", lambda: load_baselines(folder))


def test_counts(folder, damage):
    store = PreparedText.open(folder).store
    path = folder / "counts.safetensors"
    count_ngrams(store.tokens("train"), 3, store.vocab_size).save(path)
    damage(path, lambda: Counts.load(path))
