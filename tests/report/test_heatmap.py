"""The heat map: the text once, whatever the tokens, and every token with its figures."""

import re

import pytest
import torch

from unrolled.inference.surprisal import Cost, TextScore, score_texts
from unrolled.models.build import build
from unrolled.report.heatmap import html
from unrolled.report.words import Language
from unrolled.settings.models import RecurrentConfig
from unrolled.text.tokenizers import ByteTokenizer, CharTokenizer, Spelling, WordTokenizer

from .pages import HOSTILE, Page

ODD = TextScore(
    '<b>&"\n',
    (Cost("<b>&", 0, 4, 3.0), Cost('"\n', 4, 6, 20.0), Cost("<eos>", 6, 6, 0.5)),
)


def score_of(text: str) -> TextScore:
    """Every character a token, the later ones dearer."""
    costs = [Cost(letter, at, at + 1, at % 20) for at, letter in enumerate(text)]
    return TextScore(text, (*costs, Cost("<eos>", len(text), len(text), 1.0)))


def page_of(scores, text: str = "a.txt", language: Language = "en") -> str:
    return "".join(html(enumerate(scores, 1), text, "runs/a", language))


def test_every_token_has_its_colour_and_its_figures() -> None:
    page = page_of([ODD])
    first, second, end = re.findall(
        r'<span class="(s\d[^"]*)" title="(.*?)">(.*?)</span>', page, re.S
    )
    assert first == ("s2", "“&lt;b&gt;&amp;” 3.00 bits, p = 12.50%", "&lt;b&gt;&amp;")
    assert second == ("s7", "“&#34;\n” 20.00 bits, p = 1e-06", "&#34;⏎\n")
    assert end[:2] == ("s0 end", "“&lt;eos&gt;” 0.50 bits, p = 70.71%")
    assert "<small>1 · 23.5 bits, 3.917 per byte</small>" in page


def test_a_row_without_text_says_so() -> None:
    page = page_of([ODD, None])
    assert "<small>2 · no text</small>" in page


def test_it_escapes_and_loads_nothing() -> None:
    page = Page(page_of([ODD], HOSTILE))
    assert page.scripts == [] and "b" not in [tag for tag, _ in page.elements]
    assert f"Surprisal of {HOSTILE} to runs/a" in page.text
    assert "script-src 'none'" in page.source
    assert not re.search(r"https?:|<script|@import|url\(", page.source)


def test_the_legend_says_where_colours_begin() -> None:
    legend = page_of([]).split('class="legend">')[1].split("</p>")[0]
    assert re.sub(r"<[^>]*>", "", legend).split() == (
        ["bits", "per", "token:", "under", "1", "1", "2", "4", "6", "8", "12", "16", "and", "more"]
    )


def test_a_chinese_page() -> None:
    page = page_of([ODD, TextScore("", (Cost("<eos>", 0, 0, 2.0),))], language="zh")
    assert "runs/a 读 a.txt 的惊异值" in page
    assert "<small>1 · 23.5 比特，每字节 3.917 比特</small>" in page
    assert "<small>2 · 2.0 比特</small>" in page
    assert "3.00 比特，p = 12.50%" in page


@pytest.mark.parametrize(
    "tokenizer",
    [
        ByteTokenizer(),
        CharTokenizer(sorted(set("to be 床前。é")), Spelling([1] * 257)),
        WordTokenizer(["to"], Spelling([1] * 257), True),
    ],
    ids=["byte", "char", "word"],
)
def test_the_text_is_shown_once_whatever_the_tokens(tokenizer) -> None:
    texts = ["to  be 床前。", "é", ""]
    torch.manual_seed(0)
    model = build(RecurrentConfig("gru", 8, 16), tokenizer.vocab_size).eval()
    page = page_of(score_texts(model, tokenizer, texts))
    sections = re.findall(r'<section class="score"><p[^>]*>(.*?)</p>', page, re.S)
    shown = [re.sub("<[^>]*>", "", part) for part in sections]
    assert shown == [f"{text}&lt;eos&gt;" for text in texts]
    assert page.endswith("</html>")


def test_texts_are_written_one_at_a_time() -> None:
    asked = []

    def scores():
        for number in range(1000):
            asked.append(number)
            yield number, ODD

    pieces = html(scores(), "a.txt", "runs/a")
    next(pieces)
    assert len(asked) < 10


def test_every_colour_of_the_legend_is_used() -> None:
    page = page_of([score_of("to be or not to be, that is")])
    levels = set(re.findall(r'class="s(\d)" title', page))
    assert levels == set("01234567")
