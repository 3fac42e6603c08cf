"""Explanations: parts that add up to the text, and the word that decides found."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unrolled.classification import explanation as module
from unrolled.classification.classifier import Classifier, RecurrentMember
from unrolled.classification.explanation import explain
from unrolled.errors import ConfigError
from unrolled.models.classifier import RecurrentClassifier
from unrolled.settings.models import ClassifierConfig
from unrolled.settings.training import ClassifierTrainConfig
from unrolled.text.tokenizers import ByteTokenizer


@pytest.mark.parametrize("method", ["occlusion", "gradient"])
@pytest.mark.parametrize("text", ["The film is dull.", "  很好, a  tired\nplot ", "", " "])
def test_the_parts_add_up_to_the_text(trained, method, text):
    found = explain(trained[0].classifier, text, method)
    assert "".join(found.parts) == text or not found.parts
    assert len(found.weights) == len(found.parts)
    assert found.predicted in ("good", "bad") and 0.5 <= found.probability <= 1


@pytest.mark.parametrize("method", ["occlusion", "gradient"])
def test_the_word_that_decides_is_found(trained, method):
    for text, word in (("What a tedious film!", "tedious"), ("The music is charming.", "charming")):
        found = explain(trained[0].classifier, text, method)
        strongest = found.parts[int(np.argmax(found.weights))]
        assert strongest.strip(" .!") == word


def test_occlusion_is_what_the_log_odds_lose(trained):
    classifier = trained[0].classifier
    found = explain(classifier, "The cast is warm.")
    place = found.parts.index("warm")
    odds = [
        np.subtract(*classifier.log_probs([text])[0][::-1])
        for text in ("The cast is warm.", "The cast is .")
    ]
    sign = 1 if found.predicted == "good" else -1
    assert found.weights[place] == pytest.approx(sign * (odds[0] - odds[1]), abs=0.02)


def test_gradient_times_input_is_the_slope_of_the_words_length(trained):
    classifier = trained[0].classifier
    member = classifier.recurrent
    found = explain(classifier, "The cast is warm.", "gradient")
    predicted = classifier.classes.index(found.predicted)
    token = int(member.tokenizer.encode("warm")[0])
    weight = member.model.embedding.weight
    original = weight[token].clone()
    odds = []
    for scale in (0.9, 1.1):
        weight[token] = original * scale
        log_probs = member.log_probs(["The cast is warm."])[0]
        odds.append(log_probs[predicted] - log_probs[1 - predicted])
    weight[token] = original
    slope = (odds[1] - odds[0]) / 0.2
    assert found.weights[found.parts.index("warm")] == pytest.approx(slope, rel=0.1, abs=0.05)


def test_padding_that_is_read_takes_nothing_from_the_words(trained):
    classifier = trained[0].classifier
    member = classifier.recurrent
    padded = replace(member.config, max_tokens=9, post_padding_unmasked=True)
    other = replace(
        classifier, members=classifier.members | {"gru": replace(member, config=padded)}
    )
    text = "What a tedious film!"
    found, plain = (explain(model, text, "gradient") for model in (other, classifier))
    assert found.parts == plain.parts
    strongest = found.parts[int(np.abs(found.weights).argmax())]
    assert strongest.strip(" .!") == "tedious"


def test_long_texts_are_explained_in_pieces(trained, monkeypatch):
    monkeypatch.setattr(module, "MAX_WORDS", 4)
    found = explain(trained[0].classifier, "a b c d e f g h i j")
    assert found.parts == ["a b c ", "d e f ", "g h i ", "j"]


def test_a_linear_classifier_has_no_gradient(trained):
    classifier = trained[0].classifier
    weights = {"linear": 1.0}
    linear = replace(
        classifier, members={"linear": classifier.linear}, weights=weights, alone=weights
    )
    assert len(explain(linear, "a cold film").parts) == 3
    with pytest.raises(ConfigError, match="method must be occlusion for a linear model"):
        explain(linear, "a cold film", "gradient")


class WordCounter:
    """As many nats for class a, b or c as the text has of the word."""

    num_parameters = 0

    def log_probs(self, texts):
        counts = np.array([[text.split().count(word) for word in "abc"] for text in texts])
        return counts - np.logaddexp.reduce(counts.astype(float), axis=1, keepdims=True)


def test_occlusion_of_three_classes_weighs_one_against_the_others():
    one = {"linear": 1.0}
    found = explain(Classifier(list("abc"), {"linear": WordCounter()}, one, one), "a a b c")
    assert (found.parts, found.predicted) == (["a ", "a ", "b ", "c"], "a")
    without_b = np.logaddexp(1, 1) - np.logaddexp(0, 1)
    assert found.weights.tolist() == pytest.approx([1, 1, -without_b, -without_b])


def test_gradient_of_three_classes_and_single_bytes(trained):
    """The parts' weights are those of their bytes, together the slope along all vectors."""
    torch.manual_seed(0)
    config = ClassifierConfig(257, 3, embedding_size=6, hidden_sizes=(5,))
    model = RecurrentClassifier(config).eval().requires_grad_(False)
    member = RecurrentMember(model, ByteTokenizer(), ClassifierTrainConfig(precision="float32"))
    members = {"linear": trained[0].classifier.linear, "gru": member}
    weights = {"linear": 0.0, "gru": 1.0}
    classifier = Classifier(list("abc"), members, weights, weights)
    text = "很 ok"
    found = explain(classifier, text, "gradient")
    assert "".join(found.parts) == text and "很" in found.parts
    predicted = "abc".index(found.predicted)
    tokens, lengths = member.documents([text]).batch(np.array([0]))
    ends = torch.zeros(1, tokens.shape[1], 1)
    ends[:, 1:-1] = 1  # the boundaries are no part of the text
    odds = []
    for step in (-1e-2, 1e-2):
        shift = step * ends * model.embedding.embed(tokens)
        log_probs = model(tokens, lengths, shift)[0].detach().double()
        others = torch.cat([log_probs[:predicted], log_probs[predicted + 1 :]])
        odds.append(float(log_probs[predicted] - others.logsumexp(0)))
    slope = (odds[1] - odds[0]) / 2e-2
    assert found.weights.sum() == pytest.approx(slope, rel=0.02)
