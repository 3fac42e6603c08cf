"""A text ready for training, and its baselines."""

import numpy as np
import pytest

from unrolled.errors import CheckpointError
from unrolled.inference.evaluation import evaluate
from unrolled.runs import prepared
from unrolled.runs.prepared import PreparedText, count_model, load_baselines
from unrolled.settings.data import DataConfig


@pytest.fixture
def text(tmp_path, english) -> PreparedText:
    return PreparedText.prepare(DataConfig((english,)), tmp_path / "run")


def test_what_is_prepared_is_opened(text):
    opened = PreparedText.open(text.folder)
    assert opened.store == text.store
    assert opened.tokenizer.fingerprint == text.tokenizer.fingerprint
    assert np.array_equal(opened.store.tokens("train"), text.store.tokens("train"))


def test_baselines_are_counted_on_the_training_split(text):
    found = load_baselines(text.folder)
    assert {name: model.order for name, model in found.items()} == {"unigram": 1, "5-gram": 5}
    for model in found.values():
        counted, seconds = count_model(text.store, model.order)
        assert seconds >= 0
        assert evaluate(model, text.store, "test") == evaluate(counted, text.store, "test")


def test_baselines_count_the_beginning_of_a_large_text(tmp_path, english, monkeypatch):
    monkeypatch.setattr(prepared, "BASELINE_TOKENS", 2000)
    text = PreparedText.prepare(DataConfig((english,)), tmp_path / "run")
    part, _ = count_model(text.store, 5, 2000)
    whole, _ = count_model(text.store, 5)
    found = load_baselines(text.folder)["5-gram"]
    assert found.num_parameters() == part.num_parameters() < whole.num_parameters()


def test_clean_up_leaves_the_baselines(text):
    text.clean_up()
    text.clean_up()
    assert [path.name for path in text.folder.iterdir()] == ["baselines"]
    assert len(load_baselines(text.folder)) == 2


def test_clean_up_leaves_what_somebody_else_put_there(text):
    (text.folder / "tokens" / "notes.txt").touch()
    text.clean_up()
    assert [path.name for path in (text.folder / "tokens").iterdir()] == ["notes.txt"]


def test_no_baselines_where_there_are_none(tmp_path):
    assert load_baselines(tmp_path / "none") == {}


def test_nothing_prepared(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        PreparedText.open(tmp_path)
    path = tmp_path / "tokens" / "tokenizer.json"
    assert str(caught.value) == (
        f"{path} cannot be read (No such file or directory). Restore the file, or train again."
    )
