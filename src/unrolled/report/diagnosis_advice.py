"""What a diagnosis comes to in words: the verdict, and what to do next."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..results.diagnosis import Cure, Diagnosis, Tried, Verdict, WordFlow
from ..settings.kinds import KINDS
from ..settings.models import MAX_ORDER
from .format import MISSING, compact, is_known, power
from .words import Words

NUM_WINNERS = 3
"""Remedies that are named as next steps."""


class Step(NamedTuple):
    """What to do next, and the flags of `unrolled train` that do it (or another command)."""

    sentence: str
    """HTML, as `Words.html` gives it."""
    command: str


def verdict_sentence(verdict: Verdict, model: str, words: Words) -> str:
    """Says in one sentence what was found, with its figures.

    Args:
        model: Its kind: "rnn", "lstm", "ngram", ...
    """
    if verdict.kind == "no gradient":
        return words(f"no gradient: {model if model in ('ngram', 'transformer') else 'other'}")
    if verdict.kind == "exploding":
        if not is_known(verdict.growth) or verdict.layer is None:
            return words("exploding")
        return words("exploding: growth", layer=verdict.layer, times=multiple(verdict.growth))
    horizon = verdict.horizon
    if verdict.kind == "vanishing":
        if horizon is None:
            return words("vanishing")
        return words("vanishing: after", steps=_steps(horizon, words))
    if is_known(verdict.arrives):
        return words("arrives", share=share(verdict.arrives, words))
    key = "healthy: always" if horizon is None else "healthy: after"
    said = words(key, steps=_steps(horizon or 0, words))
    if not is_known(verdict.half_life):
        return said + words("healthy: half left")
    return said + words("healthy: half-life", steps=_steps(verdict.half_life, words))


def _steps(count: float, words: Words) -> str:
    """A number of steps through time: "1 step", "9 steps", "2.5 steps"."""
    figure = compact(count)
    return words("a step" if figure == "1" else "so many steps", count=figure)


def multiple(growth: float) -> str:
    """How many times as large: 12, 1,200, 3.1×10⁸."""
    return f"{float(f'{growth:.2g}'):,.0f}" if growth < 1e6 else power(growth)


def share(part: float | None, words: Words) -> str:
    """A part of 1 however small: "12 %", "0.31 %", "3.1×10⁻⁸"."""
    if not is_known(part):
        return MISSING
    if 0 < part < 0.0001:
        return power(part)
    return words("percent", figure=f"{float(f'{100 * part:.2g}'):g}")


def next_steps(diagnosis: Diagnosis, words: Words) -> list[Step]:
    """What to do about it, most promising first: what a trial won; without one, what is known."""
    kind = diagnosis.verdict.kind
    if diagnosis.cure:
        return _tried(diagnosis.cure, words)
    if diagnosis.words:
        advice = _for_classifiers(diagnosis.words) if kind == "vanishing" else []
    else:
        advice = _for_language_models(kind, diagnosis.model, diagnosis.conditions)
        if kind != "no gradient":
            advice.append(("step: cure", "unrolled diagnose RUN --out DIR --cure 10m"))
    return [Step(words.html(key), command) for key, command in advice]


def _tried(cure: Cure, words: Words) -> list[Step]:
    steps = []
    for tried in winners(cure)[:NUM_WINNERS]:
        values = {"name": remedy_name(tried.name, words), "gain": f"{tried.gain:.3f}"}
        key = "step: also" if steps else "step: best"
        steps.append(Step(words.html(key, **values), tried.flags))
    return steps or [Step(words.html("step: none won"), "")]


def winners(cure: Cure) -> list[Tried]:
    """Remedies that won something, the best first."""
    gains = [(tried.gain, tried) for tried in cure.tried if is_known(tried.gain)]
    gains.sort(key=lambda pair: -pair[0])
    return [tried for gain, tried in gains if gain > 0]


def remedy_name(name: str, words: Words) -> str:
    """A remedy's name in the language; an unknown one keeps its own."""
    if name.lower() in KINDS:
        return words("another kind", name=name)
    key = f"remedy {name.lower()}"
    return words(key) if key in words else name


def _for_classifiers(flow: WordFlow) -> list[tuple[str, str]]:
    """Keys of phrases with flags of `unrolled classify train`."""
    padding = [("step: no padding", "")] if flow.padded_to else []
    directions = ("step: directions", "--bidirectional")
    return [*padding, ("step: pooling", "--pooling all"), directions]


def _for_language_models(
    kind: str, model: str, settings: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Keys of phrases with flags of `unrolled train`, beyond the settings that the run has."""
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
