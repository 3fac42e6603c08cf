"""Damaged files of classifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled import TextClassifier
from unrolled.classification.classifier import load_classifier

from .mutations import FUZZ, mutated

TEXTS = ["a good film", "a bad film", "so good, so good", "bad, bad acting"] * 10


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    fitted = TextClassifier(kind="gru", hidden_sizes=(4,), embedding_size=4, budget="1epochs")
    with pytest.warns(UserWarning, match="Only 40 held-out texts"):
        fitted.fit(TEXTS, ["good", "bad"] * 20)
    fitted.save(folder / "classifier.safetensors")
    return folder / "classifier.safetensors"


@FUZZ
@given(data=st.data())
def test_a_classifier(path, survives, data):
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")  # most of what can go wrong is there
    try:
        if data.draw(st.booleans()):
            path.write_bytes(data.draw(mutated(whole[:header])) + whole[header:])
        else:
            path.write_bytes(data.draw(mutated(whole)))
        survives(lambda: list(load_classifier(path).predict(["a good film", ""])))
    finally:
        path.write_bytes(whole)
