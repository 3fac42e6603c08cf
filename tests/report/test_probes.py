"""The page of synthetic probes."""

import json
import re

import pytest

from unrolled.errors import ConfigError
from unrolled.report.probes import html, reached, score, verdict


def trial(task, length, model, solved, value, measure="accuracy", chance=0.5, goal=0.99):
    return {
        "task": task,
        "length": length,
        "model": model,
        "measure": measure,
        "score": value,
        "chance": chance,
        "goal": goal,
        "solved": solved,
        "num_parameters": 70123,
        "state_size": 132,
        "learning_rate": 0.001,
        "tried": [{"learning_rate": 0.001, "loss": None}],
        "steps": 321,
        "seconds": 12.5,
        "allowed": 150.0,
    }


TRIALS = [
    trial("adding", 20, "rnn", False, 0.16, "loss", 1 / 6, 0.01),
    trial("adding", 20, "gru", True, 0.005, "loss", 1 / 6, 0.01),
    trial("adding", 50, "gru", True, 0.008, "loss", 1 / 6, 0.01),
    trial("adding", 100, "gru", False, None, "loss", 1 / 6, 0.01),
    trial("parity", 20, "rnn", True, 0.997),
    trial("parity", 20, "gru", True, 1.0),
    trial("recall", 20, "gru", False, 0.002, chance=1 / 512, goal=0.95),
]


def page(trials):
    settings = {"batch size": None, "seed": 0}
    return html({"settings": settings, "trials": trials})


def test_the_page_says_how_far_each_layer_came():
    shown = page(TRIALS)
    assert (
        "Adding is solved up to 50 by gru; parity is solved up to 20 by rnn and gru; "
        "nothing solves recall at 20."
    ) in shown
    assert "</i>gru</th><td>50</td><td>20</td><td>–</td></tr>" in shown
    assert "</i>rnn</th><td>–</td><td>20</td><td></td></tr>" in shown
    assert "<dt>batch size</dt><dd>default</dd>" in shown
    assert "<td>12 s</td><td>2.5 min</td>" in shown
    assert "70,123" in shown


def test_pictures_are_percentages_with_goal_and_chance():
    charts = [json.loads(text) for text in re.findall(r"json>(.*?)</script>", page(TRIALS))]
    adding, parity, recall = charts
    assert [line["name"] for line in adding["series"]] == ["rnn", "gru"]
    assert adding["series"][1]["kind"] == "line" and adding["series"][0]["kind"] == "points"
    assert adding["series"][1]["x"] == [20, 50]
    assert adding["series"][1]["y"] == pytest.approx([3.0, 4.8])
    assert {row["name"]: row["y"] for row in adding["levels"]} == pytest.approx(
        {"solved": 6.0, "chance": 100.0}
    )
    assert {row["name"]: row["y"] for row in parity["levels"]} == {"solved": 99.0, "chance": 50.0}
    assert recall["series"][0]["y"] == pytest.approx([0.2])


def test_a_page_needs_a_trial():
    with pytest.raises(ConfigError, match="trials must be at least one, got none"):
        page([])


def test_scores_and_lengths():
    assert reached(TRIALS, "adding", "gru") == 50
    assert reached(TRIALS, "adding", "rnn") is None
    assert [score(TRIALS[n]) for n in (1, 3, 5)] == ["0.005", "–", "100.0\N{NO-BREAK SPACE}%"]
    assert verdict(TRIALS[:1]) == "Nothing solves adding at 20."
