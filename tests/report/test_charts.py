"""What the charts are given to draw."""

import pytest

from .comparisons import fake_comparison
from .test_page import Page


def test_curves_over_seconds_and_tokens() -> None:
    comparison = fake_comparison()
    seconds, tokens = Page(comparison).charts[:2]
    names = ["lstm", "gru", "transformer", "rnn"]
    assert [(s["name"], s["kind"]) for s in seconds["series"]] == [
        *((name, "faint") for name in names),
        *((name, "line") for name in names),
    ]
    assert [s["colour"] for s in seconds["series"]] == [0, 1, 2, 3, 0, 1, 2, 3]
    curve = comparison["models"][0]["curve"]
    assert seconds["series"][4]["x"] == [point["seconds"] for point in curve]
    assert tokens["series"][4]["x"] == [point["tokens"] for point in curve]
    assert tokens["series"][4]["y"] == [point["valid"] for point in curve]
    # The first look at the training text is missing.
    assert seconds["series"][0]["x"] == [point["seconds"] for point in curve[1:]]
    assert (seconds["scale"], tokens["scale"]) == ("linear", "log")


def test_the_steep_start_does_not_set_the_range() -> None:
    comparison = fake_comparison()
    comparison["baselines"] = []
    low, high = Page(comparison).charts[0]["y"]
    valid = [point["valid"] for point in comparison["models"][3]["curve"]]
    late = [
        point["valid"] for point in comparison["models"][3]["curve"] if point["seconds"] >= 11.9
    ]
    assert valid[0] > 3.9
    assert late[0] < high < late[0] + 0.2
    assert low < min(point["train"] or 9 for point in comparison["models"][0]["curve"][-1:])


def test_levels_are_drawn_or_named() -> None:
    page = Page(fake_comparison())
    levels = page.charts[0]["levels"]
    assert [(row["name"], row["colour"]) for row in levels] == [("xz", None), ("ngram", 4)]
    assert [row["y"] for row in levels] == [2.913, pytest.approx(2.417)]
    assert page.text.count("Above the picture: uniform 6.022, unigram 4.761.") == 2


def test_cost_leaves_out_what_was_not_measured() -> None:
    comparison = fake_comparison()
    comparison["models"][2]["score_tokens_per_second"] = None
    speed, size = Page(comparison).charts[2:4]
    assert [s["name"] for s in speed["series"]] == ["lstm", "gru", "rnn", "ngram"]
    assert [s["colour"] for s in speed["series"]] == [0, 1, 3, 4]
    assert size["series"][2] == {
        "name": "transformer",
        "colour": 2,
        "kind": "points",
        "x": [12.8e6],
        "y": [2.204],
    }


def test_positions_are_framed_without_the_first_tokens() -> None:
    comparison = fake_comparison()
    chart = Page(comparison).charts[4]
    assert chart["scale"] == "log"
    assert chart["series"][4]["x"] == [2**power for power in range(11)]
    fourth = comparison["models"][4]["loss_by_position"][2]["bits_per_byte"]
    assert fourth < chart["y"][1] < fourth + 0.2
    assert chart["y"][0] < comparison["models"][0]["loss_by_position"][-1]["bits_per_byte"]


def test_a_diverged_model_does_not_break_the_charts() -> None:
    comparison = fake_comparison()
    for point in comparison["models"][3]["curve"][5:]:
        point |= {"train": float("inf"), "valid": float("nan")}
    rnn = Page(comparison).charts[0]["series"][7]
    assert (rnn["name"], len(rnn["y"])) == ("rnn", 5)


def test_only_flat_models_have_no_curves() -> None:
    comparison = fake_comparison()
    comparison["models"] = comparison["models"][4:]
    page = Page(comparison)
    assert "Learning curves" not in page.headings
    assert "Quality against cost" in page.headings


def test_a_model_without_steps_is_in_the_picture_however_good_and_a_low_baseline_is_named():
    comparison = fake_comparison()
    for model in comparison["models"]:
        if model["name"] == "ngram":
            model["curve"] = [{"seconds": 1, "tokens": 1, "train": None, "valid": 1.9}]
    comparison["baselines"].append({"name": "oracle", "bits_per_byte": 0.1})
    page = Page(comparison)
    assert page.text.count("Below the picture: oracle 0.100.") == 2
    for chart in page.charts[:2]:
        assert chart["y"][0] < 1.9
        assert "ngram" in [level["name"] for level in chart["levels"]]
