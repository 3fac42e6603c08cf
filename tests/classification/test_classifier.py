"""One file: what was saved comes back, and what is no classifier is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from unrolled.classification.classifier import FILE, load_classifier, save_classifier
from unrolled.errors import CheckpointError

TEXTS = ["The plot is not dull at all.", "What a cold film!", "", "太差了"]


def test_it_comes_back_the_same(trained, tmp_path):
    classifier = replace(trained[0].classifier, info={"note": "测"})
    save_classifier(classifier, tmp_path / FILE)
    for path in (tmp_path, tmp_path / FILE):
        found = load_classifier(path)
        np.testing.assert_array_equal(found.log_probs(TEXTS), classifier.log_probs(TEXTS))
        assert (found.classes, found.info) == (["bad", "good"], {"note": "测"})
        assert found.recurrent.model.config == classifier.recurrent.model.config
        assert found.recurrent.config == classifier.recurrent.config
    assert (tmp_path / FILE).stat().st_size < 1_000_000  # of 4 million features few are used


def test_a_linear_classifier_alone(trained, tmp_path):
    classifier = trained[0].classifier
    alone = {"linear": classifier.alone["linear"]}
    linear = replace(
        classifier,
        members={"linear": classifier.linear},
        weights=alone,
        alone=alone,
        classes=[0, 1],
    )
    save_classifier(linear, tmp_path / "a.safetensors")
    found = load_classifier(tmp_path / "a.safetensors")
    assert found.classes == [0, 1]
    np.testing.assert_array_equal(found.log_probs(TEXTS), linear.log_probs(TEXTS))


def test_a_file_of_the_version_before_is_read(trained, tmp_path):
    """It had one linear model, and no thresholds."""
    classifier = trained[0].classifier
    classifier = replace(
        classifier,
        members={name: classifier.members[name] for name in ("linear", "gru")},
        weights={name: classifier.weights[name] for name in ("linear", "gru")},
        alone={name: classifier.alone[name] for name in ("linear", "gru")},
        thresholds=None,
    )
    save_classifier(classifier, tmp_path / FILE)
    with safe_open(tmp_path / FILE, "np") as file:
        values = json.loads(file.metadata()["values"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    before = values | {"linear": values["linear"]["linear"]}
    del before["thresholds"]
    header = {"format": "unrolled classifier 2", "values": json.dumps(before)}
    save_file(tensors, tmp_path / FILE, header)
    found = load_classifier(tmp_path)
    np.testing.assert_array_equal(found.log_probs(TEXTS), classifier.log_probs(TEXTS))


def test_what_is_no_classifier(trained, tmp_path):
    with pytest.raises(CheckpointError, match="does not exist. Make one with: unrolled classify"):
        load_classifier(tmp_path)
    (tmp_path / FILE).write_bytes(b"junk" * 10)
    with pytest.raises(CheckpointError, match="is damaged"):
        load_classifier(tmp_path)
    save_file({"a": np.zeros(2)}, tmp_path / FILE, {"format": "unrolled classifier 1"})
    with pytest.raises(CheckpointError, match="was written by another version of unrolled. Use"):
        load_classifier(tmp_path)
    save_file({"a": np.zeros(2)}, tmp_path / FILE)
    with pytest.raises(CheckpointError, match="is not a classifier"):
        load_classifier(tmp_path)
    save_classifier(trained[0].classifier, tmp_path / FILE)
    data = (tmp_path / FILE).read_bytes()
    for changed in (data[:-1000], data.replace(b'\\"kind\\": \\"gru\\"', b'\\"kind\\": \\"xxx\\"')):
        assert changed != data
        (tmp_path / FILE).write_bytes(changed)
        with pytest.raises(CheckpointError, match="is damaged"):
            load_classifier(tmp_path)


def test_a_linear_model_of_wrong_shapes_or_without_numbers(trained, tmp_path):
    classifier = trained[0].classifier
    linear = classifier.linear
    for change in (
        {"weights": linear.weights[:, :-1]},
        {"bias": np.zeros(3)},
        {"columns": linear.columns[::-1].copy()},
        {"ratios": np.full_like(linear.ratios, np.nan)},
    ):
        members = classifier.members | {"linear": replace(linear, **change)}
        save_classifier(replace(classifier, members=members), tmp_path / FILE)
        with pytest.raises(
            CheckpointError, match=r"is damaged \(the .*linear model .*\)\. Restore"
        ):
            load_classifier(tmp_path)
