"""The page of synthetic probes."""

import pytest

from unrolled.errors import ConfigError
from unrolled.report.probes import html, reached, score, verdict
from unrolled.report.words import Words
from unrolled.results.probes import Probes, Trial

from .pages import HOSTILE, Page, drawn


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


def page(trials, language="en"):
    settings = {"batch size": None, "seed": 0}
    return Page(html(Probes.from_json({"settings": settings, "trials": trials}), language))


def test_the_page_says_how_far_each_layer_came():
    shown = page(TRIALS)
    assert shown.verdict == (
        "Adding is solved up to length 50 by gru; parity is solved up to length 20 by rnn and gru; "
        "no model solves recall at length 20."
    )
    assert shown.rows == [["rnn", "–", "20", ""], ["gru", "50", "20", "–"]]
    assert "batch size default" in shown.text
    assert "12 s 2.5 min" in shown.text
    assert "70,123" in shown.text
    assert shown.headings == [
        "Longest length solved",
        "Adding: the sum of two marked numbers among T",
        "Parity: whether the number of ones among T bits so far is odd",
        "Associative recall: T / 8 pairs of key and value, then keys only, T steps in all",
        "Trials",
        "Conditions",
    ]


def test_a_chinese_page():
    shown = page(TRIALS, "zh")
    assert shown.verdict == (
        "Adding 在长度 50 以内被 gru 解决；parity 在长度 20 以内被 rnn 和 gru 解决；"
        "recall 在长度 20 时没有一种层能解决。"
    )
    assert "12 秒 2.5 分钟" in shown.text
    assert "批大小 默认 随机种子 0" in shown.text


def test_pictures_are_percentages_with_goal_and_chance():
    adding, parity, recall = page(TRIALS).charts
    assert list(drawn(adding)) == ["rnn", "gru"]
    assert drawn(adding)["gru"] == [(20, pytest.approx(3.0)), (50, pytest.approx(4.8))]
    assert drawn(adding, "dots").keys() == {"rnn"}  # one length is a point, not a line
    levels = [
        {row["n"]: row["y"] for row in chart["datasets"]["levels"]} for chart in (adding, parity)
    ]
    assert levels[0] == pytest.approx({"solved": 6.0, "chance": 100.0})
    assert levels[1] == {"solved": 99.0, "chance": 50.0}
    assert drawn(recall, "dots")["gru"] == [(20, pytest.approx(0.2))]


def test_a_page_needs_a_trial():
    with pytest.raises(ConfigError, match="trials must be at least one, got none"):
        page([])


def test_scores_and_lengths():
    trials = [Trial.from_json(values) for values in TRIALS]
    assert reached(trials, "adding", "gru") == 50
    assert reached(trials, "adding", "rnn") is None
    assert [score(trials[n]) for n in (1, 3, 5)] == ["0.005", "–", "100.0\N{NO-BREAK SPACE}%"]
    words = Words("probes", "en")
    assert verdict(trials[:1], words) == "No model solves adding at length 20."


def test_hostile_text_stays_text():
    named = [values | {"model": HOSTILE} for values in TRIALS[:2]]
    shown = page(named)
    assert "img" not in [tag for tag, _ in shown.elements]
    assert shown.text.count(HOSTILE) > 3
