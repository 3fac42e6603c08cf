"""A comparison as a file: its schema is that of its records, and every comparison fits it."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.report.comparisons import fake_comparison
from unrolled import CompareRequest, DataConfig, TrainRequest, compare
from unrolled.errors import UnrolledError
from unrolled.results.comparison import Comparison, Difference, Disturbance

TOP = Path(__file__).parents[2]
SCHEMA = json.loads((TOP / "docs" / "comparison.schema.json").read_text("utf-8"))


def problems(comparison: Any) -> list[str]:
    """What does not fit the schema, by its place."""
    errors = Draft202012Validator(SCHEMA).iter_errors(comparison)
    return [error.json_path for error in errors]


def test_the_committed_schema_is_generated_from_the_records(monkeypatch):
    """After a change of what a comparison holds: python scripts/schema.py."""
    monkeypatch.syspath_prepend(TOP / "scripts")
    text = import_module("schema").text()
    assert text == (TOP / "docs" / "comparison.schema.json").read_text("utf-8")
    Draft202012Validator.check_schema(SCHEMA)


def full() -> dict[str, Any]:
    """A made-up comparison with every part that may be missing."""
    comparison = fake_comparison()
    behind = Difference(0.019, 0.006).to_json()
    comparison["models"][1] |= {"behind": behind, "doubt": "hardly trained", "num_updates": 3}
    comparison["recommendation"][0]["behind"] = behind
    budget = {"amount": 600, "unit": "seconds"}
    comparison |= {"budget": budget, "share": budget, "cut_short": 0.25}
    return comparison | {"disturbance": Disturbance(0.1, 0.2, "gru").to_json()}


@pytest.mark.parametrize("comparison", [fake_comparison(), full()])
def test_made_up_comparisons_fit(comparison):
    assert problems(Comparison.from_json(comparison).to_json()) == []


def test_what_cannot_be_read_does_not_fit():
    for place, name, value in (
        ("$", "cutshort", 0.5),
        ("$.split", "split", 1),
        ("$.share", "share", {"amount": 1, "unit": "years"}),
        ("$.models[1].doubt", "doubt", "none"),
        ("$.models[1].num_parameters", "num_parameters", 1.5),
        ("$.models[1].curve[0]", "curve", [{"seconds": 1}]),
    ):
        comparison = Comparison.from_json(full()).to_json()
        (comparison["models"][1] if "models" in place else comparison)[name] = value
        assert place in problems(comparison), place
        with pytest.raises((UnrolledError, ValueError)):
            Comparison.from_json(comparison)


def test_a_real_comparison_fits(english, tmp_path):
    train = TrainRequest("ngram", DataConfig((english,)), size="small")
    found = compare(tmp_path, CompareRequest(train, kinds=("ngram",)))
    written = json.loads((tmp_path / "comparison.json").read_text("utf-8"))
    assert problems(written) == []
    assert Comparison.from_json(written) == found
