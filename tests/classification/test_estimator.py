"""TextClassifier keeps scikit-learn's promises."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from unrolled import TextClassifier
from unrolled.classification.request import ClassifyRequest
from unrolled.classification.run import classify, evaluate_files
from unrolled.errors import ConfigError, LabelError

# With fewer than 100 texts the estimator says that its probabilities are rough.
pytestmark = pytest.mark.filterwarnings("ignore:Only .* held-out texts:UserWarning")


def quick(**settings) -> TextClassifier:
    values = {"hidden_sizes": (8,), "embedding_size": 8, "budget": "1epoch", "threads": 1}
    return TextClassifier(**(values | settings))


# Of check_estimator, those that need no numbers to fit: it gives none of them to a reader of text.
CHECKS = [
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_estimators_unfitted,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_mixin_order,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
]


@pytest.mark.parametrize("check", CHECKS)
def test_scikit_learn_finds_nothing_wrong(check):
    check("TextClassifier", TextClassifier())


@pytest.mark.parametrize("kind", ["linear", "gru"])
def test_what_scikit_learn_checks_of_fitted_estimators_holds_for_texts(kind, reviews):
    """check_fit_returns_self, check_dont_overwrite_parameters, check_dict_unchanged,
    check_fit_idempotent, and check_methods_subset_invariance and _sample_order_invariance."""
    texts, names = reviews
    estimator = quick(kind=kind)
    settings = dict(vars(estimator))
    assert estimator.fit(texts[:80], names[:80]) is estimator
    assert {name: vars(estimator)[name] for name in settings} == settings
    added = set(vars(estimator)) - set(settings)
    assert added == {"classes_", "classifier_"}
    fitted = dict(vars(estimator))
    expected = estimator.predict_proba(texts[80:100])
    assert all(vars(estimator)[name] is value for name, value in fitted.items())
    one_by_one = np.concatenate([estimator.predict_proba([text]) for text in texts[80:100]])
    np.testing.assert_allclose(one_by_one, expected, atol=1e-5)
    np.testing.assert_allclose(
        estimator.predict_proba(texts[80:100][::-1])[::-1], expected, atol=1e-5
    )
    again = estimator.fit(texts[:80], names[:80])
    np.testing.assert_array_equal(again.predict_proba(texts[80:100]), expected)


def test_labels_of_any_type_come_back(reviews):
    texts, names = reviews
    for labels in (names, np.array(names), [len(name) for name in names], np.array(names) == "bad"):
        fitted = TextClassifier(kind="linear").fit(texts[:200], labels[:200])
        assert (fitted.classes_ == np.unique(labels[:200])).all()
        predicted = fitted.predict(texts[200:])
        assert predicted.dtype == fitted.classes_.dtype
        assert fitted.score(texts[200:], labels[200:]) == np.mean(predicted == labels[200:]) > 0.65
        probabilities = fitted.predict_proba(texts[200:])
        np.testing.assert_allclose(probabilities.sum(1), 1)
        assert (fitted.classes_[probabilities.argmax(1)] == predicted).all()


def test_truth_values_are_the_same_in_files(reviews, tmp_path):
    texts, names = reviews
    fitted = TextClassifier(kind="linear").fit(texts[:200], np.array(names[:200]) == "good")
    fitted.save(tmp_path / "a.safetensors")
    rows = zip(texts[200:], names[200:], strict=True)
    lines = [json.dumps({"text": text, "label": name == "good"}) for text, name in rows]
    (tmp_path / "more.jsonl").write_text("\n".join(lines), "utf-8")
    found = evaluate_files(tmp_path / "a.safetensors", [str(tmp_path / "more.jsonl")], None, None)
    expected = fitted.score(texts[200:], np.array(names[200:]) == "good")
    assert found.chosen.accuracy == pytest.approx(expected)


def test_it_is_cloned_and_its_settings_are_set():
    estimator = TextClassifier("lstm", budget="2epochs", random_state=5)
    again = clone(estimator)
    assert again.get_params() == estimator.get_params()
    assert again.set_params(kind="rnn").kind == "rnn" and estimator.kind == "lstm"


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_it_is_pickled_and_saved(kind, reviews, tmp_path):
    texts, names = reviews
    fitted = quick(kind=kind).fit(texts[:80], names[:80])
    expected = fitted.predict_proba(texts[80:100])
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(fitted)).predict_proba(texts[80:100]), expected
    )
    fitted.save(tmp_path / "a.safetensors")
    loaded = TextClassifier.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(texts[80:100]), expected)
    assert (loaded.predict(texts[80:100]) == fitted.predict(texts[80:100])).all()


def test_it_works_inside_scikit_learn(reviews):
    texts, names = reviews
    scores = cross_val_score(TextClassifier(kind="linear"), texts, names, cv=3)
    assert scores.min() > 0.7
    upper = FunctionTransformer(lambda X: [text.upper() for text in X])
    pipeline = Pipeline([("upper", upper), ("classes", quick())])
    grid = {"classes__word_dropout": [0.0, 0.2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(np.array(texts[:100], object), names[:100])
    assert search.best_params_["classes__word_dropout"] in (0.0, 0.2)
    assert set(search.predict(texts[:5])) <= {"good", "bad"}


CASES = [
    ("one text", ["a"], LabelError, "X is one string. Give a list of texts."),
    (["a", 7], ["x", "y"], LabelError, "X has int at place 1, not a text. Give strings."),
    (["a", None], ["x", "y"], LabelError, "X has NoneType at place 1, not a text. Give strings."),
    (["a", "b"], ["x"], LabelError, "y has the shape (1,), but there are 2 texts."),
    (
        ["a", "b"],
        ["x", "x"],
        LabelError,
        "y has one class only. Give texts of two classes or more.",
    ),
    ([], [], LabelError, "y has one class only"),
    (["a", "b"], ["x", None], LabelError, "y has labels of several types, or missing ones. "),
    (["a", "b"], [0.5, 1.0], LabelError, "y has 0.5 at place 0. Give strings, whole numbers"),
    (["a", "b"], [1.0, np.nan], LabelError, "y has nan at place 1. Give strings, whole numbers"),
    (["a", "b"], ["x", " "], LabelError, "y has ' ' at place 1. Give strings, whole numbers"),
    (["a", "  "], ["x", "y"], LabelError, "X has an empty text at place 1. Leave it out."),
    (["a", "\ud800"], ["x", "y"], LabelError, "X has half of a surrogate pair at place 1, which"),
    (["a", "b"], ["x", "y"], LabelError, "y has one class of two texts or more only. Give texts"),
    ({"a": 1}, ["x"], LabelError, "X is a dict, not a list of texts. Give a list, array or"),
    ({"a", "b"}, ["x", "y"], LabelError, "X is a set, not a list of texts. Give a list, array"),
    (7, ["x"], LabelError, "X is a int, not a list of texts. "),
    (np.array([["a", "b"]]), ["x"], LabelError, "X is a ndarray of the shape (1, 2). Give one"),
    (np.array("a"), ["x"], LabelError, "X is a ndarray of the shape (). Give one column of texts"),
    (["a", "b"], "xy", LabelError, "y is one string. Give a list of labels."),
    (["a", "b"], {"x": 1, "y": 2}, LabelError, "y is a dict, not a list of labels. Give a list"),
    (["a", "b"], np.array([["x"], ["y"]]), LabelError, "y has the shape (2, 1), but there are 2"),
]


@pytest.mark.parametrize(("texts", "labels", "kind", "said"), CASES)
def test_what_is_wrong_with_the_data(texts, labels, kind, said):
    with pytest.raises(kind) as caught:
        TextClassifier(kind="linear").fit(texts, labels)
    assert str(caught.value).startswith(said)
    assert isinstance(caught.value, ValueError)


def test_what_is_wrong_with_the_settings(reviews):
    texts, names = reviews
    with pytest.raises(
        ConfigError, match="kind must be one of linear, rnn, gru, lstm, mingru, got xlstm"
    ):
        TextClassifier("xlstm").fit(texts, names)
    for name, value in (("tokenizer", "wrod"), ("precision", "fp16"), ("pooling", "avg")):
        with pytest.raises(ConfigError, match=f"{name} must be one of .*, got {value}"):
            quick(**{name: value}).fit(texts, names)
    with pytest.raises(ConfigError, match="hidden_sizes must be"):
        quick(hidden_sizes=(0,)).fit(texts, names)


class Frame:
    """What pandas has, as far as it matters: iterating a table gives the names of its columns."""

    def __init__(self, *columns: str) -> None:
        self.columns, self.shape = columns, (60, len(columns))

    def __iter__(self):
        return iter(self.columns)


def test_a_table_is_not_one_text(reviews):
    texts, names = reviews
    fitted = TextClassifier("linear").fit(texts[:200], names[:200])
    for columns in (("text",), ("text", "more")):
        with pytest.raises(LabelError, match=r"X is a Frame of the shape .* Give one column of t"):
            fitted.predict(Frame(*columns))
    assert len(fitted.predict(text for text in texts[:3])) == 3


def test_log_probabilities(reviews):
    texts, names = reviews
    fitted = TextClassifier("linear").fit(texts[:200], names[:200])
    found = fitted.predict_log_proba(texts[200:210])
    np.testing.assert_allclose(np.exp(found), fitted.predict_proba(texts[200:210]))
    assert (found < 0).all()


def test_a_lone_class_is_left_out_with_a_warning(reviews):
    texts, names = reviews
    with pytest.warns(UserWarning, match="1 text left out, the only one of the class 'odd'"):
        fitted = TextClassifier("linear").fit(texts[:200], [*names[:199], "odd"])
    assert fitted.classes_.tolist() == ["bad", "good"]


def test_few_texts_are_said_to_be_few(reviews):
    texts, names = reviews
    with pytest.warns(UserWarning, match="Only 50 held-out texts to calibrate by: probabilities"):
        TextClassifier("linear").fit(texts[:50], names[:50])


@pytest.fixture(scope="module")
def rare(reviews):
    """6 % of the texts are good."""
    texts, names = reviews
    good = [text for text, name in zip(texts, names, strict=True) if name == "good"]
    bad = [text for text, name in zip(texts, names, strict=True) if name == "bad"]
    return bad[:150] + good[:10], ["bad"] * 150 + ["good"] * 10, bad[150:] + good[150:]


@pytest.mark.parametrize("kind", ["linear", "gru"])
def test_a_rare_class_is_found_where_weights_or_thresholds_are_asked_for(kind, rare):
    texts, names, new = rare
    plain = quick(kind=kind).fit(texts, names)
    seldom = np.sum(plain.predict(new) == "good")
    with pytest.warns(UserWarning, match=r"Texts count by the weight of their class \(balanced\)"):
        balanced = quick(kind=kind, class_weight="balanced").fit(texts, names)
    assert np.sum(balanced.predict(new) == "good") > seldom
    assert balanced.predict_proba(new)[:, 1].mean() > plain.predict_proba(new)[:, 1].mean() + 0.1
    with pytest.warns(UserWarning, match="have the greatest macro-f1 on 160 held-out texts: bad "):
        moved = quick(kind=kind, thresholds="macro-f1").fit(texts, names)
    np.testing.assert_allclose(moved.predict_proba(new), plain.predict_proba(new))
    low = moved.classifier_.thresholds[1]
    assert (
        moved.predict(new) == np.where(moved.predict_proba(new)[:, 1] > low, "good", "bad")
    ).all()


def test_weights_are_those_of_texts_that_stand_there_more_often(rare):
    texts, names, new = rare
    by_class, by_text = (
        TextClassifier("linear", class_weight=weights, random_state=1)
        for weights in ({"good": 5.0}, None)
    )
    with pytest.warns(UserWarning, match="Texts count by the weight of their class"):
        by_class.fit(texts, names)
    by_text.fit(texts, names, sample_weight=[5 if name == "good" else 1 for name in names])
    np.testing.assert_allclose(by_class.predict_proba(new), by_text.predict_proba(new))
    unweighted = TextClassifier("linear", random_state=1).fit(texts, names, np.ones(len(texts)))
    expected = TextClassifier("linear", random_state=1).fit(texts, names)
    np.testing.assert_array_equal(unweighted.predict_proba(new), expected.predict_proba(new))


@pytest.mark.parametrize(
    ("settings", "weights", "said"),
    [
        ({"class_weight": "even"}, None, "class_weight must be balanced or a dict of classes, got"),
        (
            {"class_weight": {"odd": 1}},
            None,
            "class_weight must be of classes such as 'bad', 'good'",
        ),
        ({"class_weight": {"bad": -1}}, None, "class_weight of 'bad' must be above 0, got -1. Use"),
        ({"thresholds": "best"}, None, "thresholds must be one of macro-f1, got best. "),
        ({}, [1], "sample_weight has the shape (1,), but there are 20 texts. Give one weight for"),
        ({}, [-1] * 20, "sample_weight has something else than finite numbers of 0 or more. "),
        ({}, ["a"] * 20, "sample_weight has something else than finite numbers of 0 or more. "),
        ({}, [0] * 20, "sample_weight is 0 for all texts. Leave it out."),
    ],
)
def test_what_is_wrong_with_weights(settings, weights, said, reviews):
    texts, names = reviews
    with pytest.raises((LabelError, ConfigError)) as caught:
        TextClassifier("linear", **settings).fit(texts[:20], names[:20], weights)
    assert str(caught.value).startswith(said)


def test_seeds_of_all_kinds(reviews):
    texts, names = reviews[0][:100], reviews[1][:100]
    fits = [
        TextClassifier("linear", random_state=seed).fit(texts, names).predict_proba(texts[:5])
        for seed in (7, np.int64(7), 2**32 - 1, None)
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    for make in (np.random.RandomState, np.random.default_rng):
        one, two = (
            TextClassifier("linear", random_state=make(3)).fit(texts, names) for _ in range(2)
        )
        assert one.classifier_.info["request"]["seed"] == two.classifier_.info["request"]["seed"]
    for seed in (-1, 2**32, 1.5, "1", True):
        with pytest.raises(ConfigError, match="random_state must be a whole number from 0 to 2"):
            TextClassifier("linear", random_state=seed).fit(texts, names)


def test_settings_are_saved_and_loaded(reviews, tmp_path):
    texts, names = reviews
    path = tmp_path / "a.safetensors"
    settings = {
        "hidden_sizes": [np.int64(8)],
        "random_state": np.int32(5),
        "dropout": np.float32(0),
    }
    estimator = quick(kind="rnn", class_weight={"good": 2.0}, **settings)
    with pytest.warns(UserWarning, match="Texts count by"):
        estimator.fit(texts[:80], names[:80])
    estimator.save(path)
    loaded = TextClassifier.load(path)
    assert loaded.kind == "rnn" and loaded.hidden_sizes == (8,) and loaded.budget == "1epoch"
    assert loaded.random_state == 5 and loaded.class_weight == {"good": 2.0}
    TextClassifier("linear").fit(texts[:80], names[:80]).save(path)
    assert TextClassifier.load(path).kind == "linear"
    with pytest.warns(UserWarning, match="Texts count by"):
        again = loaded.fit(texts[:80], names[:80])
    np.testing.assert_array_equal(
        again.predict_proba(texts[80:90]), estimator.predict_proba(texts[80:90])
    )


def test_a_file_of_the_command_line_is_loaded_with_its_settings_and_whole_numbers(
    reviews, tmp_path
):
    texts, names = reviews
    rows = [f"{int(name == 'good')}\t{text}" for text, name in zip(texts, names, strict=True)]
    (tmp_path / "a.tsv").write_text("\n".join(["label\ttext", *rows]), "utf-8")
    request = ClassifyRequest(
        (str(tmp_path / "a.tsv"),), kind="linear", seed=3, thresholds="macro-f1"
    )
    classify(tmp_path / "run", request)
    loaded = TextClassifier.load(tmp_path / "run")
    assert (loaded.kind, loaded.random_state, loaded.thresholds) == ("linear", 3, "macro-f1")
    assert loaded.classes_.tolist() == [0, 1] and loaded.classes_.dtype.kind == "i"
    assert loaded.score(texts, [int(name == "good") for name in names]) > 0.8


def test_importing_it_does_not_load_the_compiler_of_torch():
    code = "import sys, unrolled; unrolled.TextClassifier; print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("False", "")
