"""A page as its readers see it: elements, words, tables and charts."""

import json
import re
from html.parser import HTMLParser
from typing import Any

HOSTILE = (
    "</script><script>pwned()</script><!--<img src=x onerror='pwned()'>\"' & $title ${x} {{ 7 }}"
)


class Page(HTMLParser):
    """Elements with their attributes, the text of scripts, and the text of everything else."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._open = ""
        self.feed(source)

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
        """Specifications of all charts, in their order."""
        return [json.loads(text) for text in self.scripts if text.startswith('{"')]

    @property
    def headings(self) -> list[str]:
        return re.findall(r"<h2>(.*?)</h2>", self.source)

    @property
    def verdict(self) -> str:
        return re.findall(r'class="verdict">(.*?)</p>', self.source)[0]

    @property
    def rows(self) -> list[list[str]]:
        """Cells of the first table without their marks."""
        body = self.source.split("<tbody>")[1].split("</tbody>")[0]
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("</tr>")[:-1]]
        return [[re.sub(r"<[^>]*>", "", cell).strip() for cell in row] for row in rows]


def with_every_text(value: Any, text: str, mappings: tuple[str, ...]) -> Any:
    """JSON with every string replaced, and every key of the mappings that users fill."""
    if isinstance(value, dict):
        return {
            key: {f"{text}{name}": with_every_text(v, text, mappings) for name, v in part.items()}
            if key in mappings and isinstance(part, dict)
            else with_every_text(part, text, mappings)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [with_every_text(part, text, mappings) for part in value]
    return text if isinstance(value, str) else value


def drawn(spec: dict[str, Any], data: str = "lines") -> dict[str, list[tuple[float, float]]]:
    """Points of a chart by the name of their line."""
    points: dict[str, list[tuple[float, float]]] = {}
    for row in spec["datasets"].get(data, []):
        points.setdefault(row["n"], []).append((row["x"], row["y"]))
    return points


def domain(spec: dict[str, Any], channel: str) -> list[float]:
    """The range of an axis."""
    return next(e[channel]["scale"]["domain"] for e in encodings(spec) if channel in e)


def encodings(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Of all layers."""
    return [layer["encoding"] for layer in spec["layer"]]
