"""TextClassifier keeps scikit-learn's promises."""

import json
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from unrolled import TextClassifier
from unrolled.classification.run import evaluate_files
from unrolled.errors import ConfigError, LabelError


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
        assert fitted.score(texts[200:], labels[200:]) == np.mean(predicted == labels[200:]) > 0.7
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
    (["a", "b", "c"], ["x", "x", "rare"], LabelError, "the class 'rare' has 1 text only. "),
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
