"""The page of a classifier: what it says and where, what it leaves out, what it may not load."""

import copy
import re
from typing import Any

import pytest

from unrolled.errors import ConfigError
from unrolled.report.classification import explained_page, html
from unrolled.report.explained import explanation_html
from unrolled.report.parts import percent

from .classifications import REVIEW_ZH, fake_classification, fake_confusion
from .pages import HOSTILE, Page

PARTS = ("confusion", "reliability", "curves", "by_length", "class_words", "mistakes", "explained")
HEADINGS = [
    "Models",
    "Which class is taken for which",
    "Can its probabilities be trusted?",
    "Learning curve",
    "Accuracy by length",
    "Words of each class",
    "Surest mistakes",
    "Examples explained",
    "Conditions",
]


def page_of(result: dict[str, Any]) -> Page:
    return Page(html(result))


def tables(page: Page) -> list[list[list[str]]]:
    """Cells of every table, without their marks; the head is the first row."""
    found = []
    for text in re.findall(r"<table.*?</table>", page.source, re.DOTALL):
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL)
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
        found.append([[plain(cell) for cell in row] for row in cells])
    return found


def plain(source: str) -> str:
    text = re.sub(r"<[^>]*>", "", source)
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("&nbsp;", " ")


def verdict(result: dict[str, Any]) -> str:
    return plain(re.findall(r'class="verdict">(.*?)</p>', html(result))[0])


def test_the_order_of_the_page():
    page = page_of(fake_classification())
    assert page.headings == HEADINGS
    # One sentence under each says how to read it.
    leads = re.findall(r"</h2><p class=lead>(.*?)</p>", page.source, re.DOTALL)
    assert len(leads) == len(HEADINGS)
    assert all(len(re.findall(r"\.(?=\s|$)", lead)) == 1 and lead.endswith(".") for lead in leads)


@pytest.mark.parametrize(("part", "heading"), [*zip(PARTS, HEADINGS[1:8], strict=True)])
def test_an_empty_part_vanishes(part, heading):
    result = fake_classification()
    without = [name for name in HEADINGS if name != heading]
    assert page_of(result | {part: type(result[part])()}).headings == without
    result.pop(part)
    assert page_of(result).headings == without


def test_what_remains_of_a_model_without_anything_needs_no_script():
    result = fake_classification()
    for part in (*PARTS, "notes", "conditions"):
        result.pop(part)
    page = page_of(result)
    assert page.headings == ["Models", "Conditions"]
    assert page.scripts == [] and "<noscript>" not in page.source


def test_the_verdict_says_accuracy_interval_baseline_and_reason():
    assert verdict(fake_classification()) == (
        "91.9 % of 2,000 test texts are put in their right class (95 % interval 90.6 % to 93.0 %), "
        "3.8 points more than by the linear baseline (88.1 %). "
        "The mixture was best on the held-out texts."
    )


def test_the_verdict_of_a_small_lead_a_tie_a_loss_and_the_baseline():
    result = fake_classification() | {"split": "valid"}
    linear, lstm, mixture = result["models"]
    mixture["accuracy"] = 0.891
    linear["accuracy_high"] = mixture["accuracy_low"]
    assert ", 1.0 points more than by the linear baseline (88.1 %); the intervals overlap. " in (
        verdict(result)
    )
    mixture["accuracy_low"] += 1e-6
    assert "overlap" not in verdict(result)
    mixture["accuracy"] = 0.8812
    assert ", as many as by the linear baseline (88.1 %). " in verdict(result)
    mixture["accuracy"] = 0.861
    assert ", 2.0 points fewer than by the linear baseline (88.1 %). " in verdict(result)
    linear["chosen"], mixture["chosen"] = True, False
    said = verdict(result)
    assert said.startswith("88.1 % of 2,000 validation texts ")
    assert "by the linear baseline itself. The mixture" in said


def test_every_figure_of_the_models_has_its_place():
    head, linear, lstm, mixture = tables(page_of(fake_classification()))[0]
    assert head == [
        "model",
        "accuracy",
        "macro-F1",
        "loss, nats",
        "calibration error",
        "saves, nats",
        "parameters",
        "training",
        "texts/s",
    ]
    assert linear == [
        "linear",
        "88.1 % 86.9 to 89.3",
        "88.0 %",
        "0.219",
        "2.1 %",
        "0.036",
        "3.15 M",
        "12 s",
        "16.4 k",
    ]
    assert (lstm[0], lstm[5], lstm[7]) == ("lstm", "0.064", "29.0 min")
    assert (mixture[0], mixture[1], mixture[5]) == ("mixture chosen", "91.9 % 90.6 to 93.0", "–")


def test_the_best_of_a_column_is_bold():
    source = page_of(fake_classification()).source.replace("\N{NO-BREAK SPACE}", " ")
    bold = re.findall(r"<td[^>]*><b>(.*?)</b>", source)
    assert bold == ["3.15 M", "12 s", "16.4 k", "91.9 %", "91.8 %", "0.181", "1.6 %"]


def test_missing_figures_are_dashes_and_empty_columns_vanish():
    result = fake_classification()
    for model in result["models"]:
        model |= {"num_parameters": None, "saved": None}
    result["models"][1] |= {
        "accuracy": float("nan"),
        "accuracy_low": None,
        "texts_per_second": None,
    }
    head, _, lstm, _ = tables(page_of(result))[0]
    assert "parameters" not in head and "saves, nats" not in head
    assert [lstm[1], lstm[-1]] == ["–", "–"]
    assert re.search(r"\b(None|nan|NaN|inf)\b", page_of(result).text) is None


@pytest.mark.parametrize("number", [2, 5, 30])
def test_cells_of_the_confusion_matrix(number):
    names = tuple(f"class {place}" for place in range(number))
    counts = fake_confusion(number)
    counts[1][0] += 1200
    page = page_of(fake_classification(names) | {"confusion": counts})
    head, *rows, last = tables(page)[1]
    assert head == ["true ↓  predicted →", *names, "recall, %"]
    for true, row in enumerate(rows):
        assert row[0] == names[true]
        assert row[1:-1] == [f"{count:,}" if count else "" for count in counts[true]]
        assert row[-1] == f"{100 * counts[true][true] / sum(counts[true]):.1f}"
    columns = list(zip(*counts, strict=True))
    assert last == [
        "precision, %",
        *(f"{100 * column[place] / sum(column):.1f}" for place, column in enumerate(columns)),
        "",
    ]
    kinds = re.findall(r'<td class="heat (c\d)"', page.source)
    places = range(number)
    assert kinds == ["c0" if row == column else "c1" for row in places for column in places]
    assert ("confusion dense" in page.source) == (number > 8)


def test_depth_is_the_part_of_the_row_and_small_mistakes_are_seen():
    result = fake_classification() | {"confusion": [[750, 250], [0, 0]]}
    page = page_of(result)
    assert re.findall(r'<td class="heat c\d" style="--share:(\d+)%"', page.source) == [
        "75",
        "63",
        "0",
        "0",
    ]
    assert [row[-1] for row in tables(page)[1]][1:3] == ["75.0", "–"]


def test_the_most_frequent_confusions_in_words():
    names = ("体育", "娱乐", "家居")
    counts = [[90, 3, 0], [7, 80, 5], [0, 1, 60]]
    text = page_of(fake_classification(names) | {"confusion": counts}).text
    assert (
        "Most often taken: 娱乐 for 体育 (7); 娱乐 for 家居 (5); 体育 for 娱乐 (3); "
        "家居 for 娱乐 (1)."
    ) in " ".join(text.split()).replace("( ", "(")
    assert "Most often" not in page_of(fake_classification()).text


def test_the_reliability_diagram_and_its_figures():
    page = page_of(fake_classification())
    circles = [attributes for tag, attributes in page.elements if tag == "circle"]
    x, y, r = ([float(circle[key] or 0) for circle in circles] for key in ("cx", "cy", "r"))
    assert len(circles) == 5
    diagonal = next(a for t, a in page.elements if t == "line" and a["class"] == "diagonal")
    x1, y1, x2, y2 = (float(diagonal[key] or 0) for key in ("x1", "y1", "x2", "y2"))
    assert x2 - x1 == y1 - y2 == 340
    promised, kept = 0.951, 0.977
    assert x[4] == pytest.approx(x1 + (promised - 0.5) / 0.5 * 340, abs=0.1)
    assert y[4] == pytest.approx(y1 - (kept - 0.5) / 0.5 * 340, abs=0.1)
    gaps = [a["d"] for tag, a in page.elements if tag == "path" and a["class"] == "gap"]
    assert gaps[4] == f"M{x[4]} {round(y1 - (promised - 0.5) / 0.5 * 340, 1)}V{y[4]}"
    assert (r[3] / r[4]) ** 2 == pytest.approx(246 / 1481, rel=0.05)  # area, not radius
    head, first, *_, last = tables(page)[2]
    assert head == ["sure by", "promised", "kept", "texts"]
    assert first == ["50–60 %", "55.1 %", "53.3 %", "61"]
    assert last == ["90–100 %", "95.1 %", "97.7 %", "1,481"]


@pytest.mark.parametrize(("low", "accuracy"), [(0.0, 0.0), (0.93, 1.0), (0.9, 0.12), (1.0, 1.0)])
def test_the_diagram_holds_all_points(low, accuracy):
    entry = {"low": low, "high": 1.0, "confidence": 1.0, "accuracy": accuracy, "count": 1}
    page = page_of(fake_classification() | {"reliability": [entry]})
    circle = next(attributes for tag, attributes in page.elements if tag == "circle")
    assert 46 <= float(circle["cx"] or 0) <= 386 and 12 <= float(circle["cy"] or 0) <= 352


def test_the_learning_curve_begins_at_zero_and_leaves_out_what_is_missing():
    result = fake_classification()
    loss, accuracy, _ = page_of(result).charts
    train, valid = loss["series"]
    looks = result["curves"]["lstm"]
    assert (train["name"], train["kind"]) == ("lstm, training", "faint")
    assert (valid["name"], valid["kind"], valid["colour"]) == ("lstm", "line", 1)
    assert valid["x"] == [look["epoch"] for look in looks] and valid["x"][0] == 0
    assert valid["y"] == [look["valid_loss"] for look in looks]
    assert train["x"] == valid["x"][1:]
    assert accuracy["series"][0]["y"][3] == pytest.approx(100 * looks[3]["valid_accuracy"])
    least = min(looks, key=lambda look: look["valid_loss"])
    said = f"{least['valid_loss']:.3f} nats, after {least['epoch']:.1f} passes, "
    assert said in page_of(result).text


def test_two_models_have_a_learning_curve_each():
    result = fake_classification()
    result["models"].insert(2, result["models"][1] | {"name": "lstm backward"})
    result["curves"]["lstm backward"] = result["curves"]["lstm"][5:]
    loss, accuracy, _ = page_of(result).charts
    names = ["lstm, training", "lstm", "lstm backward, training", "lstm backward"]
    assert [series["name"] for series in loss["series"]] == names
    assert [series["colour"] for series in loss["series"]] == [1, 1, 2, 2]
    assert [len(series["x"]) for series in accuracy["series"]] == [21, 16]
    assert "lstm backward: lowest loss" in page_of(result).text


def test_accuracy_by_length():
    result = fake_classification()
    result["by_length"][0] |= {"low": 0, "accuracy": {"linear": 0.5}}  # nothing of the others
    page = page_of(result)
    lines = page.charts[2]["series"]
    assert [(line["name"], line["colour"], len(line["x"])) for line in lines] == [
        ("linear", 0, 6),
        ("lstm", 1, 5),
        ("mixture", 2, 5),
    ]
    assert lines[0]["x"][:2] == [pytest.approx(404**0.5), pytest.approx((405 * 640) ** 0.5)]
    assert lines[0]["y"][0] == 50
    head, first, second, *_ = tables(page)[3]
    assert head == ["characters", "texts", "linear", "lstm", "mixture"]
    assert first == ["0–404", "333", "50.0 %", "–", "–"]
    assert second == ["405–640", "334", "89.5 %", "90.3 %", "91.9 %"]


def test_a_single_group_or_look_has_no_chart():
    result = fake_classification()
    result |= {
        "by_length": result["by_length"][:1],
        "curves": {"lstm": result["curves"]["lstm"][:1]},
    }
    page = page_of(result)
    assert page.charts == []
    assert "Learning curve" not in page.headings
    assert tables(page)[3][1][0] == "12–404"


def test_words_are_coloured_by_their_weight_and_the_text_stays_whole():
    parts = [(" wonderful\n", 2.0), ("plot <b>", -1.0), (" and ", 0.1), ("  ", 1.0), ("", -1.0)]
    source = explanation_html([{"text": text, "weight": weight} for text, weight in parts])
    assert source == (
        ' <mark class=c0 style="--share:60%" title="+2.00">wonderful</mark>\n'
        '<mark class=c1 style="--share:30%" title="-1.00">plot &lt;b&gt;</mark> and   '
    )
    assert explanation_html([]) == ""
    assert explanation_html([{"text": "a & b", "weight": 0.0}]) == "a &amp; b"


def test_explained_texts_say_class_probability_and_truth():
    page = page_of(fake_classification(("负面", "正面"), REVIEW_ZH))
    boxes = re.findall(r"<div class=explained>(.*?)</div>", page.source, re.DOTALL)
    assert plain(boxes[0]).startswith("正面 97.1 %这部电影非常感人，虽然节奏有点慢，但值得一看。")
    assert plain(boxes[1]).startswith("正面 61.3 %, truly 负面这部电影")
    assert all('<pre dir=auto lang="zh">' in box for box in boxes)


def test_a_page_of_explained_texts_alone():
    explained = fake_classification()["explained"]
    explained[0].pop("label")
    page = Page(explained_page("a & <b>", explained))
    assert page.headings == ["Examples explained"]
    assert "2 texts, with the words that decided." in page.text
    assert "<h1>a &amp; &lt;b&gt;</h1>" in page.source
    assert page.scripts == []
    assert explained_page("x", []).count("<section>") == 0


def test_mistakes_are_surest_first_and_long_ones_cut():
    result = fake_classification()
    result["mistakes"][1]["text"] = "好" * 2001
    page = page_of(result)
    source = page.source.split('class="samples mistakes"')[1].split("</section>")[0]
    said = [plain(heading) for heading in re.findall(r"<h3>(.*?)</h3>", source)]
    assert said == [
        "positive over 99.9 %, truly negative",
        "negative 98.7 %, truly positive",
        "positive 95.4 %, truly negative",
    ]
    assert f">{'好' * 2000}…</pre>" in source


def test_words_of_each_class():
    result = fake_classification()
    words = [{"text": "好 看", "weight": 1.25}, {"text": "<i>", "weight": 0.25}]
    result["class_words"] = {"A&B": words, "none": []}
    source = page_of(result).source.split("<h2>Words of each class</h2>")[1].split("<section>")[0]
    assert "<bdi>A&amp;B</bdi>" in source and "none" not in source
    marks = re.findall(r'--share:(\d+)%" title="(.*?)">(.*?)</mark>', source)
    assert marks == [("60", "+1.25", "好 看"), ("12", "+0.25", "&lt;i&gt;")]


def test_conditions_and_notes():
    text = page_of(fake_classification()).text
    for words in (
        "training texts 22,500 validation texts 2,500 test texts 2,000 classes 2",
        "data reviews.csv budget 30m seed 0",
        "versions unrolled 0.1.0, torch 2.10.0",
        "17 duplicate texts were dropped.",
    ):
        assert text.count(words) == 1, words
    assert "test texts" not in page_of(fake_classification() | {"split": "valid"}).text.lower()


def test_hostile_text_in_every_field_stays_text():
    result = fake_classification()
    clean, hostile = page_of(result), page_of(_hostile(result))
    shape = [(tag, set(attributes)) for tag, attributes in clean.elements]
    assert [(tag, set(attributes)) for tag, attributes in hostile.elements] == shape
    assert all("pwned" not in script for script in hostile.scripts if not script.startswith("{"))
    assert hostile.charts[0]["series"][1]["name"].startswith(HOSTILE)
    assert hostile.text.count(HOSTILE) > 60
    alone = Page(explained_page(HOSTILE, _hostile(result["explained"])))
    assert alone.scripts == [] and "img" not in [tag for tag, _ in alone.elements]
    assert alone.text.count(HOSTILE) > 5


CHOSEN_KEYS = ("conditions", "class_words", "accuracy", "curves")


def _hostile(value: Any) -> Any:
    """Puts the hostile text before every string and every key that the user chooses."""
    if isinstance(value, dict):
        return {
            key: {f"{HOSTILE}{name}": _hostile(part) for name, part in inside.items()}
            if key in CHOSEN_KEYS and isinstance(inside, dict)
            else _hostile(inside)
            for key, inside in value.items()
        }
    if isinstance(value, list):
        return [_hostile(part) for part in value]
    return f"{HOSTILE}{value}" if isinstance(value, str) else value


def test_nothing_is_loaded():
    page = page_of(fake_classification())
    attributes = [(key, value) for _, found in page.elements for key, value in found.items()]
    loading = ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    assert [value for key, value in attributes if key in loading] == ["data:,"]
    assert not [key for key, _ in attributes if key.startswith("on")]
    assert re.findall(r"https?://[\w./]*", page.source) == ["https://github.com/leeoniya/uPlot"]
    assert "url(" not in page.source and "@import" not in page.source
    policy = next(found["content"] for _, found in page.elements if "http-equiv" in found)
    assert (policy or "").startswith("default-src 'none'; style-src 'unsafe-inline'; script-src ")


def test_the_same_input_gives_the_same_page_and_stays_untouched():
    result = fake_classification()
    before = copy.deepcopy(result)
    assert html(result) == html(copy.deepcopy(result))
    assert result == before


@pytest.mark.parametrize("number", [0, 2])
def test_one_model_is_chosen(number):
    result = fake_classification()
    for place, model in enumerate(result["models"]):
        model["chosen"] = place < number
    with pytest.raises(ConfigError) as error:
        html(result)
    assert str(error.value) == (
        f"models must be a list with exactly one chosen model, got {number}. "
        "Mark the model that classifies."
    )


def test_a_lone_surrogate_can_be_saved():
    result = fake_classification()
    result["mistakes"][0]["text"] = "\udce4b"
    html(result).encode()


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0, "0.0 %"),
        (0.0004, "under 0.1 %"),
        (0.0006, "0.1 %"),
        (0.5, "50.0 %"),
        (0.9994, "99.9 %"),
        (0.99999, "over 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_percent(share, text):
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == text
