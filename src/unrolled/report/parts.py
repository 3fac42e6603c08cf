"""Small pieces of the page: numbers with their units, names with their colours, sections."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

NUM_COLOURS = 8
"""Of page.css: `c0` and so on."""

MISSING = "–"


def rank_key(row: Mapping[str, Any]) -> float:
    """Sorts models and baselines: fewest bits per byte first, those without a figure last."""
    bits = row["bits_per_byte"]
    return math.inf if bits is None else bits


def number(value: float | None, pattern: str = ".3f") -> str:
    """A figure in a fixed format."""
    return MISSING if value is None else format(value, pattern)


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


def duration(seconds: float | None) -> str:
    """Seconds, minutes or hours, whichever can be read at a glance."""
    if seconds is None or seconds < 120:
        return number(seconds, ".0f") + ("" if seconds is None else " s")
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def marked(name: str, rank: int | None) -> str:
    """A model's name beside a dot of its colour; None: not a model of the table, no dot."""
    dot = "" if rank is None else f'<i class="dot c{rank % NUM_COLOURS}"></i>'
    return f"{dot}{escape(name)}"


def definitions(rows: Mapping[str, Any]) -> str:
    """Names and values, one pair a line."""
    pairs = (f"<dt>{escape(str(key))}</dt><dd>{_value(value)}</dd>" for key, value in rows.items())
    return f"<dl>{''.join(pairs)}</dl>"


def _value(value: Any) -> str:
    if value is None:
        return MISSING
    return f"{value:,}" if type(value) is int else escape(str(value))


def section(heading: str, lead: str, body: str) -> str:
    """A part of the page; nothing where there is nothing to show."""
    return f"<section><h2>{heading}</h2><p class=lead>{lead}</p>{body}</section>" if body else ""
