"""The page of a comparison: its order, its table, its charts, and what it says in words."""

import copy
import re
from typing import Any

import pytest

from unrolled.errors import ConfigError
from unrolled.report.comparison import html, reason
from unrolled.report.words import Language, Words
from unrolled.results.comparison import Advice, Comparison, Difference

from .comparisons import fake_comparison
from .pages import HOSTILE, Page, domain, drawn, with_every_text


def page_of(comparison: dict[str, Any], language: Language = "en") -> Page:
    return Page(html(Comparison.from_json(comparison), language))


def test_the_order_of_the_page() -> None:
    assert page_of(fake_comparison()).headings == [
        "Recommendation",
        "Ranking",
        "Learning curves",
        "Quality against cost",
        "Loss by position in the context",
        "Samples",
        "How to read this",
        "Conditions and settings",
    ]
    assert page_of(fake_comparison(), "zh").headings == [
        "推荐",
        "排名",
        "学习曲线",
        "质量与代价",
        "损失与上下文位置",
        "样例",
        "怎样读这份报告",
        "条件与设置",
    ]


def test_everything_is_said_once_and_in_words() -> None:
    text = page_of(fake_comparison()).text
    for words in (
        "lstm predicts this text best: 2.112 bits per byte, 0.019 ± 0.012 less than gru "
        "and 0.801 less than xz.",
        "quality lstm It has the lowest loss, 2.112 bits per byte, 0.019 ± 0.012 less than gru.",
        "long documents lstm After 512 or more tokens of context it has the lowest loss, "
        "2.000 bits per byte; from 32 to 512 tokens of context its loss falls by 0.050.",
        "unrolled generate runs/shakespeare/lstm",
        "Figures of the test split",
        "At 2.112 bits, a megabyte of such text shrinks to 264 kB.",
        "bytes 1,115,394 data hash 86c4e6aa9db7c042",
        "bits per byte by seed 2.104, 2.120",
        "learning rates tried 0.002 → 2.422, 0.004 → 2.352, 0.008 → –",
        "learning rate 0.004 hidden size 512 batch size 64 gru",
        "The discounts of order 1 were set to 0.5.",
    ):
        assert text.count(words) == 1, words


def test_the_chinese_page_says_the_same() -> None:
    text = page_of(fake_comparison(), "zh").text
    for words in (
        "lstm 对这份文本预测得最好：每字节 2.112 比特，比 gru 少 0.019 ± 0.012，比 xz 少 0.801。",
        "质量 lstm 损失最低，每字节 2.112 比特，比次好的 gru 少 0.019 ± 0.012。",
        "速度 ngram 每秒打分 1,640,000 个词元，是 lstm 的 13.9 倍，代价是每字节多 0.275 比特。",
        "按 2.112 比特计，1 MB 这样的文本可以压缩到 264 kB。",
        "训练用时 119 秒",
        "学习率 0.004 隐藏层宽度 512 批大小 64",
    ):
        assert words in text, words
    assert "测试集上的结果" in text


@pytest.mark.parametrize(
    ("advice", "sentence"),
    [
        (
            Advice(purpose="quality", model="gru", figure=2.0),
            "It has the lowest loss, 2.000 bits per byte.",
        ),
        (
            Advice(
                purpose="quality",
                model="ngram",
                figure=2.0,
                rival="gru",
                rival_figure=2.01,
                behind=Difference(0.01, 0.02),
            ),
            "It has the lowest loss, 2.000 bits per byte, but gru cannot be told apart from it, "
            "a tie: the difference is 0.010 ± 0.020; with more text or a longer budget a network "
            "may be better.",
        ),
        (
            Advice(purpose="speed", model="gru", figure=12345.6, has_no_equal=True),
            "It scores 12,346 tokens per second; "
            "no other model is within 15 % of its bits per byte.",
        ),
        (
            Advice(
                purpose="size", model="rnn", figure=1.5e6, rival="gru", rival_figure=4e6, cost=0.1
            ),
            "Its file is 1.5 MB; that of gru is 4.0 MB, at 0.100 bits per byte more.",
        ),
        (
            Advice(
                purpose="length",
                model="rnn",
                figure=2.1,
                position=512,
                near_position=32,
                near_figure=2.0,
            ),
            "After 512 or more tokens of context it has the lowest loss, 2.100 bits per byte; "
            "from 32 to 512 tokens of context its loss rises by 0.100.",
        ),
    ],
)
def test_a_reason_is_a_sentence(advice: Advice, sentence: str) -> None:
    assert reason(advice, Words("comparison", "en")) == sentence
    assert reason(advice, Words("comparison", "zh")).endswith("。")


def test_the_same_input_gives_the_same_page_and_stays_untouched() -> None:
    comparison = Comparison.from_json(fake_comparison())
    before = copy.deepcopy(comparison)
    assert html(comparison) == html(comparison)
    assert comparison == before


def test_hostile_text_in_every_field_stays_text() -> None:
    fake = fake_comparison()
    values = with_every_text(fake, HOSTILE, ("conditions", "settings"))
    for row, advice in zip(values["recommendation"], fake["recommendation"], strict=True):
        row["purpose"] = advice["purpose"]
    clean, hostile = page_of(fake), page_of(values)
    shape = [(tag, set(attributes)) for tag, attributes in clean.elements if tag != "i"]
    assert [(t, set(a)) for t, a in hostile.elements if t != "i"] == shape
    assert "pwned" not in hostile.scripts[-1]
    assert HOSTILE in drawn(hostile.charts[0])
    assert hostile.text.count(HOSTILE) > 40  # each field is shown somewhere


def test_a_missing_figure_is_a_dash() -> None:
    comparison = fake_comparison()
    for model in comparison["models"][1:]:
        model |= {key: None for key, value in model.items() if isinstance(value, int | float)}
        model |= {"closed_vocabulary": False, "seeds": [], "behind": None}
        model |= {"bits_per_byte": float("nan"), "perplexity": float("inf")}
    page = page_of(comparison)
    row = next(row for row in page.rows if row[0] == "gru")
    assert row[1:] == ["–"] * 9
    assert [row[0] for row in page.rows[:4]] == ["lstm", "xz", "unigram", "uniform"]
    assert re.search(r"\b(None|nan|inf|NaN|Infinity)\b", page.text) is None
    assert "lstm needs 2.112 bits per byte, 0.801 less than xz." in page.text


def test_one_model_without_pictures() -> None:
    comparison = fake_comparison()
    empty = {"curve": [], "loss_by_position": [], "samples": [], "score_tokens_per_second": None}
    comparison["models"] = [comparison["models"][0] | empty | {"file_bytes": None, "seeds": [2.1]}]
    comparison |= {"baselines": [], "recommendation": []}
    page = page_of(comparison)
    assert page.headings == [
        "Recommendation",
        "Ranking",
        "How to read this",
        "Conditions and settings",
    ]
    assert page.charts == []
    assert "lstm needs 2.112 bits per byte." in page.text
    assert "by seed" not in page.text


def test_no_model_is_an_error() -> None:
    with pytest.raises(ConfigError) as error:
        page_of(fake_comparison() | {"models": []})
    assert str(error.value) == (
        "models must be at least one model, got none. Compare one or more models."
    )


def test_samples_keep_their_script() -> None:
    def languages(sample: str) -> set[str | None]:
        page = page_of(fake_comparison(sample=sample))
        return {attributes["lang"] for tag, attributes in page.elements if tag == "pre"}

    assert languages("床前明月光，疑是地上霜。") == {"zh"}
    assert languages("吾輩は猫である。") == {"ja"}
    assert languages("What says my lord?") == {""}
    assert ("html", {"lang": "en"}) in page_of(fake_comparison("全唐诗")).elements


# The table.


def test_models_and_baselines_stand_in_one_order() -> None:
    comparison = fake_comparison()
    comparison["models"].reverse()
    comparison["baselines"][2]["bits_per_byte"] = 2.25
    names = [row[0] for row in page_of(comparison).rows]
    assert names == ["lstm", "gru", "transformer", "xz", "rnn", "ngram", "unigram", "uniform"]


def test_figures_have_units() -> None:
    row = page_of(fake_comparison()).rows[0]
    assert [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] == [
        "lstm",
        "2.112",
        "4.32",
        "2,711",
        "1.27 M",
        "31.0 k",
        "118 k",
        "930",
        "294 MB",
        "5.10 MB",
    ]


def test_the_best_of_a_column_is_bold_and_bars_start_at_zero() -> None:
    page = page_of(fake_comparison()).source
    bold = re.findall(r"<td[^>]*><b>(.*?)</b>", page.replace("\N{NO-BREAK SPACE}", " "))
    assert bold == ["4.32", "2,711", "375 k", "150 MB", "1.50 MB", "905 k", "1.64 M", "15.8 k"]
    assert '2.112<i class="bar c0" style="--share:35.1%">' in page
    assert '6.022<i class="bar" style="--share:100.0%">' in page


def test_columns_without_figures_are_left_out() -> None:
    comparison = fake_comparison()
    for model in comparison["models"]:
        model["perplexity_per_word"] = None
    page = page_of(comparison)
    assert "perplexity per word" not in page.text
    assert {len(row) for row in page.rows} == {9}


def test_a_closed_vocabulary_is_marked() -> None:
    assert "†" not in page_of(fake_comparison()).text
    comparison = fake_comparison()
    comparison["models"][1]["closed_vocabulary"] = True
    page = page_of(comparison)
    assert [row[1] for row in page.rows[:2]] == ["2.112", "2.131 +0.019 ± 0.012"]
    assert [row[2].endswith("†") for row in page.rows[:2]] == [False, True]
    assert "† Closed vocabulary: an unknown word counts as one symbol" in page.text


# The verdict.


def test_the_verdict_of_a_tie() -> None:
    comparison = fake_comparison()
    for model in comparison["models"][1:3]:
        model["behind"]["margin"] = 0.1
    page = page_of(comparison)
    assert page.verdict == (
        "A tie: lstm (2.112 bits per byte) cannot be told apart from gru, transformer, "
        "the difference to the next is 0.019 ± 0.100."
    )
    assert page.rows[1][1] == "2.131 tie, 0.019 ± 0.100"
    assert page.rows[3][1] == "2.298 +0.186 ± 0.012"


def test_a_comparison_that_was_cut_short_says_so() -> None:
    comparison = fake_comparison() | {"cut_short": 0.35, "split": "valid", "baselines": []}
    for model in comparison["models"]:
        model["behind"] = None
    page = page_of(comparison)
    assert page.verdict.startswith(
        "Cut short after 35.0\N{NO-BREAK SPACE}% of what every network was to have: "
    )
    assert "0.019 less than gru" in page.verdict  # no interval is known of validation text


def test_others_that_took_the_processor_are_named() -> None:
    disturbance = {"share": 0.384, "most": 0.41, "model": "gru"}
    page = page_of(fake_comparison() | {"disturbance": disturbance})
    assert (
        "Other programs took 38.4\N{NO-BREAK SPACE}% of the processor time while the networks "
        "trained (most beside gru: 41.0\N{NO-BREAK SPACE}%)."
    ) in page.verdict
    assert "Other programs" not in page_of(fake_comparison()).verdict


def test_the_verdict_when_no_model_beats_a_baseline() -> None:
    comparison = fake_comparison()
    comparison["baselines"].append({"name": "zpaq", "bits_per_byte": 2.0})
    assert page_of(comparison).verdict == (
        "No model is better than zpaq (2.000 bits per byte). The best, lstm, has 2.112. "
        "More text or a longer budget may help."
    )


@pytest.mark.parametrize(
    ("doubt", "why"),
    [
        ("hardly trained", "hardly trained, 3 updates"),
        (
            "no better than its start",
            "no better after 3 updates than the token frequencies it began with",
        ),
    ],
)
def test_what_says_nothing_of_its_kind_is_not_ranked(doubt: str, why: str) -> None:
    comparison = fake_comparison()
    comparison["models"][0] |= {"doubt": doubt, "num_updates": 3}
    page = html(Comparison.from_json(comparison))
    assert "gru predicts this text best: 2.131 bits per byte" in page
    assert f"Not ranked, since their figures say nothing about their kind: lstm ({why})." in page
    names = re.findall(r'<th scope="row">(?:<i[^>]*></i>)?(\w+)', page)
    assert names[:8].index("lstm") == 7  # after all models and baselines


def test_the_verdict_where_nothing_was_trained() -> None:
    comparison = fake_comparison()
    for model in comparison["models"]:
        model |= {"doubt": "hardly trained", "num_updates": 0}
    comparison["recommendation"] = []
    assert "No model was trained enough to be ranked" in html(Comparison.from_json(comparison))
    assert "没有一个模型训练到可以排名的程度" in html(Comparison.from_json(comparison), "zh")


def test_the_verdict_without_any_figure() -> None:
    comparison = fake_comparison()
    for model in comparison["models"]:
        model["bits_per_byte"] = None
    assert page_of(comparison).verdict == "Every model diverged: none has a finite loss."
    assert page_of(comparison, "zh").verdict == "所有模型都发散了，没有一个得到有限的损失。"


# The charts.


def test_curves_over_seconds_and_tokens() -> None:
    comparison = fake_comparison()
    seconds, tokens = page_of(comparison).charts[:2]
    names = ["lstm", "gru", "transformer", "rnn"]
    lines = drawn(seconds)
    assert list(lines) == [*(f"{name}, training text" for name in names), *names]
    colours = {row["n"]: (row["c"], row["f"]) for row in seconds["datasets"]["lines"]}
    assert list(colours.values()) == [(c, 1) for c in range(4)] + [(c, 0) for c in range(4)]
    curve = comparison["models"][0]["curve"]
    assert lines["lstm"] == [(point["seconds"], point["valid"]) for point in curve]
    assert drawn(tokens)["lstm"] == [(point["tokens"], point["valid"]) for point in curve]
    # The first look at the training text is missing.
    faint = [(point["seconds"], point["train"]) for point in curve[1:]]
    assert lines["lstm, training text"] == faint
    scales = [spec["layer"][0]["encoding"]["y"]["scale"]["type"] for spec in (seconds, tokens)]
    assert scales == ["linear", "linear"]
    assert [spec["layer"][1]["encoding"]["x"]["scale"]["type"] for spec in (seconds, tokens)] == [
        "linear",
        "log",
    ]


def test_the_steep_start_does_not_set_the_range() -> None:
    comparison = fake_comparison()
    comparison["baselines"] = []
    low, high = domain(page_of(comparison).charts[0], "y")
    valid = [point["valid"] for point in comparison["models"][3]["curve"]]
    late = [
        point["valid"] for point in comparison["models"][3]["curve"] if point["seconds"] >= 11.9
    ]
    assert valid[0] > 3.9
    assert late[0] < high < late[0] + 0.2
    assert low < min(point["train"] or 9 for point in comparison["models"][0]["curve"][-1:])


def test_levels_are_drawn_or_named() -> None:
    page = page_of(fake_comparison())
    levels = page.charts[0]["datasets"]["levels"]
    assert [(row["n"], row["c"]) for row in levels] == [("xz", 8), ("ngram", 4)]
    assert [row["y"] for row in levels] == [2.913, pytest.approx(2.417)]
    assert page.text.count("Outside the chart: uniform 6.022, unigram 4.761.") == 2


def test_cost_leaves_out_what_was_not_measured() -> None:
    comparison = fake_comparison()
    comparison["models"][2]["score_tokens_per_second"] = None
    speed, size = page_of(comparison).charts[2:4]
    points = speed["datasets"]["points"]
    assert [row["n"] for row in points] == ["lstm", "gru", "rnn", "ngram"]
    assert [row["c"] for row in points] == [0, 1, 3, 4]
    assert size["datasets"]["points"][2] == {"n": "transformer", "c": 2, "x": 12.8e6, "y": 2.204}


def test_positions_are_framed_without_the_first_tokens() -> None:
    comparison = fake_comparison()
    chart = page_of(comparison).charts[4]
    assert chart["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"
    assert [x for x, _ in drawn(chart)["ngram"]] == [2**power for power in range(11)]
    fourth = comparison["models"][4]["loss_by_position"][2]["bits_per_byte"]
    low, high = domain(chart, "y")
    assert fourth < high < fourth + 0.2
    assert low < comparison["models"][0]["loss_by_position"][-1]["bits_per_byte"]


def test_a_diverged_model_does_not_break_the_charts() -> None:
    comparison = fake_comparison()
    for point in comparison["models"][3]["curve"][5:]:
        point |= {"train": float("inf"), "valid": float("nan")}
    assert len(drawn(page_of(comparison).charts[0])["rnn"]) == 5


def test_only_flat_models_have_no_curves() -> None:
    comparison = fake_comparison()
    comparison["models"] = comparison["models"][4:]
    page = page_of(comparison)
    assert "Learning curves" not in page.headings
    assert "Quality against cost" in page.headings


def test_a_model_without_steps_is_in_the_picture_however_good_and_a_low_baseline_is_named():
    comparison = fake_comparison()
    for model in comparison["models"]:
        if model["name"] == "ngram":
            model["curve"] = [{"seconds": 1, "tokens": 1, "train": None, "valid": 1.9}]
    comparison["baselines"].append({"name": "oracle", "bits_per_byte": 0.1})
    page = page_of(comparison)
    assert page.text.count("unigram 4.761, oracle 0.100.") == 2
    for chart in page.charts[:2]:
        assert domain(chart, "y")[0] < 1.9
        assert "ngram" in [level["n"] for level in chart["datasets"]["levels"]]
