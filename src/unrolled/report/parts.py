"""Small pieces of the page: numbers with their units, names with their colours, sections."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Protocol

NUM_COLOURS = 8
"""Of page.css: `c0` and so on."""

MISSING = "–"


class Ranked(Protocol):
    """A model or a baseline."""

    @property
    def bits_per_byte(self) -> float | None: ...


def rank_key(row: Ranked) -> float:
    """Sorts models and baselines: fewest bits per byte first, those without a figure last."""
    bits = row.bits_per_byte
    return bits if bits is not None and math.isfinite(bits) else math.inf


def number(value: float | None, pattern: str = ".3f") -> str:
    """A figure in a fixed format."""
    return format(value, pattern) if value is not None and math.isfinite(value) else MISSING


def scaled(value: float | None, unit: str = "") -> str:
    """Three digits and a decimal prefix: 1234567 is "1.23 M", with unit "B" it is "1.23 MB"."""
    if value is None:
        return MISSING
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            digits = max(0, 2 - math.floor(math.log10(value / size * 1.0005)))
            return f"{value / size:.{digits}f}\N{NO-BREAK SPACE}{prefix}{unit}"
    return f"{value:.0f}\N{NO-BREAK SPACE}{unit}".strip()


def in_bytes(value: float | None) -> str:
    """A size on disk or in memory."""
    return scaled(value, "B")


def perplexity(value: float | None) -> str:
    """Two decimals while they can be told apart, powers of ten where nothing else fits."""
    if value is None or value < 100:
        return number(value, ".2f")
    return format(value, ",.0f" if value < 1e6 else ".1e")


def percent(share: float | None) -> str:
    """A part of 1 as "91.2 %"; only 0 and 1 themselves are written as nothing and all."""
    if share is None:
        return MISSING
    if 0 < share < 0.0005 or 0.9995 <= share < 1:
        return "under 0.1\N{NO-BREAK SPACE}%" if share < 0.5 else "over 99.9\N{NO-BREAK SPACE}%"
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def duration(seconds: float | None) -> str:
    """Seconds, minutes or hours, whichever can be read at a glance."""
    if seconds is None or seconds < 120:
        return number(seconds, ".0f") + ("" if seconds is None else " s")
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def marked(name: str, rank: int | None) -> str:
    """A model's name beside a dot of its colour; None: not a model of the table, no dot."""
    dot = "" if rank is None else f'<i class="dot c{rank % NUM_COLOURS}"></i>'
    return f"{dot}{escape(name)}"


def bar(value: float | None, longest: float, rank: int | None) -> str:
    """A bar from zero; None: a baseline's, without colour."""
    share = 100 * value / longest if value and longest else 0
    colour = "" if rank is None else f" c{rank % NUM_COLOURS}"
    return f'<i class="bar{colour}" style="--share:{share:.1f}%"></i>'


def table(head: str, body: str, kind: str = "") -> str:
    """A table that scrolls in a box of its own where it is too wide.

    Args:
        head: Cells of the head, as HTML.
        body: Rows, as HTML.
        kind: Its class in page.css.
    """
    named = f' class="{kind}"' if kind else ""
    return (
        f"<div class=scroll tabindex=0><table{named}><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def columns(headings: Iterable[str], barred: str = "") -> str:
    """The cells of a table's head; the column `barred` has bars."""
    return "".join(
        f"<th scope=col{' class=bits' if name == barred else ''}>{escape(name)}</th>"
        for name in headings
    )


def quotation(text: str) -> str:
    """Text as it stands in a file, with line ends and in its own direction."""
    return f'<pre dir=auto lang="{language(text)}">{escape(text)}</pre>'


def language(text: str) -> str:
    """The language tag that picks the right glyphs of Han characters; empty means unknown."""
    if any("\u3040" <= letter <= "\u30ff" for letter in text):
        return "ja"
    return "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else ""


def definitions(rows: Mapping[str, Any]) -> str:
    """Names and values, one pair a line."""
    pairs = (f"<dt>{escape(str(key))}</dt><dd>{_value(value)}</dd>" for key, value in rows.items())
    return f"<dl>{''.join(pairs)}</dl>"


def _value(value: Any) -> str:
    if value is None:
        return MISSING
    return f"{value:,}" if type(value) is int else escape(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(part) for part in value)
    return str(value)


def section(heading: str, lead: str, body: str) -> str:
    """A part of the page; nothing where there is nothing to show."""
    return f"<section><h2>{heading}</h2><p class=lead>{lead}</p>{body}</section>" if body else ""
