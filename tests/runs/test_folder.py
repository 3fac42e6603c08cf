"""The run folder: what is saved is loaded, what is damaged is named."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from unrolled.errors import CheckpointError, ConfigError
from unrolled.models.build import build
from unrolled.models.ngram import NgramModel
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate
from unrolled.results.comparison import Baseline, TriedRate
from unrolled.results.events import End, Warned
from unrolled.results.run import RunResults
from unrolled.runs import folder
from unrolled.runs.folder import (
    CONFIG,
    LOG,
    MODEL,
    TOKENIZER,
    TRAIN_STATE,
    RunConfig,
    TokenizerInfo,
    append_log,
    contents,
    load,
    load_config,
    load_train_state,
    read_log,
    remove_train_state,
    save_config,
    save_train_state,
    trim_log,
)
from unrolled.settings.data import DataConfig
from unrolled.settings.models import NgramConfig, RecurrentConfig
from unrolled.settings.training import TrainConfig
from unrolled.system.files import TEMPORARY, write_json
from unrolled.text.tokenizers import CharTokenizer, Spelling

CHARS = CharTokenizer(list("abcdef"), Spelling([0] * 257))
LSTM = RecurrentConfig(kind="lstm", hidden_size=4, embedding_size=3)


def describe(run: Path, model_config, **changes) -> None:
    config = {
        "model": model_config.to_json(),
        "tokenizer": {"kind": "char", "fingerprint": CHARS.fingerprint},
        "vocab_size": CHARS.vocab_size,
        "text": ".",
    }
    write_json(run / CONFIG, config | changes)


def ngram(vocab_size: int) -> NgramModel:
    tokens = np.append(0, np.random.default_rng(0).integers(0, vocab_size, 200))
    return NgramModel(estimate(count_ngrams(tokens, 2, vocab_size)))


@pytest.fixture
def run(tmp_path) -> Path:
    """A run with an untrained LSTM."""
    describe(tmp_path, LSTM)
    CHARS.save(tmp_path / TOKENIZER)
    save_file(build(LSTM, CHARS.vocab_size).state_dict(), tmp_path / MODEL)
    return tmp_path


def message(action, *args) -> str:
    with pytest.raises((CheckpointError, ConfigError)) as caught:
        action(*args)
    return str(caught.value)


def test_what_is_saved_is_loaded(run):
    opened = load(run)
    weights = load_file(run / MODEL)
    assert all(torch.equal(weights[key], value) for key, value in opened.model.state_dict().items())
    assert not opened.model.training
    assert not any(value.requires_grad for value in opened.model.parameters())
    assert opened.tokenizer.fingerprint == CHARS.fingerprint
    assert opened.config.model == LSTM
    assert opened.config == load_config(run)
    assert opened.baselines == {}


def test_no_run(tmp_path):
    expected = "is not a run folder: it has no config.json. Make one with: unrolled train"
    assert message(load, tmp_path) == f"{tmp_path} {expected}"
    assert message(load, tmp_path / "none") == f"{tmp_path / 'none'} {expected}"


def test_damaged_config(run):
    path = run / CONFIG
    text = path.read_text("utf-8")
    path.write_text(text[:30], "utf-8")
    found = message(load, run)
    assert found.startswith(f"{path} is not JSON (")
    assert found.endswith("). Restore it, or retrain.") and "\n" not in found


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"model": {}, "tokenizer": {}}'])
def test_config_of_something_else(run, text):
    (run / CONFIG).write_text(text)
    found = message(load, run)
    assert found.startswith(f"{run / CONFIG} is not the config.json of a run (RunConfig")
    assert found.endswith("). Restore it, use the version of unrolled that wrote it, or retrain.")


def test_foreign_tokenizer(run):
    CharTokenizer(list("abcdxy"), Spelling([0] * 257)).save(run / TOKENIZER)
    assert message(load, run) == (
        f"{run} has a tokenizer.json that it was not trained with. Restore it, or retrain."
    )


def test_missing_tokenizer(run):
    (run / TOKENIZER).unlink()
    assert message(load, run) == (
        f"{run / TOKENIZER} cannot be read (No such file or directory). "
        "Restore the file, or train again."
    )


@pytest.mark.parametrize("config", [LSTM, NgramConfig(order=2)])
def test_missing_model(run, config):
    describe(run, config)
    (run / MODEL).unlink()
    assert message(load, run) == (
        f"{run / MODEL} does not exist. Train the run to its end, or --resume it."
    )


def test_damaged_model(run):
    data = (run / MODEL).read_bytes()
    (run / MODEL).write_bytes(data[:-1])
    found = message(load, run)
    assert found.startswith(f"{run / MODEL} cannot be loaded: ")
    assert found.endswith(". Train the run again.") and "\n" not in found


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -2e9])
def test_weights_that_no_training_reaches(run, value):
    weights = build(LSTM, CHARS.vocab_size).state_dict()
    weights["embedding.weight"][0, 0] = value
    save_file(weights, run / MODEL)
    expected = "has unusable numbers in embedding.weight. Train the run again."
    assert message(load, run) == f"{run / MODEL} {expected}"


def test_json_nested_too_deeply(run):
    (run / CONFIG).write_text("[" * 100_000)
    remedy = "Restore it, or retrain."
    expected = f"{run / CONFIG} is not JSON (it is nested too deeply). {remedy}"
    assert message(load, run) == expected


def test_damaged_lines_of_the_log_are_passed_over(run):
    append_log(run, warning(1))
    with (run / LOG).open("ab") as file:
        file.write(b"\xff\xfe\n" + b"[" * 100_000 + b"\n")
    append_log(run, warning(2))
    assert list(read_log(run)) == [warning(1), warning(2)]


def test_weights_of_another_shape(run):
    save_file(build(LSTM, 5).state_dict(), run / MODEL)
    found = message(load, run)
    assert found.startswith(f"{run / MODEL} cannot be loaded: ")
    assert "size mismatch for embedding.weight" in found
    assert found.endswith(" Train the run again.") and "\n" not in found


def test_weights_of_an_older_version(run):
    weights = build(LSTM, CHARS.vocab_size).state_dict()
    del weights["embedding.bias"]
    save_file(weights, run / MODEL)
    found = message(load, run)
    assert found.endswith('Missing key(s) in state_dict: "embedding.bias". Train the run again.')
    save_file({"other": torch.zeros(1)}, run / MODEL)
    found = message(load, run)
    assert found.endswith(", and more. Train the run again.") and "\n" not in found


def test_ngram_of_another_vocabulary(run):
    describe(run, NgramConfig(order=2))
    ngram(CHARS.vocab_size).save(run / MODEL)
    assert load(run).model.vocab_size == CHARS.vocab_size
    ngram(5).save(run / MODEL)
    assert message(load, run) == (
        f"{run / MODEL} holds a model of 5 symbols, not 8. Restore it, or retrain."
    )


def test_settings_of_another_version(run):
    describe(run, LSTM, model={**asdict(LSTM), "mogrify": 5})
    assert message(load, run) == (
        f"{run / CONFIG} is not the config.json of a run (RunConfig.model has an unknown field "
        "'mogrify'). Restore it, use the version of unrolled that wrote it, or retrain."
    )


def test_train_state_comes_back(tmp_path):
    tensors = {
        "model.w": torch.randn(3, 2).t(),  # not contiguous
        "rng": torch.get_rng_state(),
        "optimizer.0.step": torch.tensor(7.0),
    }
    values = {"step": 3, "best_nats": float("inf"), "seconds": 0.1}
    save_train_state(tmp_path, tensors, values)
    found, found_values = load_train_state(tmp_path)
    assert found_values == values
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert all(found[name].dtype == tensors[name].dtype for name in tensors)


def test_a_failed_write_leaves_the_old_train_state(tmp_path, monkeypatch):
    save_train_state(tmp_path, {"w": torch.ones(2)}, {"step": 1})

    def fails(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(folder, "save_file", fails)
    with pytest.raises(OSError, match="the disk is full"):
        save_train_state(tmp_path, {"w": torch.zeros(2)}, {"step": 2})
    tensors, values = load_train_state(tmp_path)
    assert values == {"step": 1} and torch.equal(tensors["w"], torch.ones(2))
    assert [path.name for path in tmp_path.iterdir()] == [TRAIN_STATE]


def test_nothing_to_resume(tmp_path):
    assert message(load_train_state, tmp_path) == (
        f"{tmp_path} has nothing to resume. Start it without --resume."
    )


@pytest.mark.parametrize("keep", [0, 4, 40, -1])
def test_truncated_train_state(tmp_path, keep):
    save_train_state(tmp_path, {"w": torch.ones(2)}, {"step": 1})
    path = tmp_path / TRAIN_STATE
    path.write_bytes(path.read_bytes()[:keep])
    found = message(load_train_state, tmp_path)
    assert found.startswith(f"{path} is damaged (")
    assert found.endswith("). Train the run again.") and "\n" not in found


@pytest.mark.parametrize("metadata", [None, {}, {"values": "{"}, {"other": "1"}])
def test_train_state_of_something_else(tmp_path, metadata):
    save_file({"w": torch.ones(2)}, tmp_path / TRAIN_STATE, metadata)
    found = message(load_train_state, tmp_path)
    assert found.startswith(f"{tmp_path / TRAIN_STATE} is damaged (")


def test_what_only_a_resume_needs_is_removed(run):
    for name in (f"{TEMPORARY}x1", ".my.json.d"):
        (run / name).mkdir()
        (run / name / "part").write_text("")
    for name in (TRAIN_STATE, "notes.txt", ".config.json.swp"):
        (run / name).write_text("")
    remove_train_state(run)
    assert {path.name for path in run.iterdir()} == {
        CONFIG,
        MODEL,
        TOKENIZER,
        "notes.txt",
        ".config.json.swp",
        ".my.json.d",
    }


AT = {"tokens": 1, "seconds": 1.0, "fraction": 0.5}


def warning(step: int) -> Warned:
    return Warned(step=step, **AT, condition="diverging", text="\u2028é")


def test_log(tmp_path):
    assert list(read_log(tmp_path)) == []
    records = [warning(step) for step in (1, 2, 2, 3)]
    for record in records:
        append_log(tmp_path, record)
    with (tmp_path / LOG).open("a") as file:
        file.write('{"kind": "valid", "st')  # a kill
    assert list(read_log(tmp_path)) == records


def test_a_trimmed_log_has_what_is_not_done_over_again(tmp_path):
    for step in (1, 2, 2, 3):
        append_log(tmp_path, warning(step))
    append_log(tmp_path, End(step=2, **AT, valid=1.0))
    with (tmp_path / LOG).open("a") as file:
        file.write('{"kind": "tr')
    trim_log(tmp_path, 2)
    append_log(tmp_path, warning(3))
    assert [row.step for row in read_log(tmp_path)] == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "lstm"}, "is not the config.json of a run"),
        ({"tokenizer": {"kind": "char"}}, "is not the config.json of a run"),
        (
            {"model": asdict(LSTM) | {"hidden_size": "4"}},
            "is not the config.json of a run (RunConfig.model.hidden_size must be a whole number",
        ),
    ],
)
def test_settings_of_other_types_are_named(run, changes, said):
    describe(run, LSTM, **changes)
    assert message(load, run).startswith(f"{run / CONFIG} {said}")


def test_what_a_folder_holds(run, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    assert contents(run) == "language model" and contents(empty) is None
    (empty / folder.CLASSIFIER).write_bytes(b"")
    assert contents(empty) == "classifier"
    assert message(load, empty) == (
        f"{empty} holds a classifier, not a language model. Use it with: unrolled classify"
    )


def test_an_unfinished_run_has_no_results(run):
    opened = load(run)
    assert repr(opened) == f"lstm in {run}: not finished"
    with pytest.raises(CheckpointError, match="is not finished. Resume with: unrolled train --res"):
        _ = opened.results


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
