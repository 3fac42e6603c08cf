"""What a result of classification says of itself."""

import json

import pytest

from unrolled.results.classification import Classification, Figures

FIGURES = Figures(0.919, 0.906, 0.93, 0.918, 0.2, 0.01)


def result(weights: dict[str, float]) -> Classification:
    """Models of such weights, and their mixture where there are several."""
    names = [*weights, "mixture"] if len(weights) > 1 else list(weights)
    return Classification(
        classes=[False, True],
        split="test",
        num_texts=2_000,
        models=dict.fromkeys(names, FIGURES),
        chosen=FIGURES,
        weights=weights,
    )


@pytest.mark.parametrize(
    ("weights", "chosen"),
    [
        ({"linear": 0.4, "lstm": 0.7}, "mixture"),
        ({"linear": 0.0, "lstm": 1.1}, "lstm"),
        ({"linear": 1.0, "lstm": 0.0}, "linear"),
        ({"linear": 1.0}, "linear"),
    ],
)
def test_the_model_with_all_of_the_weight_or_the_mixture_predicts(weights, chosen):
    assert result(weights).chosen_model == chosen


def test_labels_of_any_type_come_back_from_json():
    before = result({"linear": 1.0})
    assert Classification.from_json(json.loads(json.dumps(before.to_json()))) == before
