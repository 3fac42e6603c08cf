"""The catalogues: both languages have every phrase, with the same values in it."""

import re
from pathlib import Path
from string import Formatter

import pytest

from unrolled import report
from unrolled.report.words import LANGUAGES, Words, catalogue

FOLDER = Path(report.__file__).parent
PAGES = sorted(path.stem for path in (FOLDER / "words").glob("*.toml"))


def values_of(phrase: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(phrase) if name is not None}


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_every_phrase_with_its_values(page):
    assert PAGES
    for key, phrase in catalogue(page).items():
        if key == "names":
            continue
        assert set(phrase) == set(LANGUAGES), key
        english, chinese = (phrase[language] for language in LANGUAGES)
        assert values_of(english) == values_of(chinese), key
        assert english.strip() and chinese.strip(), key
        assert english.count("`") == chinese.count("`") and english.count("`") % 2 == 0, key


@pytest.mark.parametrize("page", PAGES)
def test_a_token_is_no_word_in_chinese_either(page):
    """词 alone is a word: where English has tokens and no words, it stands in other words only."""
    for key, phrase in catalogue(page).items():
        english = "" if key == "names" else phrase["en"]
        if re.search("token(?!iz)", english) and "word" not in english:
            assert not re.search("(?<!分)词(?![元表向])", phrase["zh"]), key


@pytest.mark.parametrize("page", PAGES)
def test_chinese_is_set_as_chinese(page):
    for key, phrase in catalogue(page).items():
        chinese = re.sub(r"`[^`]*`|\{[^}]*\}", "x", "" if key == "names" else phrase["zh"])
        assert not re.search(r"[\u4e00-\u9fff][,;:?!]|[\u4e00-\u9fff]\.$", chinese), key
        assert "  " not in chinese and not re.search(r"\d %", chinese), key


def test_every_phrase_is_used():
    sources = [path.read_text("utf-8") for path in FOLDER.rglob("*.py")]
    sources += [path.read_text("utf-8") for path in FOLDER.glob("templates/*.html")]
    said = "\n".join(sources)
    prefixes = re.findall(r'f"([^"{]{3,})\{', said) + re.findall(r'"([^"]{3,})" ~', said)
    for page in PAGES:
        for key in catalogue(page):
            used = f'"{key}"' in said or any(key.startswith(prefix) for prefix in prefixes)
            assert used, f"{page}: {key}"


def test_phrases_as_text_and_as_html():
    words = Words("comparison", "en")
    assert words("verdict one", best="<a>", bits=2.0) == "<a> needs 2.000 bits per byte"
    assert words.html("verdict one", best="<a>", bits=2) == "&lt;a&gt; needs 2.000 bits per byte"
    assert words.html("reading spread").startswith("<b>The spread (±)</b> is")
    assert "<i>xz</i>" in words.html("reading baselines")
    assert "3.5\N{NO-BREAK SPACE}%" in words.html("reading difference")


def test_values_are_never_markup():
    words = Words("comparison", "en")
    said = words.html("ranking, how", split="`a` **b** *c* <i>d</i> {e}")
    assert "`a` **b** *c* &lt;i&gt;d&lt;/i&gt; {e}" in said


def test_names_of_settings():
    assert Words("comparison", "en").name("hidden_size") == "hidden size"
    assert Words("comparison", "zh").name("hidden_size") == "隐藏层宽度"
    assert Words("comparison", "zh").name("no_such_thing") == "no such thing"
