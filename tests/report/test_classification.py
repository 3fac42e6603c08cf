"""The page of a classifier: what it says and where, what it leaves out, what it may not load."""

import copy
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from unrolled.classification.metrics import macro_f1
from unrolled.errors import ConfigError
from unrolled.report.classification import html, reason
from unrolled.report.words import Language, Words
from unrolled.results.classification import Classification, LengthGroup, Part

from .classifications import REVIEW_ZH, fake_classification, fake_confusion
from .pages import HOSTILE, Page, drawn, with_every_text

PARTS = ("confusion", "reliability", "curves", "by_length", "class_ngrams", "mistakes", "explained")
HEADINGS = [
    "Models",
    "Confusions between classes",
    "Calibration",
    "Learning curve",
    "Accuracy by length",
    "Words of each class",
    "Most confident errors",
    "Examples explained",
    "Conditions",
]
MODELS, CLASSES, BINS, LENGTHS = range(4)
"""Tables in their order."""
MATRIX, DIAGRAM, LOSS, ACCURACY, BY_LENGTH = range(5)
"""Charts in their order."""


def page_of(result: Classification, language: Language = "en") -> Page:
    return Page(html(result, language))


def tables(page: Page) -> list[list[list[str]]]:
    """Cells of every table, without their marks; the head is the first row."""
    shown = []
    for text in re.findall(r"<table.*?</table>", page.source, re.DOTALL):
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", text, re.DOTALL)
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
        shown.append([[plain(cell).strip() for cell in row] for row in cells])
    return shown


def plain(source: str) -> str:
    return re.sub(r"<[^>]*>", "", source).replace("\N{NO-BREAK SPACE}", " ")


def verdict(result: Classification, language: Language = "en") -> str:
    return plain(page_of(result, language).verdict)


def with_figures(result: Classification, name: str, **figures: float) -> Classification:
    models = result.models | {name: replace(result.models[name], **figures)}
    return replace(result, models=models)


def without(result: Classification, *parts: str) -> Classification:
    empty: dict[str, Any] = {part: type(getattr(result, part))() for part in parts}
    return replace(result, **empty)


def test_the_order_of_the_page():
    page = page_of(fake_classification())
    assert page.headings == HEADINGS
    # A few sentences under each say how to read it.
    leads = re.findall(r'</h2>\s*<p class="lead">(.*?)</p>', page.source, re.DOTALL)
    assert len(leads) == len(HEADINGS)
    assert all(1 <= len(re.findall(r"\.(?=\s|$)", lead)) <= 5 for lead in leads), leads
    assert all(lead.endswith(".") for lead in leads), leads


@pytest.mark.parametrize(("part", "heading"), [*zip(PARTS, HEADINGS[1:8], strict=True)])
def test_an_empty_part_vanishes(part, heading):
    page = page_of(without(fake_classification(), part))
    assert page.headings == [name for name in HEADINGS if name != heading]


def test_what_remains_of_a_model_without_anything_needs_no_script():
    page = page_of(without(fake_classification(), *PARTS, "notes", "request"))
    assert page.headings == ["Models", "Conditions"]
    assert page.scripts == [] and "<noscript>" not in page.source


def test_the_verdict_says_accuracy_interval_baseline_and_reason():
    assert verdict(fake_classification()) == (
        "91.9 % of 2,000 test texts are classified correctly (95 % interval 90.6 % to 93.0 %), "
        "3.8 points more than by the linear baseline (88.1 %). "
        "The mixture of linear and lstm: each of them improves it on held-out texts."
    )


def test_the_verdict_of_a_small_lead_a_tie_a_loss_and_the_baseline():
    result = replace(fake_classification(), split="valid")
    low = result.models["mixture"].accuracy_low
    result = with_figures(result, "mixture", accuracy=0.891)
    result = with_figures(result, "linear", accuracy_high=low)
    assert ", 1.0 points more than by the linear baseline (88.1 %); the intervals overlap. " in (
        verdict(result)
    )
    result = with_figures(result, "mixture", accuracy_low=low + 1e-6)
    assert "overlap" not in verdict(result)
    result = with_figures(result, "mixture", accuracy=0.8812)
    assert ", the same as by the linear baseline (88.1 %). " in verdict(result)
    result = with_figures(result, "mixture", accuracy=0.861)
    assert ", 2.0 points fewer than by the linear baseline (88.1 %). " in verdict(result)
    said = verdict(replace(result, weights={"linear": 1.0, "lstm": 0.0}))
    assert said.startswith("88.1 % of 2,000 validation texts ")
    assert "by the linear baseline itself. The linear model alone: " in said


def test_the_reason_names_the_models_that_predict():
    words = Words("classification", "en")
    assert reason({"linear": 1.0}, words) == "Only the linear model was trained."
    assert reason({"linear": 0, "lstm": 1.1}, words) == (
        "The lstm model alone: no other model improves it on held-out texts."
    )
    mixture = reason({"linear": 0.2, "lstm": 0.5, "lstm backward": 1}, words)
    assert mixture.startswith("The mixture of linear, lstm and lstm backward: each of them ")


def test_a_chinese_page():
    result = fake_classification(("负面", "正面", "中性"), REVIEW_ZH)
    page = page_of(result, "zh")
    assert verdict(result, "zh") == (
        "测试集的 3,000 段文本中，91.9% 分类正确（95% 置信区间 90.6% 到 93.0%），"
        "比线性基线（88.1%）高 3.8 个百分点。"
        "linear 与 lstm 的混合：在留出的文本上，每一个都让结果更好。"
    )
    assert len(page.headings) == len(HEADINGS)
    assert all(re.search(r"[\u4e00-\u9fff]", heading) for heading in page.headings)
    assert tables(page)[MODELS][1][1] == "88.1% 86.9 到 89.3"
    assert tables(page)[CLASSES][0] == [
        *("类别", "文本数", "精确率（%）", "召回率（%）", "F1（%）", "最常误判为"),
    ]
    assert "最常见的混淆：" in page.text and "预算 30m 随机种子 0 机器 2 cores" in page.text
    assert [chart["description"].split("：")[0].split(":")[0] for chart in page.charts] == [
        *("混淆矩阵", "准确率与置信度", "损失（奈特）", "留出文本上的准确率（%）"),
        "不同长度的准确率（%）",
    ]


def test_every_figure_of_the_models_has_its_place():
    head, linear, lstm, mixture = tables(page_of(fake_classification()))[MODELS]
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
    def bold(result):
        source = page_of(result).source.replace("\N{NO-BREAK SPACE}", " ")
        return re.findall(r"<td[^>]*><b>(.*?)</b>", source)

    result = fake_classification()
    assert bold(result) == ["3.15 M", "12 s", "16.4 k", "91.9 %", "91.8 %", "0.181", "1.6 %"]
    alone = replace(result, models={"linear": result.models["linear"]}, weights={"linear": 1.0})
    assert bold(replace(alone, curves={})) == []


def test_missing_figures_are_dashes_and_empty_columns_vanish():
    result = without(fake_classification(), "num_parameters", "saved")
    result = with_figures(result, "lstm", accuracy=float("nan"), accuracy_low=float("nan"))
    result = replace(result, texts_per_second={"linear": 16_400, "mixture": 2_050})
    page = page_of(result)
    head, _, lstm, _ = tables(page)[MODELS]
    assert "parameters" not in head and "saves, nats" not in head
    assert [lstm[1], lstm[-1]] == ["–", "–"]
    assert re.search(r"\b(None|nan|NaN|inf)\b", page.text) is None


def test_a_linear_model_alone_saves_nothing():
    result = fake_classification()
    alone = replace(result, models={"linear": result.models["linear"]}, weights={"linear": 1.0})
    head, row = tables(page_of(replace(alone, curves={})))[MODELS]
    assert "saves, nats" not in head
    assert row[0] == "linear chosen"


@pytest.mark.parametrize("number", [2, 5, 30])
def test_figures_of_each_class(number):
    names = tuple(f"class {place}" for place in range(number))
    counts = fake_confusion(number)
    counts[1][0] += 1200
    page = page_of(replace(fake_classification(names), confusion=counts))
    head, *rows = tables(page)[CLASSES]
    assert head[:5] == ["class", "texts", "precision, %", "recall, %", "F1, %"]
    columns = list(zip(*counts, strict=True))
    for place, row in enumerate(rows):
        right = counts[place][place]
        precision, recall = right / sum(columns[place]), right / sum(counts[place])
        f1 = 2 * precision * recall / (precision + recall)
        figures = [f"{100 * share:.1f}" for share in (precision, recall, f1)]
        assert row[:5] == [names[place], f"{sum(counts[place]):,}", *figures]
    mean = sum(float(row[4]) for row in rows) / number
    assert mean == pytest.approx(100 * macro_f1(np.array(counts)), abs=0.05)
    assert ('class="dense"' in page.source) == (number > 8)
    cells = page.charts[MATRIX]["datasets"]["cells"]
    assert sum(row["count"] for row in cells) == sum(map(sum, counts))


def test_a_class_without_texts_has_no_recall_and_one_that_is_never_seen_no_f1():
    counts = [[750, 250, 0], [0, 0, 0], [0, 0, 0]]
    rows = tables(page_of(replace(fake_classification(("a", "b", "c")), confusion=counts)))[CLASSES]
    assert rows[2] == ["b", "0", "0.0", "–", "0.0", ""]
    assert rows[3] == ["c", "0", "–", "–", "–", ""]


def test_the_most_frequent_confusions_in_words():
    names = ("体育", "娱乐", "家居")
    counts = [[90, 3, 0], [7, 80, 5], [0, 1, 60]]
    page = page_of(replace(fake_classification(names), confusion=counts))
    assert (
        "Most frequent confusions: 娱乐 as 体育 (7); 娱乐 as 家居 (5); 体育 as 娱乐 (3); "
        "家居 as 娱乐 (1)."
    ) in page.text
    others = [row[5] for row in tables(page)[CLASSES]]
    assert others == ["most often predicted as", "娱乐 (3)", "体育 (7)", "娱乐 (1)"]
    page = page_of(fake_classification())
    assert "Most often" not in page.text and len(tables(page)[CLASSES][0]) == 5


def test_of_very_many_classes_the_picture_has_those_with_the_most_mistakes():
    names = tuple(f"class {place}" for place in range(200))
    counts = [[10 if true == column else 0 for column in range(200)] for true in range(200)]
    for place in range(0, 100, 2):
        counts[place][place + 100] = 3
    page = page_of(replace(fake_classification(names), confusion=counts))
    shown = page.charts[MATRIX]["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert len(shown) == 50 and shown == sorted(shown, key=names.index)
    assert set(shown) <= {f"class {place}" for place in range(0, 200, 2)}
    assert "The 50 of 200 classes with the most errors; the table below has all." in page.text
    assert len(tables(page)[CLASSES]) == 201
    assert len(page.source.encode()) < 1_500_000


def test_the_reliability_diagram_and_its_figures():
    page = page_of(fake_classification())
    points = page.charts[DIAGRAM]["datasets"]["points"]
    assert [(row["x"], row["y"], row["count"]) for row in points][4] == (
        *(pytest.approx(95.1), pytest.approx(97.7), 1481),
    )
    head, first, *_, last = tables(page)[BINS]
    assert head == ["confidence", "mean confidence", "accuracy", "texts"]
    assert first == ["50–60 %", "55.1 %", "53.3 %", "61"]
    assert last == ["90–100 %", "95.1 %", "97.7 %", "1,481"]


def test_the_learning_curve_begins_at_zero_and_leaves_out_what_is_missing():
    result = fake_classification()
    page = page_of(result)
    looks = result.curves["lstm"]
    loss = drawn(page.charts[LOSS])
    assert list(loss) == ["lstm, training", "lstm"]
    assert loss["lstm"] == [(look.epoch, look.valid_loss) for look in looks]
    assert loss["lstm"][0][0] == 0
    assert [x for x, _ in loss["lstm, training"]] == [look.epoch for look in looks[1:]]
    rows = page.charts[LOSS]["datasets"]["lines"]
    assert {(row["n"], row["f"], row["c"]) for row in rows} == {
        ("lstm, training", 1, 1),
        ("lstm", 0, 1),
    }
    accuracy = drawn(page.charts[ACCURACY])["lstm"]
    assert accuracy[3][1] == pytest.approx(100 * (looks[3].valid_accuracy or 0))
    least = min(looks, key=lambda look: look.valid_loss or 9)
    said = f"{least.valid_loss:.3f} nats, after {least.epoch:.1f} epochs, "
    assert said in page.text


def test_two_models_have_a_learning_curve_each():
    result = fake_classification()
    linear, lstm, mixture = result.models.values()
    models = {"linear": linear, "lstm": lstm, "lstm backward": lstm, "mixture": mixture}
    curves = result.curves | {"lstm backward": result.curves["lstm"][5:]}
    page = page_of(replace(result, models=models, curves=curves))
    names = ["lstm, training", "lstm", "lstm backward, training", "lstm backward"]
    assert list(drawn(page.charts[LOSS])) == names
    colours = {row["n"]: row["c"] for row in page.charts[LOSS]["datasets"]["lines"]}
    assert list(colours.values()) == [1, 1, 2, 2]
    assert [len(line) for line in drawn(page.charts[ACCURACY]).values()] == [21, 16]
    assert "lstm backward: lowest held-out loss" in page.text


def test_accuracy_by_length():
    result = fake_classification()
    group = LengthGroup(0, 404, 333, {"linear": 0.5})  # nothing of the others
    page = page_of(replace(result, by_length=[group, *result.by_length[1:]]))
    lines = drawn(page.charts[BY_LENGTH])
    assert {name: len(points) for name, points in lines.items()} == {
        "linear": 6,
        "lstm": 5,
        "mixture": 5,
    }
    assert lines["linear"][0] == (pytest.approx(404**0.5), 50)
    assert lines["linear"][1][0] == pytest.approx((405 * 640) ** 0.5)
    head, first, second, *_ = tables(page)[LENGTHS]
    assert head == ["characters", "texts", "linear", "lstm", "mixture"]
    assert first == ["0–404", "333", "50.0 %", "–", "–"]
    assert second == ["405–640", "334", "89.5 %", "90.3 %", "91.9 %"]


def test_a_single_group_or_look_has_no_chart():
    result = fake_classification()
    curves = {"lstm": result.curves["lstm"][:1]}
    result = replace(result, by_length=result.by_length[:1], curves=curves)
    page = page_of(result)
    assert len(page.charts) == LOSS
    assert "Learning curve" not in page.headings
    assert tables(page)[LENGTHS][1][0] == "12–404"


def test_explained_texts_say_class_probability_and_truth():
    page = page_of(fake_classification(("负面", "正面"), REVIEW_ZH))
    boxes = re.findall(r'<div class="explained">(.*?)</div>', page.source, re.DOTALL)
    said = [" ".join(plain(box).split()) for box in boxes]
    assert said[0].startswith("正面 97.1 % 这部电影非常感人，虽然节奏有点慢，但值得一看。")
    assert said[1].startswith("正面 61.3 %, truly 负面 这部电影")
    assert all('<pre dir="auto" lang="zh">' in box for box in boxes)


def test_mistakes_are_surest_first_and_long_ones_cut():
    result = fake_classification()
    first, second, third = result.mistakes
    long = replace(second, text="好" * 2001)
    page = page_of(replace(result, mistakes=[first, long, third]))
    source = page.source.split('class="samples mistakes"')[1].split("</section>")[0]
    said = [plain(heading) for heading in re.findall(r"<h3>(.*?)</h3>", source)]
    assert said == [
        "positive over 99.9 %, truly negative",
        "negative 98.7 %, truly positive",
        "positive 95.4 %, truly negative",
    ]
    assert f">{'好' * 2000}…</pre>" in source


def test_words_of_each_class():
    words = [Part("好 看", 1.25), Part("<i>", 0.25)]
    result = replace(fake_classification(), class_ngrams={"A&B": words, "none": []})
    source = page_of(result).source.split("<h2>Words of each class</h2>")[1].split("<section>")[0]
    assert "<bdi>A&amp;B</bdi>" in source and "none" not in source
    marks = re.findall(r'--share:(\d+)%" title="(.*?)">(.*?)</mark>', source)
    assert marks == [("60", "+1.25", "好 看"), ("12", "+0.25", "&lt;i&gt;")]


def test_conditions_and_notes():
    result = fake_classification()
    text = page_of(result).text
    for words in (
        "training texts 22,500 validation texts 2,500 test texts 2,000 classes 2",
        "data reviews.csv budget 30m seed 0 machine 2 cores",  # nothing that was not asked for
        "versions unrolled 0.1.0, torch 2.10.0",
        "17 duplicate texts were dropped.",
    ):
        assert text.count(words) == 1, words
    assert "test texts" not in page_of(replace(result, split="valid")).text.lower()


def test_labels_of_any_type_are_on_the_page():
    page = page_of(replace(fake_classification(), classes=[False, 3]))
    assert [row[0] for row in tables(page)[CLASSES]] == ["class", "False", "3"]


def test_hostile_text_in_every_field_stays_text():
    result = fake_classification(("negative", "positive", "neutral"))
    mappings = ("models", "weights", "saved", "num_parameters", "seconds", "texts_per_second")
    mappings += ("accuracy", "curves", "class_ngrams", "request", "versions")
    values = with_every_text(result.to_json(), HOSTILE, mappings)
    hostile = Classification.from_json(values)
    clean, page = page_of(result), page_of(hostile)
    tags = [tag for tag, _ in clean.elements if tag != "bdi"]  # true classes that differ
    assert [tag for tag, _ in page.elements if tag != "bdi"] == tags
    assert all("pwned" not in script for script in page.scripts if not script.startswith("{"))
    assert list(drawn(page.charts[LOSS]))[1].startswith(HOSTILE)
    assert page.text.count(HOSTILE) > 60


def test_nothing_is_loaded():
    page = page_of(fake_classification())
    attributes = [(key, value) for _, pairs in page.elements for key, value in pairs.items()]
    loading = ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    assert [value for key, value in attributes if key in loading] == ["data:,"]
    assert not [key for key, _ in attributes if key.startswith("on")]


@pytest.mark.parametrize("number", [2, 50])
def test_the_page_is_small(number):
    names = tuple(f"class with a long name {place}" for place in range(number))
    assert len(html(fake_classification(names)).encode()) < 1_500_000


def test_the_same_input_gives_the_same_page_and_stays_untouched():
    result = fake_classification()
    before = copy.deepcopy(result)
    assert html(result) == html(copy.deepcopy(result))
    assert result == before


def test_a_page_in_another_language():
    with pytest.raises(ConfigError, match='language must be one of "en", "zh", got \'fr\''):
        html(fake_classification(), "fr")  # type: ignore[arg-type]


def test_a_lone_surrogate_can_be_saved():
    result = fake_classification()
    mistakes = [replace(result.mistakes[0], text="\udce4b")]
    html(replace(result, mistakes=mistakes)).encode()
