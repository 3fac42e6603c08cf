"""The page as a whole: what it says, what it may not load, what it does with the odd."""

import copy
import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from unrolled.errors import ConfigError
from unrolled.report import html

from .comparisons import fake_comparison

HOSTILE = "</script><script>pwned()</script><!--<img src=x onerror='pwned()'>\"' & $title ${x}"


class Page(HTMLParser):
    """Elements with their attributes, the text of scripts, and the text of everything else."""

    def __init__(self, result: dict[str, Any], write: Callable[[Any], str] = html) -> None:
        super().__init__()
        self.source = write(result)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._open = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts.append(data)
        elif self._open != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(f"{word}\n" for word in self.words).split())

    @property
    def charts(self) -> list[dict[str, Any]]:
        return [json.loads(script) for script in self.scripts if script.startswith("{")]

    @property
    def headings(self) -> list[str]:
        return re.findall(r"<h2>(.*?)</h2>", self.source)

    @property
    def rows(self) -> list[list[str]]:
        """Cells of the ranked table without their marks."""
        body = self.source.split("<tbody>")[1].split("</tbody>")[0]
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>")[:-1]]
        return [[re.sub(r"<[^>]*>", "", cell) for cell in row] for row in rows]


def test_the_order_of_the_page() -> None:
    assert Page(fake_comparison()).headings == [
        "Which one to take",
        "Ranking",
        "Learning curves",
        "Quality against cost",
        "Loss by position in the context",
        "Samples",
        "How to read this",
        "Conditions and settings",
    ]


def test_everything_is_said_once_and_in_words() -> None:
    text = Page(fake_comparison()).text
    for words in (
        "lstm predicts this text best: 2.112 bits per byte, 0.019 less than gru "
        "and 0.801 less than xz.",
        "quality lstm It needs the fewest bits.",
        "long documents lstm It gains after 512 tokens.",
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


def test_the_same_input_gives_the_same_page_and_stays_untouched() -> None:
    comparison = fake_comparison()
    before = copy.deepcopy(comparison)
    assert html(comparison) == html(comparison)
    assert comparison == before


def test_hostile_text_in_every_field_stays_text() -> None:
    clean, hostile = Page(fake_comparison()), Page(_with_every_text(fake_comparison(), HOSTILE))
    shape = [(tag, set(attributes)) for tag, attributes in clean.elements if tag != "i"]
    assert [(t, set(a)) for t, a in hostile.elements if t != "i"] == shape
    assert "pwned" not in hostile.scripts[-1]
    assert hostile.charts[0]["series"][0]["name"] == HOSTILE
    assert hostile.text.count(HOSTILE) > 50  # each field is shown somewhere


def _with_every_text(value: Any, text: str) -> Any:
    """Replaces every string, and every key that the user chooses."""
    if isinstance(value, dict):
        fixed = {
            key: {f"{text}{name}": _with_every_text(v, text) for name, v in part.items()}
            if key in ("conditions", "settings")
            else _with_every_text(part, text)
            for key, part in value.items()
        }
        return fixed
    if isinstance(value, list):
        return [_with_every_text(part, text) for part in value]
    return text if isinstance(value, str) else value


def test_nothing_is_loaded_and_only_the_own_script_may_run() -> None:
    page = Page(fake_comparison())
    links = [
        attributes[key]
        for _, attributes in page.elements
        for key in ("src", "href", "srcset", "action", "data", "poster")
        if key in attributes
    ]
    assert links == ["data:,"]
    style = page.source.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    assert re.findall(r"https?://[\w./]*", page.source) == ["https://github.com/leeoniya/uPlot"]
    policy = next(a["content"] for t, a in page.elements if "http-equiv" in a)
    digest = b64encode(sha256(page.scripts[-1].encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; img-src data:"
    )
    assert page.scripts[-1].count("Copyright (c) 2022 Leon Sorokin") == 1
    assert not any(name.startswith("on") for _, a in page.elements for name in a)


def test_a_missing_figure_is_a_dash() -> None:
    comparison = fake_comparison()
    for model in comparison["models"][1:]:
        model |= {key: None for key, value in model.items() if isinstance(value, int | float)}
        model |= {"closed_vocabulary": False, "seeds": []}
        model |= {"bits_per_byte": float("nan"), "perplexity": float("inf")}
    page = Page(comparison)
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
    page = Page(comparison)
    assert page.headings == [
        "Which one to take",
        "Ranking",
        "How to read this",
        "Conditions and settings",
    ]
    assert page.charts == []
    assert "lstm needs 2.112 bits per byte." in page.text
    assert "by seed" not in page.text


def test_no_model_is_an_error() -> None:
    with pytest.raises(ConfigError) as error:
        html(fake_comparison() | {"models": []})
    assert str(error.value) == (
        "models must be at least one model, got none. Compare one or more models."
    )


def test_samples_keep_their_script() -> None:
    def languages(sample: str) -> set[str | None]:
        page = Page(fake_comparison(sample=sample))
        return {attributes["lang"] for tag, attributes in page.elements if tag == "pre"}

    assert languages("床前明月光，疑是地上霜。") == {"zh"}
    assert languages("吾輩は猫である。") == {"ja"}
    assert languages("What says my lord?") == {""}
    assert ("html", {"lang": "en"}) in Page(fake_comparison("全唐诗")).elements


def test_a_lone_surrogate_can_be_saved() -> None:
    page = html(fake_comparison(sample="\udce4b"))
    assert ">?b</pre>" in page
    page.encode()
