"""The verdict of a diagnosis, what to do next, and its tables; None where nothing is to show."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..results.diagnosis import (
    Cure,
    Diagnosis,
    Dynamics,
    Flow,
    Gate,
    Memory,
    Tried,
    Verdict,
    WordFlow,
)
from ..results.interval import Interval
from ..settings.kinds import KINDS
from ..settings.models import MAX_ORDER
from .format import MISSING, compact, is_known, number, power, scaled, signed
from .tables import Cell, Row, Table, barred, cells
from .words import Words

DISTURBANCES = ("shuffled", "reversed", "replaced")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
BEYOND = ">\N{NARROW NO-BREAK SPACE}"


def _table(
    headings: Sequence[str], rows: Sequence[Row], bars: Sequence[str] = (), kind: str = "figures"
) -> Table | None:
    return Table(headings, rows, kind, bars) if rows else None


def part_name(name: str, words: Words) -> str:
    """What a gate, a matrix or a disturbance is called."""
    key = f"part {name}"
    return words(key) if key in words else name


def flow_name(flow: Flow, words: Words) -> str:
    """A layer and its path."""
    return words(f"path {flow.path}", layer=flow.layer)


def decay(flows: Sequence[Flow], words: Words) -> Table | None:
    """How far back the gradient reaches."""
    rows = []
    for rank, flow in enumerate(flows):
        last = flow.lags[-1] if flow.lags else None
        pairs = (
            (flow.half_life, flow.half_life_interval),
            (flow.horizon, flow.horizon_interval),
        )
        lags = [Cell(reached(lag, last), reached_range(ends, last, words)) for lag, ends in pairs]
        rows.append(Row(flow_name(flow, words), [*lags, Cell(signed(flow.rate))], rank))
    return _table([words(key) for key in ("layer", "half-life", "horizon", "rate")], rows)


def reached(lag: float | None, last: float | None) -> str:
    """A lag; where it was not reached, that it is further back than the last one looked at."""
    if is_known(lag):
        return compact(lag)
    return MISSING if last is None else BEYOND + compact(last)


def reached_range(interval: Interval | None, last: float | None, words: Words) -> str:
    """The interval of a lag; empty where there is none, or where all of it is further back."""
    if interval is None or not is_known(interval.low):
        return ""
    return words("range", low=compact(interval.low), high=reached(interval.high, last))


def has_states(gates: Sequence[Gate]) -> bool:
    """Whether the network has no gates: what saturates are its states."""
    return all(gate.name == "state" for gate in gates)


def gate_ends(gates: Sequence[Gate]) -> tuple[str, str]:
    """Keys of what `open` and `closed` of a gate are called."""
    return ("top", "bottom") if has_states(gates) else ("open", "closed")


def gate_ranks(gates: Iterable[Gate]) -> dict[str, int]:
    """Colours by the name of a gate."""
    return {name: rank for rank, name in enumerate(dict.fromkeys(gate.name for gate in gates))}


def gates(gates: Sequence[Gate], words: Words) -> Table | None:
    """The means behind the pictures of saturation, and the colours of the gates."""
    ranks = gate_ranks(gates)
    rows = [
        Row(
            part_name(gate.name, words),
            cells(
                [gate.layer, number(gate.mean), _mean(gate.open, words), _mean(gate.closed, words)]
            ),
            ranks[gate.name],
        )
        for gate in gates
    ]
    first = "signal" if has_states(gates) else "gate"
    return _table([words(key) for key in (first, "layer", "mean", *gate_ends(gates))], rows)


def _mean(shares: Sequence[float], words: Words) -> str:
    known = [value for value in shares if is_known(value)]
    return share(sum(known) / len(known) if known else None, words)


def lyapunov(dynamics: Dynamics | None, words: Words) -> Table | None:
    """The leading exponents, and how soon a disturbance dies out at that pace."""
    exponents = list(filter(is_known, dynamics.exponents)) if dynamics else []
    longest = max(map(abs, exponents), default=0.0)
    rows = []
    for place, value in enumerate(exponents, 1):
        pace = barred(value, longest, signed(value), int(value > 0))
        end = Cell(compact(-1 / value) if value < 0 else words("grows"))
        rows.append(Row(f"λ{str(place).translate(SUBSCRIPTS)}", [pace, end]))
    bars = [words("exponent")]
    return _table([words("number"), *bars, words("dies out")], rows, bars)


def radii(dynamics: Dynamics | None, words: Words) -> Table | None:
    """Spectral radius of each recurrent matrix."""
    found = dynamics.radii if dynamics else []
    longest = max((row.radius for row in found if is_known(row.radius)), default=0.0)
    rows = []
    for row in found:
        colour = int(is_known(row.radius) and row.radius > 1)
        radius = barred(row.radius, longest, number(row.radius), colour)
        rows.append(Row(part_name(row.matrix, words), [Cell(str(row.layer)), radius]))
    bars = [words("radius")]
    return _table([words("matrix"), words("layer"), *bars], rows, bars)


def dead(dynamics: Dynamics | None, words: Words) -> str:
    """Layers with their part of dead units."""
    parts = dynamics.dead if dynamics else []
    return ", ".join(
        words("dead layer", layer=layer, share=share(part, words))
        for layer, part in enumerate(parts, 1)
    )


def used_context(models: Sequence[Memory], words: Words) -> Table | None:
    """The context that each model uses, and what it costs with the least and the most."""
    ends = sorted({point.context for model in models for point in model.curve})
    ends = [ends[0], ends[-1]] if len(ends) > 1 else ends
    headings = [words(key) for key in ("model", "effective", "interval")]
    headings += [words("bits, at", context=f"{end:,}") for end in ends]
    rows = []
    for rank, model in enumerate(models):
        costs = {point.context: point.bits for point in model.curve}
        low, high = compact(model.effective_low), compact(model.effective_high)
        figures = [compact(model.effective), words("range", low=low, high=high)]
        figures += [number(costs.get(end)) for end in ends]
        rows.append(Row(model.name, cells(figures), rank))
    return _table(headings, rows)


def disturbances(models: Iterable[Memory]) -> list[str]:
    """Kinds of disturbance that were measured."""
    known = {row.kind for model in models for row in model.perturbed}
    return [kind for kind in DISTURBANCES if kind in known]


def perturbed(models: Sequence[Memory], words: Words) -> Table | None:
    """What disturbing the context beyond so many tokens costs."""
    kinds = disturbances(models)
    rows = []
    for rank, model in enumerate(models):
        costs: dict[tuple[int, str], float] = {
            (row.beyond, row.kind): row.bits for row in model.perturbed
        }
        for beyond in sorted({beyond for beyond, _ in costs}):
            figures = [signed(costs.get((beyond, kind))) for kind in kinds]
            rows.append(Row(model.name, cells([f"{beyond:,}", *figures]), rank))
    headings = [words("model"), words("beyond"), *(part_name(kind, words) for kind in kinds)]
    return _table(headings, rows)


def repeated(models: Sequence[Memory], words: Words) -> Table | None:
    """Cost of tokens that complete a run seen before, and of the others."""
    shown = [
        (rank, model.name, row) for rank, model in enumerate(models) if (row := model.repeated)
    ]
    costs = [bits for _, _, row in shown for bits in (row.repeated_bits, row.new_bits)]
    longest = max(filter(is_known, costs), default=0.0)
    rows = []
    for rank, name, row in shown:
        both = (row.repeated_bits, row.new_bits)
        bits = [barred(value, longest, number(value), rank) for value in both]
        saved = number(row.new_bits - row.repeated_bits)
        rows.append(Row(name, [*bits, Cell(saved)], rank))
    bars = [words("repeated bits"), words("new bits")]
    return _table([words("model"), *bars, words("saved")], rows, bars)


def remedies(diagnosis: Diagnosis, words: Words) -> Table | None:
    """What each remedy changed, beside the unchanged model."""
    if not (cure := diagnosis.cure):
        return None
    last = max((flow.lags[-1] for flow in diagnosis.flows if flow.lags), default=None)
    longest = max((abs(row.gain) for row in cure.tried if is_known(row.gain)), default=0.0)
    best = winners(cure)[:1]
    rows = [Row(words("unchanged"), _remedy(cure.unchanged, 0.0, last, words), kind="baseline")]
    for row in cure.tried:
        figures = _remedy(row, longest, last, words)
        kind = "best" if row in best else ""
        rows.append(Row(remedy_name(row.name, words), figures, small=row.source, kind=kind))
    keys = ("bits per byte", "half-life", "horizon", "memory used", "speed", "flags")
    headings = [words("remedy"), words("gain"), *(words(key) for key in keys)]
    return _table(headings, rows, [words("gain")], "remedies")


def _remedy(row: Tried, longest: float, last: float | None, words: Words) -> list[Cell]:
    """One line of the table.

    Args:
        longest: Gain or loss with the longest bar.
        last: The last lag that was looked at.
    """
    diverged = not is_known(row.bits_per_byte)
    # A Transformer has no gradient through time, so nothing lies beyond the last lag.
    last = None if diverged or "transformer" in row.flags else last
    gain = Cell(words("diverged") if diverged else MISSING)
    if is_known(row.gain):
        gain = barred(row.gain, longest, signed(row.gain), int(row.gain <= 0))
    figures = (
        number(row.bits_per_byte),
        reached(row.half_life, last),
        reached(row.horizon, last),
        compact(row.effective),
        scaled(row.tokens_per_second),
    )
    return [gain, *cells(figures), Cell(row.flags, is_code=True)]


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
