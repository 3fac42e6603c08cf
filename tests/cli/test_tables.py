"""Lines of text and of JSON, one for each result, and the table of a diagnosis."""

import json
from pathlib import Path

import pytest

from unrolled.cli.rows import Row
from unrolled.cli.tables import (
    explanation_lines,
    prediction_lines,
    print_diagnosis,
    rank_lines,
    score_lines,
)
from unrolled.inference.surprisal import Cost, TextScore
from unrolled.results.classification import Explained, Part, Prediction
from unrolled.results.diagnosis import Diagnosis, Flow, Verdict
from unrolled.results.interval import Interval

COSTS = (Cost("a\\", 0, 2, 1.25), Cost("\t\r\n", 2, 5, 2.0000004), Cost("<eos>", 5, 5, 0.5))
SCORES = [
    (Row(1, "a\\\t\r\n", {"id": "x\t"}), TextScore("a\\\t\r\n", COSTS)),
    (Row(2, "", {"id": None}), None),
    (Row(3, "b", {"id": 7}), TextScore("b", (Cost("b", 0, 1, 3.0),))),
]


def test_each_token_has_a_line_with_its_row():
    assert list(score_lines(SCORES, "tsv", ["id"])) == [
        "row\tstart\tend\ttoken\tbits\tid\n",
        "1\t0\t2\ta\\\\\t1.25\tx\\t\n",
        "1\t2\t5\t\\t\\r\\n\t2\tx\\t\n",
        "1\t5\t5\t<eos>\t0.5\tx\\t\n",
        "2\t\t\t\t\t\n",
        "3\t0\t1\tb\t3\t7\n",
    ]


def test_each_row_has_an_object():
    lines = list(score_lines(SCORES, "jsonl"))
    first, second, third = (json.loads(line) for line in lines)
    assert first == {"row": 1, "columns": {"id": "x\t"}, **SCORES[0][1].to_json()}
    assert second == {"row": 2, "columns": {"id": None}, "text": "", "bits": None}
    assert (third["row"], third["columns"]) == (3, {"id": 7})
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)


def test_ranked_rows_are_lines():
    assert list(rank_lines(SCORES[:0:-1], ["id"])) == [
        "row\tbits\ttext\tid\n",
        "3\t3.000\tb\t7\n",
        "2\t\t\t\n",
    ]


def test_an_explanation_is_a_line_for_each_part():
    explained = Explained([Part("so ", 0.5), Part("gut", -1.25)], "ja", 0.75)
    assert list(explanation_lines([(Row(1, "", {}), None), (Row(2, "so gut", {}), explained)])) == [
        "row\tclass\tprobability\tpart\tweight\n",
        "1\t\t\t\t\n",
        "2\tja\t0.7500\tso \t0.5\n",
        "2\tja\t0.7500\tgut\t-1.25\n",
    ]


PREDICTIONS = [
    Prediction("好\n", "gut\tso", 0.75, {"gut\tso": 0.75, "schlecht": 0.25}),
    Prediction("b", None, 0.5, {"gut\tso": 0.5, "schlecht": 0.50000000001}),
    None,
    Prediction("c", False, 1.0, {"False": 1.0}),
]
PREDICTED = [
    (Row(number, found.text if found else "", {}), found)
    for number, found in enumerate(PREDICTIONS, 1)
]


@pytest.mark.parametrize(
    ("format", "lines"),
    [
        (
            "tsv",
            [
                "row\tclass\tprobability\ttext\n",
                "1\tgut\\tso\t0.7500\t好\\n\n",
                "2\t?\t0.5000\tb\n",
                "3\t\t\t\n",
                "4\tFalse\t1.0000\tc\n",
            ],
        ),
        (
            "jsonl",
            [
                '{"row": 1, "class": "gut\\tso", "probabilities": '
                '{"gut\\tso": 0.75, "schlecht": 0.25}, "text": "好\\n"}\n',
                '{"row": 2, "class": null, "probabilities": {"gut\\tso": 0.5, "schlecht": 0.5}, '
                '"text": "b"}\n',
                '{"row": 3, "class": null, "probabilities": null, "text": ""}\n',
                '{"row": 4, "class": false, "probabilities": {"False": 1.0}, "text": "c"}\n',
            ],
        ),
    ],
)
def test_a_prediction_is_a_line(format, lines):
    assert list(prediction_lines(PREDICTED, format)) == lines


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_diagnosis_shows_intervals_and_what_lies_further_back(language, capsys):
    curve: tuple = ([0, 1, 2], [1.0, 0.9, 0.8])
    ends = Interval(1.25, 1.5), Interval(2.0, None)
    flows = [
        Flow(1, "hidden", *curve, 1.4, -0.1, 2, *ends),
        Flow(1, "cell", *curve, None, -0.1, None, ends[1], Interval(None, None)),
        Flow(2, "hidden", *curve, 1.4, -0.1, 2),
    ]
    diagnosis = Diagnosis("text", "lstm", Verdict("healthy"), flows)
    print_diagnosis(diagnosis, language, Path("report.html"))
    out = capsys.readouterr().out.replace("\N{NARROW NO-BREAK SPACE}", " ")
    rows = [line for line in out.splitlines() if "x 0.905" in line]
    first, second, third = (" ".join(row.split()) for row in rows)
    assert first == "1 hidden 1.4 (1.2 to 1.5) 2 (2 to > 2) x 0.905"
    assert second == "1 cell > 2 (2 to > 2) > 2 x 0.905"
    assert third == "2 hidden 1.4 2 x 0.905"
    assert max(map(len, rows)) <= 80
