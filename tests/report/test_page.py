"""Every page: what it may load and run, its size, and what it does with the odd."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from unrolled import report
from unrolled.errors import ConfigError
from unrolled.report.comparison import html
from unrolled.report.page import render
from unrolled.report.words import Words
from unrolled.results.comparison import Comparison

from .comparisons import fake_comparison
from .pages import Page

COMPARISON = Comparison.from_json(fake_comparison())


def test_nothing_is_loaded_and_only_the_own_script_may_run() -> None:
    page = Page(html(COMPARISON))
    links = [
        attributes[key]
        for _, attributes in page.elements
        for key in ("src", "href", "srcset", "action", "data", "poster")
        if key in attributes
    ]
    assert links == ["data:,"]
    style = page.source.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style and "@import" not in style
    policy = next(a["content"] for t, a in page.elements if "http-equiv" in a)
    digest = b64encode(sha256(page.scripts[-1].encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    kinds = [a.get("type") for tag, a in page.elements if tag == "script"]
    assert kinds.count(None) == 1 and set(kinds) == {None, "application/json"}
    assert page.scripts[-1].count("University of Washington Interactive Data Lab") == 1
    assert not any(name.startswith("on") for _, a in page.elements for name in a)


def test_a_page_without_charts_has_no_script() -> None:
    page = Page(render("page", Words("comparison", "en"), has_charts=False, title="", verdict=""))
    assert page.scripts == [] and "noscript" not in page.source
    assert "script-src 'none'" in page.source
    assert len(page.source) < 20_000


def test_a_page_is_small_enough_to_be_sent() -> None:
    assert len(html(COMPARISON).encode()) < 1_000_000


def test_a_page_says_in_which_language_it_is() -> None:
    assert ("html", {"lang": "en"}) in Page(html(COMPARISON)).elements
    chinese = Page(html(COMPARISON, "zh"))
    assert ("html", {"lang": "zh-Hans"}) in chinese.elements
    assert "图表需要 JavaScript" in chinese.text


def test_another_language_is_an_error() -> None:
    with pytest.raises(ConfigError) as error:
        html(COMPARISON, "fr")  # pyrefly: ignore
    assert str(error.value) == 'language must be one of "en", "zh", got \'fr\'. Choose one.'


def test_a_lone_surrogate_can_be_saved() -> None:
    page = html(Comparison.from_json(fake_comparison(sample="\udce4b")))
    assert ">?b</pre>" in page
    page.encode()


def test_no_template_marks_text_as_safe_and_no_module_writes_markup() -> None:
    folder = Path(report.__file__).parent
    for template in (folder / "templates").glob("*.html"):
        assert not re.search(r"\|\s*safe|autoescape", template.read_text("utf-8")), template
    for module in ("charts", "comparison", "diagnosis", "diagnosis_tables", "format", "tables"):
        assert not re.search(r"</?[a-z]+[ >]", (folder / f"{module}.py").read_text("utf-8")), module
