"""Explained texts: the text stays whole, its words have the colours of their weights."""

import re

from unrolled.report.explained import html, marks
from unrolled.results.classification import Explained, Part

from .pages import HOSTILE, Page

PARTS = [
    Part(" wonderful\n", 2.0),
    Part("plot <b>", -1.0),
    Part(" and ", 0.1),
    Part("  ", 1.0),
    Part("", -1.0),
]


def explained(parts: list[Part], label: str | None = None) -> Explained:
    return Explained(parts, "positive", 0.971, label)


def test_words_are_coloured_by_their_weight_and_the_text_stays_whole() -> None:
    page = html("x", [explained(PARTS)])
    shown = page.split('<pre dir="auto" lang="">')[1].split("</pre>")[0]
    assert shown == (
        ' <mark class="c0" style="--share:60%" title="+2.00">wonderful</mark>\n'
        '<mark class="c1" style="--share:30%" title="-1.00">plot &lt;b&gt;</mark> and   '
    )


def test_texts_without_weights_have_no_colour() -> None:
    assert marks([]) == []
    (plain,) = marks([Part(" a & b ", 0.0)])
    assert (plain.before, plain.word, plain.after, plain.share) == (" ", "a & b", " ", 0.0)
    assert marks([Part("a", 0.05), Part("b", 1.0)])[0].share == 0.0
    assert marks([Part("a", 0.05), Part("b", 1.0)], visible=0)[0].share == 0.05


def test_a_page_of_explained_texts() -> None:
    page = Page(html("a & <b>", [explained(PARTS), explained(PARTS, "negative")]))
    assert page.headings == ["Examples explained"]
    assert "2 texts, with the words that the prediction depends on." in page.text
    assert "<h1>a &amp; &lt;b&gt;</h1>" in page.source
    assert page.scripts == []
    said = [re.sub(r"<[^>]*>", "", text) for text in re.findall(r"<h3>(.*?)</h3>", page.source)]
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in said] == [
        "positive 97.1 %",
        "positive 97.1 %, truly negative",
    ]
    assert "1 text, with" in html("x", [explained(PARTS)])
    assert "<section>" not in html("x", [])


def test_a_chinese_page() -> None:
    parts = [Part("这部电影", 0.5), Part("感人", 1.0)]
    page = Page(html("评论", [explained(parts, "负面"), explained(parts, "positive")], "zh"))
    assert "2 段文本，以及预测所依据的词。" in page.text
    assert "positive 97.1%，实为 负面" in page.text
    assert page.text.count("实为") == 1
    assert page.source.count('lang="zh"') == 2


def test_hostile_text_stays_text() -> None:
    entry = Explained([Part(HOSTILE, 1.0), Part(HOSTILE, 0.0)], HOSTILE, 0.5, f"{HOSTILE}2")
    page = Page(html(HOSTILE, [entry]))
    assert page.scripts == [] and "img" not in [tag for tag, _ in page.elements]
    assert page.text.count(HOSTILE) > 5
