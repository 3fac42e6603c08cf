"""Figures as text."""

import math
from types import SimpleNamespace

import pytest

from unrolled.report.format import (
    compact,
    duration,
    in_bytes,
    number,
    percent,
    perplexity,
    power,
    rank_key,
    scaled,
    script_of,
    signed,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
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
    assert in_bytes(640) == "640\N{NO-BREAK SPACE}B"
    assert [perplexity(value) for value in (4.5, 310.2, 12345.6, 3.2e7)] == [
        "4.50",
        "310",
        "12,346",
        "3.2e+07",
    ]
    assert [number(value) for value in (None, math.nan, 2.0)] == ["–", "–", "2.000"]
    assert [signed(value) for value in (0.5, -0.5, None)] == ["+0.500", "−0.500", "–"]
    assert [compact(value) for value in (0.4231, 2.04, 2, 12.6, 1204)] == [
        "0.42",
        "2.0",
        "2",
        "13",
        "1,204",
    ]
    assert [power(value) for value in (3.1e8, 2.34e-12)] == ["3.1×10⁸", "2.3×10⁻¹²"]


def test_durations_in_both_languages() -> None:
    seconds = (None, 1.3, 119.2, 120, 5400, 7200)
    assert [duration(value) for value in seconds] == [
        "–",
        "1 s",
        "119 s",
        "2.0 min",
        "90.0 min",
        "2.0 h",
    ]
    assert [duration(value, "zh") for value in (1.3, 120, 7200)] == ["1 秒", "2.0 分钟", "2.0 小时"]


def test_shares_in_both_languages() -> None:
    shares = (None, 0, 0.0001, 0.912, 0.9999, 1)
    assert [percent(share).replace("\N{NO-BREAK SPACE}", " ") for share in shares] == [
        "–",
        "0.0 %",
        "under 0.1 %",
        "91.2 %",
        "over 99.9 %",
        "100.0 %",
    ]
    assert [percent(share, "zh") for share in shares[1:]] == [
        "0.0%",
        "不到 0.1%",
        "91.2%",
        "超过 99.9%",
        "100.0%",
    ]


def test_what_has_no_figure_ranks_last() -> None:
    rows = [SimpleNamespace(bits_per_byte=bits) for bits in (None, 2.0, math.nan, 1.0)]
    assert [row.bits_per_byte for row in sorted(rows, key=rank_key)][:2] == [1.0, 2.0]


def test_the_script_of_a_text() -> None:
    assert [script_of(text) for text in ("床前", "は猫", "What", "")] == ["zh", "ja", "", ""]
