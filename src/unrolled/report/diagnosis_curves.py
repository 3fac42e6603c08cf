"""The charts of a diagnosis: gradient by distance and by word, cost by context."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

from ..results.diagnosis import Flow, Memory, WordFlow
from .diagnosis_words import Language, compact, marked_up, name_of, part_of_whole, say
from .parts import MISSING, NUM_COLOURS, columns, marked, number, section, table
from .uplot_charts import Level, Mark, Series, chart

FLOOR = 1e-6
"""Shares below are outside of the picture."""
WORDS_FLOOR = 1e-15
"""The same where it is the point how little is left."""
PERCENT: tuple[Level, ...] = (
    {"name": "50%", "colour": None, "y": 50.0},
    {"name": "1%", "colour": None, "y": 1.0},
)
KINDS = ("shuffled", "reversed", "replaced")


def _line(
    name: str,
    rank: int,
    points: Iterable[tuple[float, float | None]],
    kind: Literal["line", "faint"] = "line",
) -> Series:
    """A line through the points that have a figure."""
    shown = [(x, y) for x, y in points if y is not None]
    x, y = [x for x, _ in shown], [y for _, y in shown]
    return {"name": name, "colour": rank % NUM_COLOURS, "kind": kind, "x": x, "y": y}


def _percent(
    xs: Sequence[float], shares: Sequence[float | None]
) -> list[tuple[float, float | None]]:
    """Shares above 0 in percent: the logarithmic axis has no place for others."""
    pairs = zip(xs, shares, strict=True)
    return [(x, 100 * share) for x, share in pairs if share is not None and share > 0]


def _shares(heading: str, x: str, lines: Sequence[Series], floor: float = FLOOR) -> str:
    """A chart of shares on a logarithmic axis that always shows 1 %, 50 % and 100 %."""
    if all(len(row["x"]) < 2 for row in lines):
        return ""
    settled = [1.0, 100.0, *(y for row in lines for y in row["y"] if y >= 100 * floor)]
    return chart(heading, x, "linear", lines, settled, PERCENT, y_scale="log")


def decay(flows: Sequence[Flow], language: Language) -> str:
    """Share of the gradient against lag, a line per layer and path, with its figures."""
    lines = []
    for rank, flow in enumerate(flows):
        points = _percent(flow.lags, flow.shares)
        # Nothing is seen of a line after its first point below the picture.
        gone = (place for place, (_, y) in enumerate(points, 1) if (y or 0) < 100 * FLOOR)
        points = points[: next(gone, len(points))]
        lines.append(_line(_name(flow, language), rank, points))
    picture = _shares(say("gradient left", language), say("tokens back", language), lines)
    body = picture + _figures(flows, language) if flows else ""
    return section(say("decay", language), marked_up("decay, how", language), body)


def _name(flow: Flow, language: Language) -> str:
    return say(flow.path, language, layer=flow.layer)


def _figures(flows: Sequence[Flow], language: Language) -> str:
    head = columns(say(key, language) for key in ("layer", "half-life", "horizon", "rate"))
    rows = "".join(
        f"<tr><th scope=row>{marked(_name(flow, language), rank)}</th>"
        f"<td>{reached(flow.half_life, flow.lags[-1] if flow.lags else None)}</td>"
        f"<td>{reached(flow.horizon, flow.lags[-1] if flow.lags else None)}</td>"
        f"<td>{signed(flow.rate)}</td></tr>"
        for rank, flow in enumerate(flows)
    )
    return table(head, rows, "figures")


def reached(lag: float | None, last: float | None) -> str:
    """A lag; where it was not reached, that it is further back than the last one looked at."""
    if lag is not None:
        return compact(lag)
    return MISSING if last is None else f"&gt;\N{NARROW NO-BREAK SPACE}{compact(last)}"


def signed(value: float | None, pattern: str = "+.3f") -> str:
    """A figure with its sign, the minus as long as the plus."""
    return number(value, pattern).replace("-", "\N{MINUS SIGN}")


def words(found: WordFlow | None, language: Language) -> str:
    """Gradient at the word of each position of a classifier's text, padding apart."""
    if not found:
        return ""
    positions, shares, length = found.positions, found.shares, found.length
    start = positions[0] if positions else 0
    pairs = list(zip(positions, shares, strict=True))
    real = [(x, y) for x, y in pairs if x - start < length]
    padded = [(x, y) for x, y in pairs if x - start >= length]
    lines = [
        _line(say(name, language), rank, _percent([x for x, _ in part], [y for _, y in part]))
        for rank, (name, part) in enumerate((("real words", real), ("padding", padded)))
        if part
    ]
    heading = say("share of greatest", language)
    picture = _shares(heading, say("position", language), lines, WORDS_FLOOR)
    first = part_of_whole(real[0][1] if real else None, language)
    values = {"share": first, "length": length, "padded_to": found.padded_to}
    note = f"<p class=note>{marked_up('first word', language, **values)}</p>"
    lead = marked_up("words, how", language)
    return section(say("words", language), lead, picture + note if picture else "")


def memory(models: Sequence[Memory], language: Language) -> str:
    """Cost against context, with the effective length of each model."""
    lines, marks = [], []
    for rank, model in enumerate(models):
        points = [(p.context, p.bits) for p in model.curve if p.context > 0]
        lines.append(_line(model.name, rank, points))
        mark = _mark(model, lines[-1])
        marks += [mark] if mark else []
    settled = [y for row in lines for y in row["y"]]
    picture = ""
    if any(len(row["x"]) > 1 for row in lines):
        axis = say("context", language)
        picture = chart(say("bits per byte", language), axis, "log", lines, settled, marks=marks)
    body = picture + _lengths(models, language) if models else ""
    return section(say("memory", language), marked_up("memory, how", language), body)


def _mark(model: Memory, line: Series) -> Mark | None:
    """The effective length on a model's line."""
    length = model.effective
    if length is None or not line["x"]:
        return None
    length = min(max(length, line["x"][0]), line["x"][-1])
    low, high = model.effective_low, model.effective_high
    low, high = (length if end is None else max(end, line["x"][0]) for end in (low, high))
    y = at(length, line["x"], line["y"])
    return {"colour": line["colour"], "x": length, "y": y, "low": low, "high": high}


def at(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """The value of a line between its points, straight in the logarithm of x."""
    for before, after, low, high in zip(xs, xs[1:], ys, ys[1:], strict=False):
        if before <= x <= after:
            return low + (high - low) * math.log(x / before) / math.log(after / before)
    return ys[-1]


def _lengths(models: Sequence[Memory], language: Language) -> str:
    ends = sorted({point.context for model in models for point in model.curve})
    ends = [ends[0], ends[-1]] if len(ends) > 1 else ends
    names = [say(key, language) for key in ("model", "effective", "interval")]
    names += [say("bits, at", language, context=f"{end:,}") for end in ends]
    rows = ""
    for rank, model in enumerate(models):
        costs = {point.context: point.bits for point in model.curve}
        low, high = (_tokens(end) for end in (model.effective_low, model.effective_high))
        spread = say("range", language, low=low, high=high)
        rows += f"<tr><th scope=row>{marked(model.name, rank)}</th>"
        rows += f"<td>{_tokens(model.effective)}</td><td>{escape(spread)}</td>"
        rows += "".join(f"<td>{number(costs.get(end))}</td>" for end in ends) + "</tr>"
    return table(columns(names), rows, "figures")


def _tokens(length: float | None) -> str:
    return MISSING if length is None else compact(length)


def perturbed(models: Sequence[Memory], language: Language) -> str:
    """What disturbing the far context costs the model; its baselines in the table."""
    rows = [(rank, model) for rank, model in enumerate(models) if model.perturbed]
    if not rows:
        return ""
    known = {row.kind for _, model in rows for row in model.perturbed}
    kinds = [kind for kind in KINDS if kind in known]
    own = rows[0][1].perturbed
    lines = [
        _line(
            name_of(kind, language),
            rank,
            ((row.beyond, row.bits) for row in own if row.kind == kind),
        )
        for rank, kind in enumerate(kinds)
    ]
    lines = [line for line in lines if len(line["x"]) > 1 and line["x"][0] > 0]
    settled = [0.0, *(y for line in lines for y in line["y"])] if lines else []
    heading, axis = say("more bits", language), say("beyond, axis", language)
    picture = chart(heading, axis, "log", lines, settled)
    body = picture + _disturbed(rows, kinds, language)
    return section(say("perturbed", language), marked_up("perturbed, how", language), body)


def _disturbed(rows: Sequence[tuple[int, Memory]], kinds: Sequence[str], language: Language) -> str:
    names = [say("model", language), say("beyond", language)]
    head = columns([*names, *(name_of(kind, language) for kind in kinds)])
    body = ""
    for rank, model in rows:
        found: dict[tuple[int, str], float] = {
            (row.beyond, row.kind): row.bits for row in model.perturbed
        }
        for beyond in sorted({distance for distance, _ in found}):
            body += f"<tr><th scope=row>{marked(model.name, rank)}</th><td>{beyond:,}</td>"
            body += "".join(f"<td>{signed(found.get((beyond, kind)))}</td>" for kind in kinds)
            body += "</tr>"
    return table(head, body, "figures")
