"""Lines of text and of JSON, one for each result."""

import json

import pytest

from unrolled.cli.tables import prediction_lines, score_lines
from unrolled.inference.surprisal import Cost, TextScore
from unrolled.results.classification import Prediction

COSTS = (Cost("a\\", 0, 2, 1.25), Cost("\t\r\n", 2, 5, 2.0000004), Cost("<eos>", 5, 5, 0.5))
SCORES = [TextScore("a\\\t\r\n", COSTS), TextScore("", (Cost("<eos>", 0, 0, 3.0),))]


def test_each_token_has_a_line_and_each_text_its_number():
    assert list(score_lines(SCORES, "tsv")) == [
        "text\tstart\tend\ttoken\tbits\n",
        "1\t0\t2\ta\\\\\t1.25\n",
        "1\t2\t5\t\\t\\r\\n\t2\n",
        "1\t5\t5\t<eos>\t0.5\n",
        "2\t0\t0\t<eos>\t3\n",
    ]


def test_each_text_has_an_object():
    lines = list(score_lines(SCORES, "jsonl"))
    assert [json.loads(line) for line in lines] == [score.to_json() for score in SCORES]
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)


PREDICTIONS = [
    Prediction("好\n", "gut\tso", 0.75, {"gut\tso": 0.75, "schlecht": 0.25}),
    Prediction("b", None, 0.5, {"gut\tso": 0.5, "schlecht": 0.50000000001}),
    Prediction("c", False, 1.0, {"False": 1.0}),
]


@pytest.mark.parametrize(
    ("format", "lines"),
    [
        (
            "tsv",
            [
                "class\tprobability\ttext\n",
                "gut\\tso\t0.7500\t好\\n\n",
                "?\t0.5000\tb\n",
                "False\t1.0000\tc\n",
            ],
        ),
        (
            "jsonl",
            [
                '{"class": "gut\\tso", "probabilities": {"gut\\tso": 0.75, "schlecht": 0.25}, '
                '"text": "好\\n"}\n',
                '{"class": null, "probabilities": {"gut\\tso": 0.5, "schlecht": 0.5}, '
                '"text": "b"}\n',
                '{"class": false, "probabilities": {"False": 1.0}, "text": "c"}\n',
            ],
        ),
    ],
)
def test_a_prediction_is_a_line(format, lines):
    assert list(prediction_lines(PREDICTIONS, format)) == lines
