"""config.json: what is written is read, in the form that it has always had."""

import json
from pathlib import Path

import pytest

from unrolled.results.comparison import Baseline, TriedRate
from unrolled.results.run import RunResults
from unrolled.runs.config import CONFIG, RunConfig, TokenizerInfo, load_config, save_config
from unrolled.settings.data import DataConfig
from unrolled.settings.models import NgramConfig, RecurrentConfig
from unrolled.settings.training import TrainConfig

RESULTS = RunResults(
    loss_nats=300.0,
    num_tokens=100,
    num_bytes=400,
    num_chars=390,
    num_words=80,
    split="test",
    num_parameters=1000,
    train_tokens=5000,
    train_steps=10,
    train_epochs=0.5,
    train_tokens_per_second=1e4,
    baselines=[Baseline("uniform", 2.0)],
    file_bytes=4000,
    peak_bytes=1 << 27,
    train_seconds=3.0,
    seconds=4.0,
)
CONFIG_OF_A_GRU = RunConfig(
    tokenizer=TokenizerInfo("char", "abc"),
    vocab_size=8,
    data=DataConfig(("a\udcff.txt", "我")),  # a file's name need not be UTF-8
    data_hash="0123",
    text=".",
    versions={"python": "3.12"},
    machine="one core",
    tried_learning_rates=[TriedRate(0.1, 2.5)],
    model=RecurrentConfig("gru", hidden_size=4),
    train=TrainConfig(threads=1),
    results=RESULTS,
)


def test_what_is_written_is_read(tmp_path):
    save_config(tmp_path, CONFIG_OF_A_GRU)
    assert load_config(tmp_path) == CONFIG_OF_A_GRU


def test_the_file_has_the_keys_that_it_has_always_had(tmp_path):
    save_config(tmp_path, CONFIG_OF_A_GRU)
    values = json.loads((tmp_path / CONFIG).read_text("utf-8"))
    keys = "tokenizer vocab_size data data_hash text versions machine model train results"
    assert values.keys() == {*keys.split(), "tried_learning_rates"}
    assert values["model"]["hidden_size"] == 4
    assert values["train"]["budget"] == {"amount": 600, "unit": "seconds"}
    assert values["results"]["bits_per_byte"] == RESULTS.bits_per_byte
    assert values["results"]["perplexity"] == RESULTS.perplexity
    keys = "loss_nats num_unknown spelling_nats closed_vocabulary train_steps baselines seconds"
    assert values["results"].keys() >= set(keys.split())
    assert "notes" not in values["results"]
    plain = RunConfig(
        tokenizer=TokenizerInfo("char", "abc"), vocab_size=8, text=".", model=NgramConfig()
    )
    assert not plain.to_json().keys() & {"train", "results", "measured", "tried_learning_rates"}


def test_a_failed_write_leaves_the_old_config(tmp_path, monkeypatch):
    save_config(tmp_path, CONFIG_OF_A_GRU)
    before = (tmp_path / CONFIG).read_bytes()

    def full(path, *arguments):
        path.write_bytes(b"{")
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="the disk is full"):
        save_config(tmp_path, CONFIG_OF_A_GRU)
    assert (tmp_path / CONFIG).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [CONFIG]
