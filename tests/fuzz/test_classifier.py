"""Damaged files of classifiers."""

import pytest

from unrolled import TextClassifier
from unrolled.classification.classifier import load_classifier

TEXTS = ["a good film", "a bad film", "so good, so good", "bad, bad acting"] * 10


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    fitted = TextClassifier(kind="gru", hidden_sizes=(4,), embedding_size=4, budget="1epochs")
    with pytest.warns(UserWarning, match="Only 40 held-out texts"):
        fitted.fit(TEXTS, ["good", "bad"] * 20)
    fitted.save(folder / "classifier.safetensors")
    return folder / "classifier.safetensors"


def test_a_classifier(path, damage):
    header = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    for part in (header, None):  # most of what can go wrong is in the header
        damage(path, lambda: list(load_classifier(path).predict(["a good film", ""])), part=part)
