"""The page of a diagnosis: the verdict, what to do, and then the evidence."""

import math
from collections.abc import Iterable, Sequence
from statistics import median

from ..results.diagnosis import Diagnosis, Flow, Gate, GradientLook, Memory, WordFlow
from . import diagnosis_tables as tables
from .charts import Axis, Chart, Interval, Level, Line, Point, line, line_chart
from .diagnosis_tables import next_steps, share, verdict_sentence
from .distributions import Histogram, Shades, Tile, heat_map, histograms, scatter
from .format import SPACE, compact, is_known
from .page import render
from .tables import definitions
from .words import Language, Words

FLOOR = 1e-6
"""Shares below are outside of the picture."""
WORDS_FLOOR = 1e-15
"""The same where it is the point how little is left."""
SHORTEST, LONGEST = 0.25, 2.0**20
"""Range of time scales in the chart, in tokens."""
MOST_LOOKS, MOST_LAGS = 96, 40
"""Of the map of the gradient during training."""
GONE = 0.01
UNITS = (("hours", 7200, 3600), ("minutes", 120, 60), ("seconds", 0, 1))
"""Name, from how many seconds on, and its length."""


def html(diagnosis: Diagnosis, language: Language) -> str:
    """Writes a diagnosis as a page. Parts that are empty, None or left out have no section.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: the page is not written in this language.
    """
    words = Words("diagnosis", language)
    dynamics, memory, flow = diagnosis.dynamics, diagnosis.memory, diagnosis.words
    gates = dynamics.gates if dynamics else []
    sentence = verdict_sentence(diagnosis.verdict, diagnosis.model, words)
    charts = {
        "decay_chart": decay(diagnosis.flows, words),
        "history": history(diagnosis.history, words),
        "words_chart": by_word(flow, words) if flow else None,
        "timescales": timescales(gates, words),
        "saturation": saturation(gates, words),
        "memory_chart": used_context(memory, words),
        "perturbed_chart": perturbed(memory, words),
    }
    return render(
        "diagnosis",
        words,
        has_charts=any(charts.values()),
        title=diagnosis.title,
        verdict=sentence.replace(" %", f"{SPACE}%"),
        steps=next_steps(diagnosis, words),
        first_word=_first_word(flow, words) if flow else {},
        has_states=tables.has_states(gates),
        decay=tables.decay(diagnosis.flows, words),
        gates=tables.gates(gates, words),
        lyapunov=tables.lyapunov(dynamics, words),
        radii=tables.radii(dynamics, words),
        dead=tables.dead(dynamics, words),
        memory=tables.used_context(memory, words),
        perturbed=tables.perturbed(memory, words),
        repeated=tables.repeated(memory, words),
        repetition=next((model.repeated for model in memory if model.repeated), None),
        remedies=tables.remedies(diagnosis, words),
        cure=diagnosis.cure,
        conditions=definitions(
            {words.name(key): value for key, value in diagnosis.conditions.items()}
        ),
        **charts,
    )


def decay(flows: Sequence[Flow], words: Words) -> Chart | None:
    """Share of the gradient against lag, a line per layer and path."""
    lines = []
    for rank, flow in enumerate(flows):
        points = _percent(zip(flow.lags, flow.shares, strict=True))
        # Nothing is seen of a line after its first point below the picture.
        gone = (place for place, (_, y) in enumerate(points, 1) if y < 100 * FLOOR)
        points = points[: next(gone, len(points))]
        lines.append(Line(tables.flow_name(flow, words), rank, points))
    return _shares((words("tokens back"), words("gradient left")), lines, FLOOR)


def _percent(pairs: Iterable[tuple[float, float | None]]) -> list[Point]:
    """Shares above 0 in percent: the logarithmic axis has no place for others."""
    return [(x, 100 * part) for x, part in pairs if is_known(part) and part > 0]


def _shares(names: tuple[str, str], lines: Sequence[Line], floor: float) -> Chart | None:
    """A chart of shares on a logarithmic axis that always shows 1 %, 50 % and 100 %.

    Args:
        names: Of both axes.
    """
    if all(len(row.points) < 2 for row in lines):
        return None
    settled = [1.0, 100.0, *(y for row in lines for _, y in row.points if y >= 100 * floor)]
    axes = Axis(names[0]), Axis(names[1], is_log=True)
    return line_chart(names[1], axes, lines, settled, levels=[Level("50%", 50), Level("1%", 1)])


def by_word(flow: WordFlow, words: Words) -> Chart | None:
    """Gradient at the word of each position of a classifier's text, padding apart."""
    pairs = list(zip(flow.positions, flow.shares, strict=True))
    parts = (("real words", pairs[: flow.length]), ("padding", pairs[flow.length :]))
    lines = [
        Line(words(key), rank, _percent(part)) for rank, (key, part) in enumerate(parts) if part
    ]
    return _shares((words("position"), words("share of greatest")), lines, WORDS_FLOOR)


def _first_word(flow: WordFlow, words: Words) -> dict[str, object]:
    """Values of the note below that chart."""
    first = share(flow.shares[0] if flow.shares else None, words)
    return {"share": first, "length": flow.length, "padded_to": flow.padded_to}


def timescales(gates: Sequence[Gate], words: Words) -> list[Chart]:
    """A histogram of time scales for each layer, all with the same axes."""
    shown = [(gate, [_within(value) for value in gate.timescales]) for gate in gates]
    shown = [(gate, values) for gate, values in shown if values]
    if not shown:
        return []
    every = [value for _, values in shown for value in values]
    first, last = math.floor(math.log2(min(every))), math.floor(math.log2(max(every))) + 1
    edges = [2.0**power for power in range(first, max(last, first + 5) + 1)]
    names = [
        words("in bin", low=compact(low), high=compact(high))
        for low, high in zip(edges, edges[1:], strict=False)
    ]
    rows = []
    for gate, values in shown:
        layer, middle = words("layer n", layer=gate.layer), median(values)
        title = words("median", layer=layer, median=compact(middle))
        rows.append(Histogram(title, gate.layer - 1, histogram(values, edges), names, middle))
    return histograms((Axis(words("timescale"), is_log=True), Axis(words("units"))), edges, rows)


def _within(value: float | None) -> float:
    """A gate that never lets go has no finite time scale."""
    return min(max(value, SHORTEST), LONGEST) if is_known(value) else LONGEST


def histogram(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie from each edge to the next."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        place = sum(edge <= value for edge in edges) - 1
        counts[min(max(place, 0), len(counts) - 1)] += 1
    return counts


def saturation(gates: Sequence[Gate], words: Words) -> list[Chart]:
    """Every unit by how often its gate is open and how often shut, a picture for each layer.

    Source: Karpathy, Johnson & Fei-Fei 2015.
    """
    right, up = tables.gate_ends(gates)
    axes = Axis(words(right)), Axis(words(up))
    ranks = tables.gate_ranks(gates)
    charts = []
    for layer in sorted({gate.layer for gate in gates}):
        groups = [
            Line(tables.part_name(gate.name, words), ranks[gate.name], _units(gate))
            for gate in gates
            if gate.layer == layer
        ]
        charts.append(scatter(words("layer n", layer=layer), axes, groups))
    return charts


def _units(gate: Gate) -> list[Point]:
    """Units in percent of the time; those that coincide are one point."""
    pairs = zip(gate.open, gate.closed, strict=True)
    points = (
        (round(100 * x, 1), round(100 * y, 1)) for x, y in pairs if is_known(x) and is_known(y)
    )
    return list(dict.fromkeys(points))


def used_context(models: Sequence[Memory], words: Words) -> Chart | None:
    """Cost against context, with the effective length of each model."""
    lines = [
        line(
            model.name,
            rank,
            ((point.context, point.bits) for point in model.curve if point.context),
        )
        for rank, model in enumerate(models)
    ]
    if all(len(row.points) < 2 for row in lines):
        return None
    pairs = zip(models, lines, strict=True)
    intervals = [ring for model, row in pairs if (ring := _effective(model, row))]
    heading = words("Bits per byte")
    axes = Axis(words("context"), is_log=True), Axis(heading)
    return line_chart(heading, axes, lines, intervals=intervals)


def _effective(model: Memory, row: Line) -> Interval | None:
    """The effective length on a model's line."""
    if not is_known(model.effective) or not row.points:
        return None
    first, last = row.points[0][0], row.points[-1][0]
    length = min(max(model.effective, first), last)
    low, high = (
        max(end, first) if is_known(end) else length
        for end in (model.effective_low, model.effective_high)
    )
    return Interval(row.name, row.rank, length, at(length, row.points), low, high)


def at(x: float, points: Sequence[Point]) -> float:
    """The value of a line between its points, straight in the logarithm of x."""
    for (before, low), (after, high) in zip(points, points[1:], strict=False):
        if before <= x <= after:
            return low + (high - low) * math.log(x / before) / math.log(after / before)
    return points[-1][1]


def perturbed(models: Sequence[Memory], words: Words) -> Chart | None:
    """What disturbing the far context costs the model; its baselines stand in the table."""
    own = next((model.perturbed for model in models if model.perturbed), [])
    lines = [
        line(
            tables.part_name(kind, words),
            rank,
            ((row.beyond, row.bits) for row in own if row.kind == kind),
        )
        for rank, kind in enumerate(tables.disturbances(models))
    ]
    lines = [row for row in lines if len(row.points) > 1 and row.points[0][0] > 0]
    settled = [0.0, *(y for row in lines for _, y in row.points)]
    heading = words("more bits")
    axes = Axis(words("beyond, axis"), is_log=True), Axis(heading)
    return line_chart(heading, axes, lines, settled)


def history(looks: Sequence[GradientLook], words: Words) -> Chart | None:
    """Share of the gradient by training time and lag; None for fewer than two looks."""
    stride = max(1, math.ceil(len(looks) / MOST_LOOKS))
    thinned = looks[::-1][::stride][::-1]  # the last look is always in the picture
    columns = [(look.seconds, _lags(look)) for look in thinned]
    columns = [(seconds, rows) for seconds, rows in columns if len(rows) > 1]
    if len(columns) < 2 or columns[-1][0] <= columns[0][0]:
        return None
    unit, _, length = next(row for row in UNITS if columns[-1][0] >= row[1])
    columns = [(seconds / length, rows) for seconds, rows in columns]
    tiles = _tiles(columns)
    shades = [
        (Shades(words("gradient left"), "heatmap", (0.01, 100), (0.01, 1, 100)), False),
        (Shades(words("gradient grown"), "ramp", (0.1, 1e5), (100, 1e5)), True),
    ]
    sorts = [(shade, [tile for tile in tiles if _grew(tile) == grew]) for shade, grew in shades]
    axes = Axis(words(unit)), Axis(words("tokens back"), is_log=True)
    return heat_map(words("history of lags"), axes, sorts, _horizon(columns))


def _grew(tile: Tile) -> bool:
    """Whether there is more than at the start, by more than rounding."""
    return tile.value > 105


def _lags(look: GradientLook) -> list[Point]:
    """Lags about evenly spaced on a logarithmic axis, with the share of each."""
    known: list[Point] = [
        (lag, part) for lag, part in zip(look.lags, look.shares, strict=True)
        if lag > 0 and is_known(part)
    ]  # fmt: skip
    if not known:
        return []
    ratio = (known[-1][0] / known[0][0]) ** (1 / MOST_LAGS)
    rows = known[:1]
    for lag, part in known[1:]:
        if lag >= rows[-1][0] * ratio or lag == known[-1][0]:
            rows.append((lag, part))
    return rows


def _tiles(columns: Sequence[tuple[float, Sequence[Point]]]) -> list[Tile]:
    """A tile of percent for each look and lag, reaching halfway to its neighbours."""
    times = _between([time for time, _ in columns])
    every = [lag for _, rows in columns for lag, _ in rows]
    low, high = min(every) / math.sqrt(2), max(every) * 1.1
    tiles = []
    for (time, rows), left, right in zip(columns, times, times[1:], strict=False):
        edges = [math.exp(edge) for edge in _between([math.log(lag) for lag, _ in rows])]
        edges = [min(max(edge, low), high) for edge in edges]
        for (lag, part), bottom, top in zip(rows, edges, edges[1:], strict=False):
            tiles.append(Tile(time, lag, (max(left, 0), right), (bottom, top), 100 * part))
    return tiles


def _between(values: Sequence[float]) -> list[float]:
    """Edges around values: halfway to their neighbours."""
    inner = [(a + b) / 2 for a, b in zip(values, values[1:], strict=False)]
    return [2 * values[0] - inner[0], *inner, 2 * values[-1] - inner[-1]]


def _horizon(columns: Sequence[tuple[float, Sequence[Point]]]) -> list[list[Point]]:
    """Lines along the lags at which 1 % is left, broken off where more is left at every lag."""
    lines: list[list[Point]] = [[]]
    for time, rows in columns:
        lag = crossing(rows, GONE)
        if lag is not None:
            lines[-1].append((time, lag))
        elif lines[-1]:
            lines.append([])
    return lines


def crossing(rows: Sequence[Point], part: float) -> float | None:
    """The lag at which so much is left, interpolated in logarithms; None: more at every lag."""
    before = None
    for lag, left in rows:
        if left < part:
            if before is None or left <= 0:
                return float(lag)
            way = math.log(before[1] / part) / math.log(before[1] / left)
            return before[0] * (lag / before[0]) ** way
        before = lag, left
    return None
