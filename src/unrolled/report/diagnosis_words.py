"""What a diagnosis says, in English and Chinese: the page and the command line share it."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any, Literal, NamedTuple, TypeAlias

from ..results.diagnosis import Cure, Diagnosis, Tried, Verdict, WordFlow
from ..settings.kinds import KINDS
from ..settings.models import MAX_ORDER
from .diagnosis_phrases import CONDITIONS, NAMES, PHRASES, REMEDIES

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

NUM_WINNERS = 3
"""Remedies that are named as next steps."""


class Step(NamedTuple):
    """What to do next, and the flags of `unrolled train` that do it (or another command)."""

    sentence: str
    command: str


def say(key: str, language: Language, **values: object) -> str:
    """One sentence or label of PHRASES with its values in it."""
    return PHRASES[key][LANGUAGES.index(language)].format_map(values)


def marked_up(key: str, language: Language, **values: object) -> str:
    """The same as HTML; no line breaks before a percent sign."""
    return escape(unbroken(say(key, language, **values)))


def unbroken(sentence: str) -> str:
    """Keeps figures and their percent signs on one line."""
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")


def verdict_sentence(verdict: Verdict, model: str, language: Language) -> str:
    """Says in one sentence what was found, with its figures.

    Args:
        model: Its kind: "rnn", "lstm", "ngram", ...
    """
    horizon, growth, arrives = verdict.horizon, verdict.growth, verdict.arrives
    if verdict.kind == "no gradient":
        kind = model if model in ("ngram", "transformer") else "other"
        return say(f"no gradient: {kind}", language)
    if verdict.kind == "vanishing":
        if horizon is None:
            return say("vanishing", language)
        return say("vanishing: after", language, steps=steps(horizon, language))
    if verdict.kind == "exploding":
        if growth is None or not math.isfinite(growth) or verdict.layer is None:
            return say("exploding", language)
        layer, times = verdict.layer, multiple(growth)
        return say("exploding: growth", language, layer=layer, times=times)
    if arrives is not None:
        return say("arrives", language, share=part_of_whole(arrives, language))
    key = "healthy: always" if horizon is None else "healthy: after"
    said = say(key, language, steps=steps(horizon or 0, language))
    if verdict.half_life is None:
        return said + say("healthy: half left", language)
    return said + say("healthy: half-life", language, steps=steps(verdict.half_life, language))


def next_steps(diagnosis: Diagnosis, language: Language) -> list[Step]:
    """What to do about it, most promising first: what a trial won; without one, what is known."""
    kind = diagnosis.verdict.kind
    if diagnosis.cure:
        return _tried(diagnosis.cure, language)
    if words := diagnosis.words:
        advice = _for_classifiers(words) if kind == "vanishing" else []
        return [Step(say(key, language), flags) for key, flags in advice]
    advice = _advice(kind, diagnosis.model, diagnosis.conditions)
    found = [Step(say(key, language), flags) for key, flags in advice]
    if kind != "no gradient":
        command = "unrolled diagnose RUN --out DIR --cure 10m"
        found.append(Step(say("step: cure", language), command))
    return found


def _tried(cure: Cure, language: Language) -> list[Step]:
    found = []
    for tried in winners(cure)[:NUM_WINNERS]:
        name, gain = remedy_name(tried.name, language), f"{tried.gain:.3f}"
        key = "step: also" if found else "step: best"
        found.append(Step(say(key, language, name=name, gain=gain), tried.flags))
    return found or [Step(say("step: none won", language), "")]


def winners(cure: Cure) -> list[Tried]:
    """Remedies that won something, the best first."""
    won = [tried for tried in cure.tried if (tried.gain or 0) > 0]
    return sorted(won, key=lambda tried: -(tried.gain or 0))


def _for_classifiers(words: WordFlow) -> list[tuple[str, str]]:
    """Keys of PHRASES with flags of `unrolled classify train`."""
    padding = [("step: no padding", "")] if words.padded_to else []
    directions = ("step: directions", "--bidirectional")
    return [*padding, ("step: pooling", "--pooling all"), directions]


def _advice(kind: str, model: str, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys of PHRASES with flags of `unrolled train`, beyond the settings that the run has."""
    attention = ("step: attention", "--attention 64")
    gated = ("step: gated", "--model lstm")
    if kind == "vanishing":
        if KINDS[model].gated:
            chrono = ("step: chrono", "--gate-init chrono --max-timescale 200")
            bias = 1 + (settings.get("forget_bias") or 1)
            return [("step: forget bias", f"--forget-bias {bias:g}"), chrono, attention]
        return [gated, attention]
    if kind == "exploding":
        calm = [
            ("step: clip", f"--clip-norm {settings['clip_norm'] / 2:.2g}"),
            ("step: slower", f"--learning-rate {settings['learning_rate'] / 3:.1g}"),
        ]
        if settings.get("recurrent_init") == "identity":
            calm.append(("step: orthogonal", "--recurrent-init orthogonal"))
        return calm if KINDS[model].gated else [*calm, gated]
    if kind == "healthy":
        pieces = f"--sequence-length {2 * settings['sequence_length']}"
        return [("step: capacity", "--size large"), ("step: pieces", pieces)]
    order = settings.get("order", 5)
    if model == "ngram" and order < MAX_ORDER:
        return [("step: order", f"--order {order + 1}")]
    return [("step: context", "")] if model == "transformer" else []


def remedy_name(name: str, language: Language) -> str:
    """A remedy's name in the language; one that is not in REMEDIES keeps its own."""
    if language == "zh" and name.lower() in KINDS:
        return f"换成 {name}"
    return REMEDIES.get(name.lower(), name) if language == "zh" else name


def name_of(name: str, language: Language) -> str:
    """What a gate, a matrix or a disturbance is called."""
    return NAMES[name][LANGUAGES.index(language)] if name in NAMES else name


def condition_name(name: str, language: Language) -> str:
    """What a condition of the measurement is called."""
    plain = name.replace("_", " ")
    return CONDITIONS.get(plain.lower(), plain) if language == "zh" else plain


def steps(count: float, language: Language) -> str:
    """A number of steps through time: "1 step", "9 steps", "2.5 steps"."""
    figure = compact(count)
    return say("a step" if figure == "1" else "so many steps", language, count=figure)


def compact(value: float) -> str:
    """Two digits where there are fewer, and whole numbers as such: 0.42, 2.0, 2, 13, 1,204."""
    if value != 0 and abs(value) < 0.995:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 9.95 or value == int(value) else f"{value:.1f}"


def multiple(growth: float) -> str:
    """How many times as large: 12, 1,200, 3.1×10⁸."""
    return f"{float(f'{growth:.2g}'):,.0f}" if growth < 1e6 else power(growth)


def part_of_whole(share: float | None, language: Language) -> str:
    """A part of 1 however small: "12 %", "0.31 %", "3.1×10⁻⁸"."""
    if share is None:
        return "–"
    if 0 < share < 0.0001:
        return power(share)
    return say("percent", language, figure=f"{float(f'{100 * share:.2g}'):g}")


def power(value: float) -> str:
    """Two digits and a power of ten."""
    digits, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}×10{raised}"
