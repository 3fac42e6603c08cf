"""What pages say, in English and Chinese: phrases stand side by side in words/*.toml.

A catalogue belongs to a page; common.toml holds what several pages say, and under [names] Chinese
names of settings and conditions. In a phrase {name} is a value, and where it becomes HTML `x` is
code, **x** bold and *x* italic.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..errors import ConfigError

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_MARKS = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*(.+?)\*\*"), r"<b>\1</b>"),
    (re.compile(r"\*(.+?)\*"), r"<i>\1</i>"),
)


@cache
def catalogue(page: str) -> dict[str, Any]:
    """All phrases of a page by key, those of common.toml among them: {"en": ..., "zh": ...}."""
    import tomllib  # not before a page is written: every command imports this file

    file = Path(__file__).with_name("words") / f"{page}.toml"
    phrases = tomllib.loads(file.read_text("utf-8"))
    return phrases if page == "common" else catalogue("common") | phrases


class Words:
    """The phrases of a page in one language: `Words("comparison", "zh")("title")`.

    Raises:
        ConfigError: no page is written in this language.
    """

    def __init__(self, page: str, language: Language) -> None:
        if language not in LANGUAGES:
            raise ConfigError("language", 'one of "en", "zh"', repr(language), "Choose one.")
        self.language: Language = language
        self._phrases = catalogue(page)

    def __call__(self, key: str, **values: object) -> str:
        """One phrase as plain text with its values in it."""
        return self._phrases[key][self.language].format_map(values)

    def __contains__(self, key: str) -> bool:
        return key in self._phrases

    def html(self, key: str, **values: object) -> Any:
        """The same as HTML that a template takes as it is; values are escaped.

        Returns:
            A `markupsafe.Markup`.
        """
        from markupsafe import Markup, escape

        plain = self._phrases[key][self.language].replace(" %", "\N{NO-BREAK SPACE}%")
        phrase = str(escape(plain))
        for mark, tag in _MARKS:
            phrase = mark.sub(tag, phrase)
        return Markup(phrase).format_map(values)

    def outside(self, names: str) -> str:
        """The note below a chart about what lies beyond its range."""
        return self("outside", names=names)

    def split(self, name: str) -> str:
        """What a split of the text is called; files keep their names."""
        key = f"split {name}"
        return self(key) if key in self else name

    def name(self, key: str) -> str:
        """What a setting or a condition is called; in Chinese an unknown one keeps its own name."""
        plain = key.replace("_", " ")
        return plain if self.language == "en" else self._phrases["names"].get(plain.lower(), plain)
