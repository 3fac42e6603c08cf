"""Figures as text, the same on every page and in the terminal; what is missing is a dash."""

import math
from typing import Any, TypeGuard

from ..results.summary import MISSING
from .words import Language

SPACE = "\N{NO-BREAK SPACE}"
_DURATIONS = {"en": (" s", " min", " h"), "zh": (" 秒", " 分钟", " 小时")}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def is_known(value: float | None) -> TypeGuard[float]:
    """Whether there is a finite figure."""
    return value is not None and math.isfinite(value)


def rank_key(row: Any) -> float:
    """Sorts models and baselines: fewest bits per byte first, those without a figure last."""
    bits = row.bits_per_byte
    return bits if is_known(bits) else math.inf


def rank_order(model: Any) -> tuple[bool, float]:
    """Sorts compared models: those in doubt last, whatever they reached."""
    return model.doubt is not None, rank_key(model)


def number(value: float | None, pattern: str = ".3f") -> str:
    """A figure in a fixed format."""
    return format(value, pattern) if is_known(value) else MISSING


def signed(value: float | None, pattern: str = "+.3f") -> str:
    """A figure with its sign, the minus as long as the plus."""
    return number(value, pattern).replace("-", "\N{MINUS SIGN}")


def scaled(value: float | None, unit: str = "") -> str:
    """Three digits and a decimal prefix: 1234567 is "1.23 M", with unit "B" it is "1.23 MB"."""
    if not is_known(value):
        return MISSING
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            digits = max(0, 2 - math.floor(math.log10(value / size * 1.0005)))
            return f"{value / size:.{digits}f}{SPACE}{prefix}{unit}"
    return f"{value:.0f}{SPACE}{unit}".strip()


def in_bytes(value: float | None) -> str:
    """A size on disk or in memory."""
    return scaled(value, "B")


def perplexity(value: float | None) -> str:
    """Two decimals while they can be distinguished, powers of ten where nothing else fits."""
    if not is_known(value) or value < 100:
        return number(value, ".2f")
    return format(value, ",.0f" if value < 1e6 else ".1e")


def percent(share: float | None, language: Language = "en") -> str:
    """A part of 1 as "91.2 %"; only 0 and 1 themselves are written as nothing and all."""
    if not is_known(share):
        return MISSING
    space = SPACE if language == "en" else ""
    if 0 < share < 0.0005:
        return f"under 0.1{space}%" if language == "en" else "不到 0.1%"
    if 0.9995 <= share < 1:
        return f"over 99.9{space}%" if language == "en" else "超过 99.9%"
    return f"{100 * share:.1f}{space}%"


def duration(seconds: float | None, language: Language = "en") -> str:
    """Seconds, minutes or hours, whichever can be read at a glance."""
    if not is_known(seconds):
        return MISSING
    second, minute, hour = _DURATIONS[language]
    if seconds < 120:
        return f"{seconds:.0f}{second}"
    return f"{seconds / 60:.1f}{minute}" if seconds < 7200 else f"{seconds / 3600:.1f}{hour}"


def compact(value: float | None) -> str:
    """Two digits where there are fewer, and whole numbers as such: 0.42, 2.0, 2, 13, 1,204."""
    if not is_known(value):
        return MISSING
    if value != 0 and abs(value) < 0.995:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 9.95 or value == int(value) else f"{value:.1f}"


def power(value: float) -> str:
    """Two digits and a power of ten: 3.1×10⁸."""
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits}×10{str(int(exponent)).translate(_RAISED)}"


def script_of(text: str) -> str:
    """The language tag that picks the right glyphs of Han characters; empty means unknown."""
    if any("\u3040" <= letter <= "\u30ff" for letter in text):
        return "ja"
    return "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else ""
