"""Training a classifier: it learns what a bag of words cannot, and the same from the same seed."""

import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from unrolled.classification import pretraining, run, training
from unrolled.classification.classifier import load_classifier, save_classifier
from unrolled.classification.evaluation import evaluate_classifier
from unrolled.classification.metrics import accuracy, log_loss
from unrolled.classification.pretraining import Pretrained
from unrolled.classification.training import ClassifierRequest, Labelled, train_classifier
from unrolled.errors import CheckpointError, ConfigError
from unrolled.models.classifier import RecurrentClassifier
from unrolled.report.classification import reason
from unrolled.report.words import Words
from unrolled.results.events import Interrupted
from unrolled.runs.folder import TRAIN_STATE
from unrolled.settings.data import DataConfig
from unrolled.settings.models import ClassifierConfig
from unrolled.settings.training import Budget
from unrolled.text.labels import plain
from unrolled.text.words import mirrored
from unrolled.training import language_model as language


def test_the_recurrent_model_learns_what_turns_words_around(trained):
    result, valid = trained
    linear, recurrent = (accuracy(result.valid[name], valid.labels) for name in ("linear", "gru"))
    assert recurrent > linear + 0.04
    assert recurrent > 0.8
    assert result.classifier.weights["gru"] > 0


def test_the_mixture_is_the_better_for_both(trained):
    result, valid = trained
    mixed = result.classifier.log_probs(valid.texts)
    np.testing.assert_allclose(np.exp(mixed).sum(1), 1)
    alone = log_loss(result.valid["linear"], valid.labels)
    assert log_loss(mixed, valid.labels) < alone


def test_the_best_weights_of_the_curve_are_kept(trained):
    result, _ = trained
    (curve,) = result.curves.values()
    assert len(curve) == 10
    assert curve[-1].epoch == pytest.approx(20, abs=0.1)
    assert curve[-1].train_loss < 0.5 * curve[0].train_loss


def test_predictions_do_not_depend_on_their_company(trained):
    classifier = trained[0].classifier
    texts = ["The plot is not dull at all.", "What a cold film!", "x " * 300, ""]
    together = classifier.log_probs(texts)
    for place, text in enumerate(texts):
        np.testing.assert_allclose(classifier.log_probs([text])[0], together[place], atol=0.02)
    assert classifier.log_probs([]).shape == (0, 2)
    predicted = list(classifier.predict(iter(texts), abstain_below=0.75))
    assert [row.text for row in predicted] == texts
    each = np.array([list(row.probabilities.values()) for row in predicted])
    np.testing.assert_allclose(each, np.exp(together))
    for row, best in zip(predicted, together.argmax(1), strict=True):
        assert list(row.probabilities) == classifier.classes
        assert row.probability == max(row.probabilities.values())
        assert row.label == (classifier.classes[best] if row.probability >= 0.75 else None)
    with pytest.raises(ConfigError, match=r"abstain_below must be from 0 to 1, got 1\.5\. Write"):
        classifier.predict(texts, 1.5)


def test_line_breaks_of_web_pages_are_line_ends():
    assert plain("a.<br /><br />B<BR>c") == "a.\nB\nc"


def test_the_same_seed_gives_the_same_classifier_whatever_was_drawn_before(reviews):
    texts, names = reviews
    labels = np.array([int(name == "good") for name in names])
    train, valid = Labelled(texts[:60], labels[:60]), Labelled(texts[60:100], labels[60:100])
    settings = {"budget": Budget(1, "epochs"), "threads": 1}
    model = {"hidden_sizes": (8,), "embedding_size": 8}
    request = ClassifierRequest("lstm", model_settings=model, train_settings=settings)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(train_classifier(train, valid, ["bad", "good"], request).valid["lstm"])
        assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(*found)
    other = replace(request, train_settings=settings | {"seed": 3})
    third = train_classifier(train, valid, ["bad", "good"], other).valid["lstm"]
    assert not np.array_equal(third, found[0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"train_settings": {"batch_size": 0}}, "batch_size must be 1 or more, got 0"),
        ({"train_settings": {"adversarial_norm": -1.0}}, "adversarial_norm must be 0 or more"),
        ({"model_settings": {"dropout": 1.0}}, "dropout must be at least 0 and below 1, got 1.0"),
    ],
)
def test_settings_are_refused_before_anything_is_trained(monkeypatch, settings, said):
    monkeypatch.setattr(training, "fit_linear", lambda *_: pytest.fail("trained"))
    texts = Labelled(["a", "b"], np.array([0, 1]))
    with pytest.raises(ConfigError, match=said):
        train_classifier(texts, texts, ["bad", "good"], ClassifierRequest(**settings))


def test_figures_of_the_test_texts(trained):
    result, valid = trained
    found = evaluate_classifier(result.classifier, valid.texts, valid.labels, "valid")
    assert list(found.models) == [*result.classifier.members, "mixture"]
    assert found.chosen == found.models["mixture"]
    assert np.array(found.confusion).sum() == len(valid.texts) == found.num_texts
    right = np.trace(found.confusion) / len(valid.texts)
    assert found.chosen.accuracy == pytest.approx(right)
    assert sum(row.count for row in found.by_length) == len(valid.texts)
    surest = [row.probability for row in found.mistakes]
    assert surest == sorted(surest, reverse=True)
    assert all(row.label != row.predicted for row in found.mistakes)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory, reviews):
    return train_language_model(tmp_path_factory.mktemp("language"), reviews[0])


@pytest.fixture(scope="module")
def backward_language_model(tmp_path_factory, reviews):
    texts = [mirrored(text) for text in reviews[0]]
    return train_language_model(tmp_path_factory.mktemp("backward"), texts)


def train_language_model(folder: Path, texts: list[str]) -> Path:
    lines = "\n".join(json.dumps({"text": text}) for text in texts)
    (folder / "text.jsonl").write_text(lines, "utf-8")
    data = DataConfig(texts=(str(folder / "text.jsonl"),), tokenizer="word", test_fraction=0)
    request = language.TrainRequest(
        "lstm",
        data,
        budget=Budget(1, "epochs"),
        model_settings={"hidden_size": 16, "embedding_size": 12, "num_layers": 2},
        train_settings={"threads": 1, "batch_size": 8, "sequence_length": 16},
    )
    language.train(folder / "run", request)
    return folder / "run"


def test_a_language_model_is_taken_over(language_model):
    pretrained = Pretrained.open(language_model)
    assert pretrained.settings["hidden_sizes"] == (16, 16)
    assert pretrained.settings["embedding_size"] == 12
    config = ClassifierConfig(pretrained.tokenizer.vocab_size, 2, **pretrained.settings)
    model = RecurrentClassifier(config).eval()
    pretrained.load_into(model)
    tokens = torch.tensor([[0, 5, 7, 3]])
    from unrolled.runs.folder import load

    source = load(language_model).model
    expected, _ = source.stack(source.embedding(tokens), source.initial_state(1))
    y = model.embedding(tokens).transpose(0, 1)
    for layer in model.encoders[0].layers:
        zeros = torch.zeros(1, 16)
        y, *_ = layer(y, zeros, zeros)
    torch.testing.assert_close(y.transpose(0, 1), expected)


def test_a_classifier_begins_from_a_language_model(language_model, reviews):
    texts, names = reviews
    labels = np.array([int(name == "good") for name in names])
    train, valid = Labelled(texts[:300], labels[:300]), Labelled(texts[300:], labels[300:])
    request = ClassifierRequest(
        "lstm",
        pretrained=Pretrained.open(language_model),
        train_settings={"budget": Budget(2, "epochs"), "threads": 1},
    )
    result = train_classifier(train, valid, ["bad", "good"], request)
    member = result.classifier.recurrent
    assert member.tokenizer.fingerprint == request.pretrained.tokenizer.fingerprint
    assert member.config.layer_decay == 2.6 and not member.model.config.bidirectional
    wrong = replace(request, model_settings={"hidden_sizes": (8,)})
    with pytest.raises(ConfigError, match=r"hidden_sizes must be \(16, 16\), as in the language"):
        train_classifier(train, valid, ["bad", "good"], wrong)


def labelled(reviews, first: int, last: int) -> Labelled:
    texts, names = reviews
    return Labelled(texts[first:last], np.array([int(n == "good") for n in names[first:last]]))


def test_a_second_model_reads_backward(language_model, backward_language_model, reviews, tmp_path):
    request = ClassifierRequest(
        "lstm",
        pretrained=Pretrained.open(language_model),
        backward=Pretrained.open(backward_language_model),
        train_settings={"budget": Budget(2, "epochs"), "threads": 1},
    )
    parts = labelled(reviews, 0, 200), labelled(reviews, 200, 300)
    classes = ["bad", "good"]
    whole = train_classifier(*parts, classes, request)
    names = ["linear", *["characters"] * ("characters" in whole.valid), "lstm", "lstm backward"]
    for found in (whole.classifier.members, whole.classifier.weights, whole.valid, whole.seconds):
        assert list(found) == names
    member = whole.classifier.members["lstm backward"]
    assert member.tokenizer.fingerprint == request.backward.tokenizer.fingerprint
    text = "The plot is warm."
    expected = member.tokenizer.encode(". warm is plot The")
    np.testing.assert_array_equal(member.documents([text]).ids[1:-1], expected)
    np.testing.assert_allclose(
        member.log_probs([text]), replace(member, mirrored=False).log_probs([mirrored(text)])
    )
    assert whole.classifier.recurrent is whole.classifier.members["lstm"]
    short = replace(member, config=replace(member.config, max_tokens=4))
    ids, kept = (
        documents.ids.tolist() for documents in (member.documents([text]), short.documents([text]))
    )
    assert kept == ids[:4]  # the end of the text: that is where it begins to read

    said = reason({"linear": 0, "lstm": 0.5, "lstm backward": 1}, Words("classification", "en"))
    assert said.startswith("The mixture of lstm and lstm backward: each of them")

    save_classifier(whole.classifier, tmp_path / "classifier.safetensors")
    loaded = load_classifier(tmp_path / "classifier.safetensors")
    np.testing.assert_array_equal(
        loaded.log_probs(parts[1].texts), whole.classifier.log_probs(parts[1].texts)
    )
    for wrong in (replace(request, kind=None), replace(request, pretrained=None)):
        with pytest.raises(ConfigError, match="backward_language_model must be one of two"):
            train_classifier(*parts, classes, wrong)

    steps = iter(range(100))  # 14 of the first model, then of the second
    with pytest.raises(Interrupted):
        train_classifier(*parts, classes, request, stop=lambda: next(steps) == 17, folder=tmp_path)
    again = train_classifier(*parts, classes, request, folder=tmp_path)
    for name in names:
        np.testing.assert_array_equal(again.valid[name], whole.valid[name])


def test_what_is_no_language_model(tmp_path, language_model):
    with pytest.raises(CheckpointError, match="is not a run folder"):
        Pretrained.open(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [("layer_norm", True, False), ("connections", "sum", "none"), ("attention", 4, 0)],
)
def test_a_language_model_with_more_in_it_is_refused(
    language_model, monkeypatch, name, value, default
):
    opened = pretraining.load(language_model)
    config = replace(opened.config, model=replace(opened.config.model, **{name: value}))
    opened = replace(opened, config=config)
    monkeypatch.setattr(pretraining, "load", lambda run: opened)
    with pytest.raises(CheckpointError) as caught:
        Pretrained.open(language_model)
    assert str(caught.value) == (
        f"{language_model} has {name} {value}, which a classifier cannot take over. "
        f"Train one with {name} {default}."
    )


def test_what_says_that_a_training_was_interrupted_goes_last(tmp_path, monkeypatch):
    # Without it the same command is refused, and what else was left would stay.
    (tmp_path / TRAIN_STATE).touch()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "forget_pretraining", Mock(side_effect=KeyboardInterrupt))
        run._forget(tmp_path)
    assert (tmp_path / TRAIN_STATE).exists()
    run._forget(tmp_path)
    assert not list(tmp_path.iterdir())
