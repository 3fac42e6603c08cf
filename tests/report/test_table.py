"""The ranked table, its numbers, and the verdict above it."""

import re
from typing import Any

import pytest

from unrolled.report import html
from unrolled.report.parts import duration, perplexity, scaled

from .comparisons import fake_comparison
from .test_page import Page


def test_models_and_baselines_stand_in_one_order() -> None:
    comparison = fake_comparison()
    comparison["models"].reverse()
    comparison["baselines"][2]["bits_per_byte"] = 2.25
    names = [row[0] for row in Page(comparison).rows]
    assert names == ["lstm", "gru", "transformer", "xz", "rnn", "ngram", "unigram", "uniform"]


def test_figures_have_units() -> None:
    row = Page(fake_comparison()).rows[0]
    assert [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] == [
        "lstm",
        "2.112 ± 0.008",
        "4.32",
        "2,711",
        "1.27 M",
        "31.0 k",
        "118 k",
        "930",
        "294 MB",
        "5.10 MB",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (999, "999"),
        (999.4, "999"),
        (999.6, "1.00 k"),
        (9_994, "9.99 k"),
        (9_996, "10.0 k"),
        (99_960, "100 k"),
        (999_400, "999 k"),
        (999_600, "1.00 M"),
        (1_234_567, "1.23 M"),
        (2e9, "2.00 G"),
    ],
)
def test_scaled(value: float | None, text: str) -> None:
    assert scaled(value).replace("\N{NO-BREAK SPACE}", " ") == text


def test_other_numbers() -> None:
    assert scaled(640, "B") == "640\N{NO-BREAK SPACE}B"
    assert [perplexity(value) for value in (4.5, 310.2, 12345.6, 3.2e7)] == [
        "4.50",
        "310",
        "12,346",
        "3.2e+07",
    ]
    assert [duration(value) for value in (None, 1.3, 119.2, 120, 5400, 7200)] == [
        "–",
        "1 s",
        "119 s",
        "2.0 min",
        "90.0 min",
        "2.0 h",
    ]


def test_the_best_of_a_column_is_bold_and_bars_start_at_zero() -> None:
    page = html(fake_comparison())
    bold = re.findall(r"<td><b>(.*?)</b>", page.replace("\N{NO-BREAK SPACE}", " "))
    assert bold == ["4.32", "2,711", "375 k", "150 MB", "1.50 MB", "905 k", "1.64 M", "15.8 k"]
    assert '2.112 <small>± 0.008</small><i class="bar c0" style="--share:35.1%">' in page
    assert '6.022<i class="bar" style="--share:100.0%">' in page


def test_columns_without_figures_are_left_out() -> None:
    comparison = fake_comparison()
    for model in comparison["models"]:
        model["perplexity_per_word"] = None
    page = Page(comparison)
    assert "perplexity per word" not in page.text
    assert {len(row) for row in page.rows[:5]} == {9}


def test_a_closed_vocabulary_is_marked() -> None:
    assert "†" not in Page(fake_comparison()).text
    comparison = fake_comparison()
    comparison["models"][1]["closed_vocabulary"] = True
    page = Page(comparison)
    assert [row[1] for row in page.rows[:2]] == ["2.112 ± 0.008", "2.131 ± 0.008"]
    assert [row[2].endswith("†") for row in page.rows[:2]] == [False, True]
    assert "† Closed vocabulary: an unknown word counts as one symbol" in page.text


def _verdict(comparison: dict[str, Any]) -> str:
    return re.findall(r'class="verdict">(.*?)</p>', html(comparison))[0]


def test_the_verdict_of_a_tie() -> None:
    comparison = fake_comparison()
    comparison["models"][1]["spread"] = 0.02
    assert _verdict(comparison) == (
        "lstm (2.112 bits per byte) and gru (2.131) are level: seeds alone move them by ± 0.020."
    )


def test_the_verdict_when_no_model_beats_a_baseline() -> None:
    comparison = fake_comparison()
    comparison["baselines"].append({"name": "zpaq", "bits_per_byte": 2.0})
    assert _verdict(comparison) == (
        "No model beat zpaq (2.000 bits per byte): the best, lstm, needs 2.112; "
        "more text or a longer budget may help."
    )


def test_the_verdict_without_any_figure() -> None:
    comparison = fake_comparison()
    for model in comparison["models"]:
        model["bits_per_byte"] = None
    assert _verdict(comparison) == "No model reached a finite figure."
