"""Training a classifier: it learns what a bag of words cannot, and the same from the same seed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unrolled.classification import pretrained as pretrained_module
from unrolled.classification import trainee as fitting_module
from unrolled.classification import training
from unrolled.classification.documents import Documents
from unrolled.classification.evaluation import evaluate_classifier
from unrolled.classification.files import load_classifier, save_classifier
from unrolled.classification.metrics import accuracy, log_loss
from unrolled.classification.pretrained import Pretrained
from unrolled.classification.trainee import Fitting, decide, worst_shift
from unrolled.classification.training import ClassifierRequest, Labelled, train_classifier
from unrolled.errors import CheckpointError, ConfigError
from unrolled.models.classifier import RecurrentClassifier
from unrolled.report.classification import reason
from unrolled.report.words import Words
from unrolled.settings.data import DataConfig
from unrolled.settings.models import ClassifierConfig
from unrolled.settings.training import Budget, ClassifierTrainConfig
from unrolled.text.labelled import mirrored, plain
from unrolled.text.tokenizers import ByteTokenizer
from unrolled.training import language_model as language
from unrolled.training.loop import Interrupted


def test_the_recurrent_model_learns_what_turns_words_around(trained):
    result, valid = trained
    linear, recurrent = (accuracy(found, valid.labels) for found in result.valid.values())
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
    assert curve[-1]["epoch"] == pytest.approx(20, abs=0.1)
    assert curve[-1]["train_loss"] < 0.5 * curve[0]["train_loss"]


def test_predictions_do_not_depend_on_their_company(trained):
    classifier = trained[0].classifier
    texts = ["The plot is not dull at all.", "What a cold film!", "x " * 300, ""]
    together = classifier.log_probs(texts)
    for place, text in enumerate(texts):
        np.testing.assert_allclose(classifier.log_probs([text])[0], together[place], atol=0.02)
    assert classifier.log_probs([]).shape == (0, 2)
    streamed = [probabilities for _, probabilities in classifier.stream(iter(texts))]
    np.testing.assert_allclose(np.array(streamed), np.exp(together))


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


def make_fitting(folder: Path | None = None, **settings) -> Fitting:
    texts = ["aab", "abb", "ba", "bbb"] * 8
    labels = np.array([0, 1, 0, 1] * 8)
    documents = Documents.encode(texts, ByteTokenizer())
    torch.manual_seed(0)
    config = ClassifierConfig(257, 2, embedding_size=4, hidden_sizes=(4, 4))
    values = {"threads": 1, "batch_size": 8, "precision": "float32"} | settings
    train_config = decide(ClassifierTrainConfig(**values))
    model = RecurrentClassifier(config)
    return Fitting(model, documents, labels, documents, labels, train_config, folder)


def test_layers_thaw_from_the_output_down():
    fitting = make_fitting(unfreeze_fraction=0.25, budget=Budget(4, "epochs"), learning_rate=0.1)
    before = [[value.clone() for value in group] for group in fitting.groups]
    moved = []
    for rows in fitting.train.shuffled(8, 0, 0) * 4:
        fitting.update(rows)
        pairs = zip(before, fitting.groups, strict=True)
        moved.append(
            [any(not torch.equal(a, b) for a, b in zip(*pair, strict=True)) for pair in pairs]
        )
    assert moved[3] == [True, False, False, False]
    assert moved[7] == [True, True, False, False]
    assert moved[11] == [True, True, True, False]
    assert moved[15] == [True] * 4


def test_layers_near_the_words_learn_more_slowly():
    fitting = make_fitting(layer_decay=2.0, weight_decay=0.0)
    before = [group[0].clone() for group in fitting.groups]
    fitting.update(np.arange(8))
    steps = [
        float((group[0] - old).detach().abs().max())
        for group, old in zip(fitting.groups, before, strict=True)
    ]
    # Adam's first step is as long as the rate, in every coordinate with a gradient.
    assert steps[0] / steps[1] == pytest.approx(2, rel=0.02)
    assert steps[0] / steps[3] == pytest.approx(8, rel=0.02)


def test_the_worst_shift_has_the_same_size_for_every_text():
    torch.manual_seed(0)
    gradient, words = torch.randn(3, 6, 4), 0.1 * torch.randn(3, 6, 4)
    lengths = torch.tensor([6, 2, 1])
    words[1, 2:], words[2, 1:] = 1e6, 1e6  # padding, which has no size
    gradient[1, 2:], gradient[2] = 0, 0
    shift = worst_shift(gradient, words, lengths, 3.0)
    inside = torch.cat([words[0], words[1, :2], words[2, :1]])
    size = 3 * float(inside.square().mean().sqrt())
    assert shift.flatten(1).norm(dim=1).tolist() == pytest.approx([size, size, 0], rel=1e-5)
    torch.testing.assert_close(shift[0] / size, gradient[0] / gradient[0].norm())
    assert (shift[1, 2:] == 0).all()


def test_adversarial_training_adds_the_gradient_at_the_worst_shift(monkeypatch):
    fitting = make_fitting(adversarial_norm=0.5, clip_norm=1e9)
    fitting.model.config = replace(fitting.model.config, dropout=0.0)
    fitting.model.embedding.word_dropout = 0.0
    for encoder in fitting.model.encoders:
        encoder.hidden_dropout = 0.0
    rows = np.arange(8)
    tokens, lengths = fitting.train.batch(rows)
    targets = torch.from_numpy(fitting.labels[rows])
    weight = fitting.model.embedding.weight

    def loss(shift):
        return torch.nn.functional.nll_loss(fitting.model(tokens, lengths, shift), targets)

    nowhere = torch.zeros(*tokens.shape, 4, requires_grad=True)
    clean = loss(nowhere)
    (slope,) = torch.autograd.grad(clean, nowhere, retain_graph=True)
    shift = worst_shift(slope, weight.detach()[tokens], lengths, 0.5)
    worst, mild = loss(shift), loss(shift.flip(0))
    assert worst > max(clean, mild)
    expected = torch.autograd.grad(clean + worst, weight)[0]
    kept = []
    monkeypatch.setattr(fitting.optimizer, "step", lambda: kept.append(weight.grad.clone()))
    fitting.update(rows)
    torch.testing.assert_close(kept[0], expected)
    assert fitting.progress.losses == [pytest.approx(clean.item())]


def test_the_mean_of_the_weights_since_the_last_look_is_measured_and_kept(monkeypatch):
    fitting = make_fitting(budget=Budget(5, "epochs"), learning_rate=0.05)
    after, measured, update = [], [], fitting.update
    weight = fitting.model.embedding.weight

    def spy(rows):
        if after:
            assert torch.equal(weight, after[-1])  # training goes on from where it was
        update(rows)
        after.append(weight.detach().clone())

    def loss(*arguments):
        measured.append(weight.detach().clone())
        return 0.1 if len(measured) == 7 else 0.2

    monkeypatch.setattr(fitting, "update", spy)
    monkeypatch.setattr(fitting_module, "log_loss", loss)
    fitting.run(lambda record: None, lambda: False)
    assert len(after) == 20 and len(measured) == len(fitting.progress.curve) == 10
    for number, found in enumerate(measured):
        mean = (after[2 * number] + after[2 * number + 1]) / 2
        torch.testing.assert_close(found, mean)
    assert torch.equal(weight, measured[6])


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


def test_it_stops_when_told():
    with pytest.raises(Interrupted):
        make_fitting().run(lambda record: None, lambda: True)


def test_figures_of_the_test_texts(trained):
    result, valid = trained
    found = evaluate_classifier(result.classifier, valid.texts, valid.labels, "valid")
    assert list(found.models) == ["linear", "gru", "mixture"]
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
    language.train(folder / "run", request, lambda record: None)
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
    names = ["linear", "lstm", "lstm backward"]
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
    opened = pretrained_module.load(language_model)
    opened.config["model"][name] = value
    monkeypatch.setattr(pretrained_module, "load", lambda run: opened)
    with pytest.raises(CheckpointError) as caught:
        Pretrained.open(language_model)
    assert str(caught.value) == (
        f"{language_model} has {name} {value}, which a classifier cannot take over. "
        f"Train one with {name} {default}."
    )


@pytest.mark.parametrize("last", [6, 7])  # at a look, and between two
@pytest.mark.parametrize("settings", [{}, {"unfreeze_fraction": 0.2, "adversarial_norm": 1.0}])
def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path, last, settings):
    settings = settings | {"budget": Budget(3, "epochs")}
    whole = make_fitting(**settings)
    whole.run(lambda record: None, lambda: False)
    steps = iter(range(100))
    first = make_fitting(**settings, folder=tmp_path)
    with pytest.raises(Interrupted):
        first.run(lambda record: None, lambda: next(steps) == last - 1)
    second = make_fitting(**settings, folder=tmp_path)
    torch.manual_seed(99)
    assert second.restore()
    assert second.progress.steps == last
    second.run(lambda record: None, lambda: False)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    losses = [[row["valid_loss"] for row in fitting.progress.curve] for fitting in (whole, second)]
    assert losses[0] == losses[1]
    other = settings | {"budget": Budget(4, "epochs")}
    with pytest.raises(CheckpointError, match="was begun with other texts or settings"):
        make_fitting(**other, folder=tmp_path).restore()
    changed = make_fitting(**settings, folder=tmp_path)
    changed.labels = 1 - changed.labels
    with pytest.raises(CheckpointError, match="was begun with other texts or settings"):
        changed.restore()
    assert not make_fitting().restore()


def test_what_diverges_keeps_the_best_weights():
    fitting = make_fitting(budget=Budget(50, "epochs"), learning_rate=1e30, clip_norm=1e30)
    heard = []
    fitting.run(heard.append, lambda: False)
    assert heard[-1]["text"].startswith("Diverged; the best weights before it are kept.")
    assert all(value.isfinite().all() for value in fitting.model.state_dict().values())


@pytest.mark.parametrize("fault", ["unknown value", "best", "average"])
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, fault):
    fitting = make_fitting(folder=tmp_path)
    if fault == "unknown value":
        fitting.progress.__dict__["unknown"] = 1
    else:
        weights = getattr(fitting.weights, fault)
        weights.pop(next(iter(weights)))
    fitting.save()
    with pytest.raises(CheckpointError, match="does not fit this training. Remove it to begin"):
        make_fitting(folder=tmp_path).restore()
