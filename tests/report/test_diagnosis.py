"""The page of a diagnosis: its words in both languages, its charts, what it leaves out."""

import copy
import json
import math
import re
from typing import Any

import pytest

from unrolled.errors import ConfigError
from unrolled.report.diagnosis import at, crossing, histogram, html
from unrolled.report.diagnosis_tables import verdict_sentence
from unrolled.report.words import Words
from unrolled.results.diagnosis import Diagnosis, Verdict

from .diagnoses import fake_diagnosis, fake_flow, fake_verdict, fake_words
from .pages import HOSTILE, Page, domain, drawn, encodings

HEADINGS = [
    "What to do next",
    "Gradient through time",
    "Gradient during training",
    "Gradient at each word",
    "Time scales of the units",
    "Saturated gates",
    "Lyapunov exponents",
    "Recurrent matrices",
    "Effective context length",
    "Effect of distant context",
    "Sequences seen before",
    "What helps",
    "Conditions",
]
HEADINGS_ZH = [
    "下一步怎么做",
    "梯度沿时间的衰减",
    "训练过程中的梯度",
    "每个词得到的梯度",
    "各单元的时间尺度",
    "门的饱和程度",
    "李雅普诺夫指数",
    "循环矩阵",
    "有效上下文长度",
    "远处上下文的作用",
    "前文出现过的搭配",
    "哪些方法有效",
    "测量条件",
]


def page_of(result: dict[str, Any], language: Any = "en") -> Page:
    return Page(html(Diagnosis.from_json(result), language))


def charts_of(page: Page, heading: str) -> list[dict[str, Any]]:
    """Specifications of the charts of a section."""
    part = page.source.split(f"<h2>{heading}</h2>")[1].split("</section>")[0]
    return Page(part).charts


def full() -> dict[str, Any]:
    return fake_diagnosis() | {"words": fake_words()}


@pytest.mark.parametrize(("language", "headings"), [("en", HEADINGS), ("zh", HEADINGS_ZH)])
def test_the_order_of_the_page_and_a_few_sentences_for_each_picture(language, headings):
    page = page_of(full(), language)
    assert page.headings == headings
    leads = re.findall(r'</h2>\s*<p class="lead">(.*?)</p>', page.source, re.DOTALL)
    assert len(leads) == len(headings)
    stop = r"\.(?=\s|$)" if language == "en" else "。"
    assert all(1 <= len(re.findall(stop, lead)) <= 4 for lead in leads), leads
    assert all(lead[-1] in ".。" for lead in leads), leads
    assert ("html", {"lang": {"en": "en", "zh": "zh-Hans"}[language]}) in page.elements


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_verdict_is_the_first_sentence(language):
    result = fake_diagnosis()
    verdict = Verdict.from_json(result["verdict"])
    said = verdict_sentence(verdict, "lstm", Words("diagnosis", language))
    assert page_of(result, language).verdict.replace("\N{NO-BREAK SPACE}", " ") == said
    assert "50" in said


def test_a_chinese_page_has_no_english_words_of_its_own():
    result = fake_diagnosis(title="红楼梦") | {"words": fake_words(), "conditions": {}}
    for tried in (result["cure"]["unchanged"], *result["cure"]["tried"]):
        tried |= {"source": "", "flags": ""}
    words = set(re.findall("[A-Za-z]{2,}", page_of(result, "zh").text))
    assert words <= {
        "unrolled",
        "train",
        "lstm",
        "gram",
        "log",
        "tanh",
        "GRU",
        "Transformer",
        "ReLU",
        "JavaScript",
    }


PARTS = [
    ({"flows": []}, ["Gradient through time"]),
    ({"history": []}, ["Gradient during training"]),
    ({"words": None}, ["Gradient at each word"]),
    ({"dynamics": None}, HEADINGS[4:8]),
    ({"memory": []}, HEADINGS[8:11]),
    ({"cure": None}, ["What helps"]),
    ({"conditions": {}}, ["Conditions"]),
]


@pytest.mark.parametrize(("part", "gone"), PARTS)
def test_a_missing_part_vanishes(part, gone):
    headings = page_of(full() | part).headings
    assert headings == [name for name in HEADINGS if name not in gone]


def test_parts_of_parts_vanish():
    result = full()
    result.pop("words")
    result["dynamics"] |= {"exponents": [], "radii": [], "dead": []}
    for gate in result["dynamics"]["gates"]:
        gate["timescales"] = []
    for model in result["memory"]:
        model |= {"perturbed": [], "repeated": None}
    gone = [HEADINGS[3], HEADINGS[4], *HEADINGS[6:8], *HEADINGS[9:11]]
    assert page_of(result).headings == [name for name in HEADINGS if name not in gone]


def test_nothing_measured_needs_no_script():
    empty = {part: value for parts, _ in PARTS for part, value in parts.items()}
    result = fake_diagnosis("ngram") | empty
    page = page_of(result | {"verdict": fake_verdict("no gradient")})
    assert page.headings == ["What to do next"]
    assert page.scripts == [] and "<noscript>" not in page.source


def test_an_unknown_language_is_an_error():
    with pytest.raises(ConfigError) as error:
        page_of(fake_diagnosis(), "fr")
    assert str(error.value) == ('language must be one of "en", "zh", got \'fr\'. Choose one.')


# Charts.


def test_decay_is_drawn_on_a_logarithmic_axis_with_its_levels():
    result = fake_diagnosis()
    (chart,) = charts_of(page_of(result), "Gradient through time")
    assert scales(chart) == ("linear", "log")
    lines = drawn(chart)
    assert list(lines) == ["layer 1, h", "layer 1, c", "layer 2, h", "layer 2, c"]
    assert [(row["n"], row["y"]) for row in chart["datasets"]["levels"]] == [("50%", 50), ("1%", 1)]
    flow, line = result["flows"][3], lines["layer 2, c"]
    assert [x for x, _ in line] == flow["lags"]
    assert [y for _, y in line] == [pytest.approx(100 * share) for share in flow["shares"]]
    # The picture ends a little below the least share shown, and far above nothing.
    least = min(y for points in lines.values() for _, y in points if y >= 1e-4)
    low, high = domain(chart, "y")
    assert least / 10 < low < least and 100 < high < 1000
    # A line ends with its first point below the picture.
    fast = lines["layer 2, h"]
    assert fast[-1][1] < 1e-4 < fast[-2][1] and len(fast) < 45


def scales(chart: dict[str, Any]) -> tuple[str, str]:
    """Of x and y: "linear" or "log"."""
    both = next(encoding for encoding in encodings(chart) if {"x", "y"} <= set(encoding))
    return both["x"]["scale"]["type"], both["y"]["scale"]["type"]


def decay_of(flow: dict[str, Any]) -> dict[str, Any]:
    page = page_of(fake_diagnosis() | {"flows": [flow]})
    return charts_of(page, "Gradient through time")[0]


def test_a_gradient_that_stays_still_shows_where_one_percent_is():
    low, high = domain(decay_of(fake_flow(1, "hidden", -0.001)), "y")
    assert 0.1 < low < 1 and 100 < high < 1000


def test_an_exploding_gradient_is_whole_in_the_picture():
    flow = fake_flow(1, "hidden", 0.2)
    low, high = domain(decay_of(flow), "y")
    assert low < 1 and max(flow["shares"]) * 100 < high < max(flow["shares"]) * 1e4


def test_shares_of_zero_have_no_place_on_the_axis():
    flow = fake_flow(1, "hidden", -0.1)
    flow["shares"][40:] = [0.0] * (len(flow["shares"]) - 40)
    assert [x for x, _ in drawn(decay_of(flow))["layer 1, h"]] == list(range(40))


def test_one_lag_is_no_chart_but_a_line_of_the_table():
    flow = fake_flow(1, "hidden", -0.1, num_lags=1)
    page = page_of(fake_diagnosis() | {"flows": [flow]})
    assert charts_of(page, "Gradient through time") == []
    assert "layer 1, h" in page.text


def test_time_scales_of_each_layer_have_the_same_axes():
    result = fake_diagnosis()
    gates = result["dynamics"]["gates"]
    gates[1]["timescales"] = [0.01, 1.5, 3.0, 3.9, float("inf")]
    page = page_of(result)
    first, second = charts_of(page, "Time scales of the units")
    assert "Layer 1: median 3 tokens" in page.text
    bars = [(row["n"], row["x"], row["x2"], row["y"]) for row in first["datasets"]["bars"]]
    assert bars == [
        ("0.25 to 0.5 tokens", 0.25, 0.5, 1),
        ("1 to 2 tokens", 1, 2, 1),
        ("2 to 4 tokens", 2, 4, 2),
        ("1,048,576 to 2,097,152 tokens", 2**20, 2**21, 1),
    ]
    assert first["datasets"]["medians"] == [{"x": 3.0}]
    assert [row["c"] for row in first["datasets"]["bars"]] == [0] * 4
    assert {row["c"] for row in second["datasets"]["bars"]} == {1}
    for channel in ("x", "y"):
        assert domain(first, channel) == domain(second, channel)
    assert scales(first) == ("log", "linear")


def test_values_are_counted_from_edge_to_edge():
    assert histogram([0.5, 1.0, 1.9, 2.0, 9.0], [1, 2, 4]) == [3, 2]


def test_saturation_shows_every_unit_in_the_colour_of_its_gate():
    result = fake_diagnosis()
    gates = result["dynamics"]["gates"]
    gates[0] |= {"open": [0.25, 1.0, 1.0], "closed": [0.5, 0.0, 0.0]}
    page = page_of(result)
    first, second = charts_of(page, "Saturated gates")
    assert drawn(first, "points")["input"] == [(25, 50), (100, 0)]  # the same place once
    assert list(drawn(second, "points")) == ["input", "forget", "output"]
    assert {row["n"]: row["c"] for row in second["datasets"]["points"]} == {
        "input": 0,
        "forget": 1,
        "output": 2,
    }
    assert domain(first, "x") == domain(first, "y") == [0, 100]
    titles = [encodings(first)[0][channel]["title"] for channel in "xy"]
    assert titles == ["open, % of the time", "closed, % of the time"]


def test_states_of_a_network_without_gates():
    page = page_of(fake_diagnosis("rnn"))
    assert "Saturated units" in page.headings and "Saturated gates" not in page.headings
    assert "its state is saturated at the top" in page.text
    assert "Dead units, 0 on all of the text: layer 1 12 %." in page.text
    (chart,) = charts_of(page, "Saturated units")
    assert encodings(chart)[0]["x"]["title"] == "at the top, % of the time"


def test_used_context():
    result = fake_diagnosis()
    (chart,) = charts_of(page_of(result), "Effective context length")
    own = result["memory"][0]
    assert scales(chart) == ("log", "linear")
    lines = drawn(chart)
    assert list(lines) == ["lstm", "5-gram"]
    assert lines["lstm"] == [(point["context"], point["bits"]) for point in own["curve"]]
    mark = chart["datasets"]["intervals"][0]
    ends = (own["effective"], own["effective_low"], own["effective_high"])
    assert (mark["n"], mark["x"], mark["low"], mark["high"]) == ("lstm", *ends)
    costs = {point["context"]: point["bits"] for point in own["curve"]}
    part = math.log(96.4 / 64) / math.log(2)
    assert mark["y"] == pytest.approx(costs[64] + part * (costs[128] - costs[64]))
    assert at(500, [(1, 2.0), (4, 1.0)]) == 1.0


def test_disturbed_context_of_the_model_itself():
    page = page_of(fake_diagnosis())
    (chart,) = charts_of(page, "Effect of distant context")
    assert list(drawn(chart)) == ["shuffled", "reversed", "replaced"]
    assert [x for x, _ in drawn(chart)["shuffled"]] == [4, 16, 64, 128]
    assert domain(chart, "y")[0] < 0
    assert "complete a sequence of 2 tokens" in page.text
    assert "12,345 tokens complete such a sequence, 43,425 do not." in page.text


def test_gradient_by_word_tells_words_and_padding_apart():
    page = page_of(full())
    (chart,) = charts_of(page, "Gradient at each word")
    words, padding = drawn(chart)["words"], drawn(chart)["padding"]
    assert [x for x, _ in words] == list(range(1, 41))
    assert [x for x, _ in padding] == list(range(41, 121))
    assert domain(chart, "y")[0] < words[0][1] == pytest.approx(100 * math.exp(-0.17 * 119))
    assert "The first word gets 1.6×10⁻⁹ of the largest gradient; 40 words were padded to 120." in (
        page.text
    )


# The gradient during training.


def test_the_map_has_training_time_to_the_right_and_distance_upwards():
    result = fake_diagnosis()
    lags = [0, 1, 10, 100]
    result["history"] = [
        {"seconds": 0.0, "tokens": 0.0, "lags": lags, "shares": [1, 1, 0.1, 1e-9]},
        {"seconds": 60.0, "tokens": 1.0, "lags": lags, "shares": [1, 1000, 1, 0.01]},
    ]
    (chart,) = charts_of(page_of(result), "Gradient during training")
    left = {(tile["x"], tile["y"]): tile for tile in chart["datasets"]["heatmap"]}
    grown = {(tile["x"], tile["y"]): tile for tile in chart["datasets"]["ramp"]}
    assert {place: tile["v"] for place, tile in (left | grown).items()} == pytest.approx(
        {(0, 1): 100, (0, 10): 10, (0, 100): 1e-7, (60, 1): 1e5, (60, 10): 100, (60, 100): 1}
    )
    assert list(grown) == [(60, 1)]
    assert [left[0, 1][edge] for edge in ("x1", "x2")] == [0, 30]
    assert [grown[60, 1][edge] for edge in ("x1", "x2")] == [30, 90]
    assert left[0, 1]["y2"] == left[0, 10]["y1"] == pytest.approx(10**0.5, rel=1e-3)
    assert left[0, 10]["y2"] == left[0, 100]["y1"] and left[0, 100]["y2"] == pytest.approx(110)
    assert encodings(chart)[0]["x"]["title"] == "seconds of training"
    # Less than 1 % is left on the way from 10 to 100 in the first look, and nowhere in the second.
    (point,) = chart["datasets"]["lines"]
    assert point["x"] == 0 and 10 < point["y"] < 100


def test_many_looks_are_thinned_and_the_last_one_stays():
    result = fake_diagnosis()
    look = result["history"][3]
    result["history"] = [
        look | {"seconds": 60.0 * number, "lags": list(range(300)), "shares": [1.0] * 300}
        for number in range(300)
    ]
    page = page_of(result)
    (chart,) = charts_of(page, "Gradient during training")
    tiles = chart["datasets"]["heatmap"]
    times = sorted({tile["x"] for tile in tiles})
    assert 70 < len(times) <= 96 and times[-1] == pytest.approx(299 / 60, rel=1e-3)
    assert domain(chart, "x")[1] == pytest.approx(max(tile["x2"] for tile in tiles), rel=1e-3)
    assert encodings(chart)[0]["x"]["title"] == "hours of training"
    assert len({tile["y"] for tile in tiles}) < 45 and max(tile["y"] for tile in tiles) == 299
    assert "lines" not in chart["datasets"]
    assert len(page.source.encode()) < 1_400_000


@pytest.mark.parametrize("looks", [0, 1])
def test_fewer_than_two_looks_are_no_map(looks):
    result = fake_diagnosis()
    result["history"] = result["history"][:looks]
    assert "Gradient during training" not in page_of(result).headings


def test_where_one_percent_is_left():
    assert crossing([(1, 0.5), (10, 0.1), (1000, 0.001)], 0.01) == pytest.approx(100)
    assert crossing([(1, 0.5), (10, 0.0)], 0.01) == 10
    assert crossing([(1, 0.001)], 0.01) == 1
    assert crossing([(1, 0.5), (10, 0.02)], 0.01) is None


# What it may not do.


def test_figures_that_are_not_finite_are_missing():
    result = full()
    flow = result["flows"][0]
    flow["shares"][5:9] = [math.nan, math.inf, math.nan, math.inf]
    flow |= {"rate": math.nan, "half_life": math.inf}
    result["history"][2]["shares"][3] = math.nan
    result["history"][3]["shares"] = [math.nan] * 64
    result["dynamics"]["exponents"][0] = -math.inf
    result["dynamics"]["radii"][0]["radius"] = math.nan
    result["dynamics"]["gates"][0] |= {"mean": math.nan, "open": [math.nan], "closed": [0.5]}
    own = result["memory"][0]
    own["curve"][3]["bits"] = math.nan
    own |= {"effective": math.nan, "effective_low": math.nan, "effective_high": math.inf}
    own["perturbed"][0]["bits"] = math.nan
    own["repeated"]["new_bits"] = math.nan
    result["words"]["shares"][0] = math.nan
    result["cure"]["unchanged"]["bits_per_byte"] = math.nan
    result["cure"]["test"]["best"] = math.nan
    page = page_of(result)
    assert page.headings == HEADINGS
    assert re.search(r"\b(None|nan|inf|NaN|Infinity)\b", page.text) is None
    data = [script for script in page.scripts if script.startswith("{")]
    for script in data:
        json.loads(script, parse_constant=lambda name: pytest.fail(name))
    first = drawn(page.charts[0])["layer 1, h"]
    assert [x for x, _ in first][:7] == [0, 1, 2, 3, 4, 9, 10]


def test_hostile_text_in_every_field_stays_text():
    result = full()
    clean, hostile = page_of(result), page_of(_hostile(result))
    shape = [(tag, set(attributes)) for tag, attributes in clean.elements]
    assert [(tag, set(attributes)) for tag, attributes in hostile.elements] == shape
    assert all("pwned" not in script for script in hostile.scripts if not script.startswith("{"))
    chart = charts_of(hostile, "Effective context length")[0]
    assert all(name.startswith(HOSTILE) for name in drawn(chart))
    assert hostile.text.count(HOSTILE) > 50


KINDS = ("kind", "path", "model")
"""Keys whose values the program chooses itself."""


def _hostile(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {
            f"{HOSTILE}{name}" if key == "conditions" else name: _hostile(part, name)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_hostile(part, key) for part in value]
    return f"{HOSTILE}{value}" if value and isinstance(value, str) and key not in KINDS else value


def test_the_same_input_gives_the_same_page_and_stays_untouched():
    result = Diagnosis.from_json(full())
    before = copy.deepcopy(result)
    assert html(result, "en") == html(copy.deepcopy(result), "en")
    assert result == before


def test_names_of_parts_are_in_chinese():
    page = page_of(fake_diagnosis(), "zh")
    assert all(name in page.text for name in ("遗忘门", "候选值", "换成 GRU", "学习率"))
    assert page.source.count("<table") == 8
    assert drawn(charts_of(page, "远处上下文的作用")[0]).keys() >= {"随机打乱", "换成别的文本"}
