"""The page of a diagnosis: its words in both languages, its figures, what it leaves out."""

import copy
import json
import math
import re
from typing import Any

import pytest

from unrolled.errors import ConfigError
from unrolled.report.diagnosis import html
from unrolled.report.diagnosis_phrases import NAMES
from unrolled.report.diagnosis_words import verdict_sentence

from .diagnoses import fake_diagnosis, fake_flow, fake_verdict, fake_words
from .pages import HOSTILE, Page
from .test_classification import plain, tables

HEADINGS = [
    "What to do next",
    "Gradient through time",
    "Gradient during training",
    "Gradient at each word",
    "How long units remember",
    "Saturated gates",
    "Lyapunov exponents",
    "Recurrent matrices",
    "Used context",
    "What the far context is good for",
    "Words seen before",
    "What helps",
    "Conditions",
]
HEADINGS_ZH = [
    "下一步怎么做",
    "梯度沿时间的衰减",
    "训练过程中的梯度",
    "每个词得到的梯度",
    "各单元能记多久",
    "门的饱和程度",
    "李雅普诺夫指数",
    "循环矩阵",
    "实际用到的上下文",
    "远处的上下文有什么用",
    "前文出现过的搭配",
    "哪些方法有效",
    "测量条件",
]


def page_of(result: dict[str, Any], language: Any = "en") -> Page:
    return Page(html(result, language))


def full() -> dict[str, Any]:
    return fake_diagnosis() | {"words": fake_words()}


def table_of(page: Page, heading: str) -> list[list[str]]:
    """Cells of the first table of a section."""
    part = page.source.split(f"<h2>{heading}</h2>")[1].split("</section>")[0]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", part, re.DOTALL)
    return [[plain(c) for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


@pytest.mark.parametrize(("language", "headings"), [("en", HEADINGS), ("zh", HEADINGS_ZH)])
def test_the_order_of_the_page_and_one_sentence_for_each_picture(language, headings):
    page = page_of(full(), language)
    assert page.headings == headings
    leads = re.findall(r"</h2><p class=lead>(.*?)</p>", page.source, re.DOTALL)
    assert len(leads) == len(headings)
    stop = r"\.(?=\s|$)" if language == "en" else "。"
    assert all(len(re.findall(stop, lead)) == 1 and lead[-1] in ".。" for lead in leads), leads
    assert ("html", {"lang": {"en": "en", "zh": "zh-Hans"}[language]}) in page.elements


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_verdict_is_the_first_sentence(language):
    result = fake_diagnosis()
    said = verdict_sentence(result["verdict"], "lstm", language)
    assert plain(page_of(result, language).source.split('class="verdict">')[1]).startswith(said)
    assert "50" in said


def test_a_chinese_page_has_no_english_words_of_its_own():
    result = fake_diagnosis(title="红楼梦") | {"words": fake_words(), "conditions": {}}
    for tried in (result["cure"]["untreated"], *result["cure"]["tried"]):
        tried |= {"source": "", "flags": ""}
    words = set(re.findall("[A-Za-z]{2,}", page_of(result, "zh").text))
    assert words <= {
        "unrolled",
        "train",
        "lstm",
        "gram",
        "log",
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
    assert str(error.value) == (
        'language must be one of "en", "zh", got \'fr\'. Choose one of them.'
    )


# Figures.


def test_decay_is_drawn_on_a_logarithmic_axis_with_its_levels():
    result = fake_diagnosis()
    chart = page_of(result).charts[0]
    assert (chart["scale"], chart["yScale"]) == ("linear", "log")
    names = [series["name"] for series in chart["series"]]
    assert names == ["layer 1, h", "layer 1, c", "layer 2, h", "layer 2, c"]
    assert [(row["name"], row["y"]) for row in chart["levels"]] == [("50%", 50), ("1%", 1)]
    flow, line = result["flows"][3], chart["series"][3]
    assert line["x"] == flow["lags"]
    assert line["y"] == [pytest.approx(100 * share) for share in flow["shares"]]
    # The picture ends a little below the least share shown, and far above nothing.
    least = min(y for row in chart["series"] for y in row["y"] if y >= 1e-4)
    low, high = chart["y"]
    assert least / 10 < low < least and 100 < high < 1000
    # A line ends with its first point below the picture.
    fast = chart["series"][2]
    assert fast["y"][-1] < 1e-4 < fast["y"][-2] and len(fast["x"]) < 45


def test_a_gradient_that_stays_still_shows_where_one_percent_is():
    flow = fake_flow(1, "hidden", -0.001)
    low, high = page_of(fake_diagnosis() | {"flows": [flow]}).charts[0]["y"]
    assert 0.1 < low < 1 and 100 < high < 1000


def test_an_exploding_gradient_is_whole_in_the_picture():
    flow = fake_flow(1, "hidden", 0.2)
    low, high = page_of(fake_diagnosis() | {"flows": [flow]}).charts[0]["y"]
    assert low < 1 and max(flow["shares"]) * 100 < high < max(flow["shares"]) * 1e4


def test_shares_of_zero_have_no_place_on_the_axis():
    flow = fake_flow(1, "hidden", -0.1)
    flow["shares"][40:] = [0.0] * (len(flow["shares"]) - 40)
    chart = page_of(fake_diagnosis() | {"flows": [flow]}).charts[0]
    assert chart["series"][0]["x"] == list(range(40))


def test_figures_of_each_flow():
    result = fake_diagnosis()
    result["flows"][3] |= {"half_life": None, "horizon": None, "rate": None}
    head, first, _, third, last = table_of(page_of(result), "Gradient through time")
    assert head == ["layer", "half-life, steps", "below 1 % after", "nats per step"]
    assert first == ["layer 1, h", "3.4", "24", "−0.203"]
    assert third == ["layer 2, h", "2.0", "14", "−0.342"]
    assert last == ["layer 2, c", "&gt;\u202f127", "&gt;\u202f127", "–"]


def test_gates_show_every_unit_and_every_time_scale():
    result = fake_diagnosis()
    gates = result["dynamics"]["gates"]
    gates[0] |= {"open": [0.25, 1.0], "closed": [0.5, 0.0]}
    gates[1]["timescales"] = [0.01, 1.5, 3.0, 3.9, float("inf")]
    page = page_of(result)
    section = page.source.split("<h2>How long units remember</h2>")[1].split("</section>")[0]
    assert "Layer 1: median 3 tokens" in section
    layer = section.split("</figure>")[0]
    assert re.findall(r"<title>(.*?)</title>", layer) == [
        "0.25 to 0.5 tokens: 1 units",
        "1 to 2 tokens: 1 units",
        "2 to 4 tokens: 2 units",
        "1,048,576 to 2,097,152 tokens: 1 units",
    ]
    scatter = page.source.split("<h2>Saturated gates</h2>")[1].split("</figure>")[0]
    path = re.findall(r'<path class="units c0" d="(.*?)"/>', scatter)
    assert path == ["M119.0 178.0h0M344.0 328.0h0"]  # a quarter to the right, half-way up
    rows = table_of(page, "Saturated gates")
    assert rows[1] == ["input", "1", "0.410", "62 %", "25 %"]


def test_states_of_a_network_without_gates():
    page = page_of(fake_diagnosis("rnn"))
    assert "Saturated units" in page.headings and "Saturated gates" not in page.headings
    assert "its state is stuck at the top" in page.text
    assert "Dead units, 0 on all of the text: layer 1 12 %." in page.text


def test_dynamics_are_written_as_they_are():
    result = fake_diagnosis()
    result["dynamics"]["exponents"] = [0.02, -0.094]
    page = page_of(result)
    assert table_of(page, "Lyapunov exponents")[1:] == [
        ["λ1", "+0.020", "grows"],
        ["λ2", "−0.094", "11"],
    ]
    assert table_of(page, "Recurrent matrices")[2] == ["forget", "1", "0.897"]


def test_used_context():
    result = fake_diagnosis()
    page = page_of(result)
    chart = page.charts[1]
    own = result["memory"][0]
    assert chart["scale"] == "log" and "yScale" not in chart
    assert [series["name"] for series in chart["series"]] == ["lstm", "5-gram"]
    assert chart["series"][0]["x"] == [point["context"] for point in own["curve"]]
    assert chart["series"][0]["y"] == [point["bits"] for point in own["curve"]]
    mark = chart["marks"][0]
    assert (mark["x"], mark["low"], mark["high"]) == (
        own["effective"],
        own["effective_low"],
        own["effective_high"],
    )
    costs = {point["context"]: point["bits"] for point in own["curve"]}
    part = math.log(96.4 / 64) / math.log(2)
    assert mark["y"] == pytest.approx(costs[64] + part * (costs[128] - costs[64]))
    head, first, second = table_of(page, "Used context")
    assert head[3:] == ["bits per byte with 1", "bits per byte with 256"]
    assert first == ["lstm", "96", "78 to 128", f"{costs[1]:.3f}", f"{costs[256]:.3f}"]
    assert second[:3] == ["5-gram", "3.7", "3.0 to 4.9"]


def test_disturbed_and_repeated():
    result = fake_diagnosis()
    page = page_of(result)
    rows = table_of(page, "What the far context is good for")
    assert rows[0] == ["model", "beyond, tokens", "shuffled", "reversed", "replaced"]
    assert rows[1] == ["lstm", "4", "+0.173", "+0.205", "+0.347"] and len(rows) == 9
    assert [row["name"] for row in page.charts[2]["series"]] == rows[0][2:]
    assert page.charts[2]["y"][0] < 0
    assert table_of(page, "Words seen before")[1] == ["lstm", "3.246", "7.786", "4.540"]
    assert "completes a run of 2 tokens" in page.text
    assert "12,345 tokens complete such a run, 43,425 do not." in page.text


def test_gradient_by_word_tells_words_and_padding_apart():
    page = page_of(full())
    chart = page.charts[1]
    words, padding = chart["series"]
    assert (words["name"], words["x"]) == ("words", list(range(1, 41)))
    assert (padding["name"], padding["x"]) == ("padding", list(range(41, 121)))
    assert chart["y"][0] < words["y"][0] == pytest.approx(100 * math.exp(-0.17 * 119))
    assert (
        "The first word gets 1.6×10⁻⁹ of the greatest gradient; 40 words were padded to 120."
        in (page.text)
    )


def test_remedies_say_what_was_won_and_what_to_type():
    rows = table_of(page_of(fake_diagnosis()), "What helps")
    assert rows[1] == ["untreated", "–", "2.501", "5.9", "39", "17", "61.0 k", ""]
    assert rows[2] == ["GRUCho et al. 2014", "+0.091", *rows[2][2:7], "--model gru"]
    assert rows[3][3:5] == ["31", "&gt;\u202f127"]  # never below 1 %
    assert rows[4][3:5] == ["–", "–"]  # a Transformer has no gradient through time
    assert rows[5][1] == "−0.021"
    assert rows[6][1:7] == ["diverged", *"–––––"]
    page = page_of(fake_diagnosis())
    assert "2.532 bits per byte untreated, 2.443 with the best remedy." in page.text
    bars = re.findall(
        r'class="bar (c\d)" style="--share:([\d.]+)%', page.source.split("What helps")[1]
    )
    assert bars == [("c0", "100.0"), ("c0", "56.0"), ("c0", "35.3"), ("c1", "23.1")]


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
    result["cure"]["untreated"]["bits_per_byte"] = math.nan
    result["cure"]["test"]["best"] = math.nan
    page = page_of(result)
    assert page.headings == HEADINGS
    assert re.search(r"\b(None|nan|inf|NaN|Infinity)\b", page.text) is None
    data = [script for script in page.scripts if script.startswith("{")]
    for script in data:
        json.loads(script, parse_constant=lambda name: pytest.fail(name))
    assert page.charts[0]["series"][0]["x"][:7] == [0, 1, 2, 3, 4, 9, 10]


def test_hostile_text_in_every_field_stays_text():
    result = full()
    clean, hostile = page_of(result), page_of(_hostile(result))
    shape = [(tag, set(attributes)) for tag, attributes in clean.elements]
    assert [(tag, set(attributes)) for tag, attributes in hostile.elements] == shape
    assert all("pwned" not in script for script in hostile.scripts if not script.startswith("{"))
    assert hostile.charts[2]["series"][0]["name"].startswith(HOSTILE)
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


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_is_loaded(language):
    page = page_of(full(), language)
    attributes = [(key, value) for _, found in page.elements for key, value in found.items()]
    loading = ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    assert [value for key, value in attributes if key in loading] == ["data:,"]
    assert not [key for key, _ in attributes if key.startswith("on")]
    assert re.findall(r"https?://[\w./]*", page.source) == ["https://github.com/leeoniya/uPlot"]
    policy = next(found["content"] for _, found in page.elements if "http-equiv" in found)
    assert (policy or "").startswith("default-src 'none'; style-src 'unsafe-inline'; script-src ")


def test_the_same_input_gives_the_same_page_and_stays_untouched():
    result = full()
    before = copy.deepcopy(result)
    assert page_of(result).source == page_of(copy.deepcopy(result)).source
    assert result == before


def test_names_of_parts_are_in_chinese():
    text = page_of(fake_diagnosis(), "zh").text
    assert all(NAMES[name][1] in text for name in ("forget", "candidate"))
    assert len(tables(page_of(fake_diagnosis(), "zh"))) == 8
