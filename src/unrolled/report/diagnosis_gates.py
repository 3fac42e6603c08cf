"""Gates of each layer: how long units remember, and which are stuck open or shut.

Source of the second picture: Karpathy, Johnson & Fei-Fei 2015.
"""

import math
from collections.abc import Sequence
from html import escape
from statistics import median

from ..results.diagnosis import Gate
from .diagnosis_words import Language, compact, marked_up, name_of, part_of_whole, say
from .drawing import Axis, bars, frame, svg
from .parts import NUM_COLOURS, columns, marked, number, section, table

WIDTH, HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 390, 28, 200
SHORTEST, LONGEST = 0.25, 2.0**20
"""Time scales that the picture tells apart, in tokens."""
SIDE = 300
"""Of the square of the scatter."""


def timescales(gates: Sequence[Gate], language: Language) -> str:
    """A histogram of time scales for each layer, all with the same axes."""
    shown = [(gate, [_within(value) for value in gate.timescales]) for gate in gates]
    shown = [(gate, values) for gate, values in shown if values]
    if not shown:
        return ""
    every = [value for _, values in shown for value in values]
    first, last = math.floor(math.log2(min(every))), math.floor(math.log2(max(every))) + 1
    edges = [2.0**power for power in range(first, max(last, first + 5) + 1)]
    counts = [histogram(values, edges) for _, values in shown]
    x = Axis(edges[0], edges[-1], LEFT, RIGHT, log=True)
    y = Axis(0, max(max(row) for row in counts) * 1.05, BOTTOM, TOP)
    pictures = "".join(
        _histogram(gate, values, (x, y), edges, row, language)
        for (gate, values), row in zip(shown, counts, strict=True)
    )
    lead = marked_up("timescales, how", language)
    return section(say("timescales", language), lead, f"<div class=multiples>{pictures}</div>")


def _within(value: float | None) -> float:
    """A gate that never lets go has no finite time scale."""
    return LONGEST if value is None else min(max(value, SHORTEST), LONGEST)


def histogram(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie from each edge to the next."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        place = sum(edge <= value for edge in edges) - 1
        counts[min(max(place, 0), len(counts) - 1)] += 1
    return counts


def _histogram(
    gate: Gate,
    values: Sequence[float],
    axes: tuple[Axis, Axis],
    edges: Sequence[float],
    counts: Sequence[int],
    language: Language,
) -> str:
    layer = say("layer n", language, layer=gate.layer)
    caption = say("median", language, layer=layer, median=compact(median(values)))
    said = (
        say("in bin", language, low=compact(low), high=compact(high), count=count)
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    )
    x, y = axes
    names = say("timescale", language), say("units", language)
    middle = x.place(median(values))
    body = frame(x, y, *names) + bars(x, y, edges, counts, said)
    body += f'<path class=level d="M{middle} {BOTTOM}V{TOP}"/>'
    colour = f'"plot c{(gate.layer - 1) % NUM_COLOURS}"'
    return _figure(caption, svg(WIDTH, HEIGHT, caption, body, colour))


def _figure(caption: str, picture: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{picture}</figure>"


def saturation(gates: Sequence[Gate], language: Language) -> str:
    """Every unit of every gate by how often it is open and how often shut, and their means."""
    if not gates:
        return ""
    states = all(gate.name == "state" for gate in gates)
    names = list(dict.fromkeys(gate.name for gate in gates))
    pictures = "".join(
        _scatter([gate for gate in gates if gate.layer == layer], names, states, language)
        for layer in sorted({gate.layer for gate in gates})
    )
    key = "saturation of states" if states else "saturation"
    body = f"<div class=multiples>{pictures}</div>" + _means(gates, names, states, language)
    return section(say(key, language), marked_up(f"{key}, how", language), body)


def _scatter(gates: Sequence[Gate], names: Sequence[str], states: bool, language: Language) -> str:
    """Units of one layer; a colour for each gate."""
    x = Axis(0, 100, LEFT, LEFT + SIDE)
    y = Axis(0, 100, TOP + SIDE, TOP)
    labels = ("top", "bottom") if states else ("open", "closed")
    diagonal = f"M{x.place(0)} {y.place(100)}L{x.place(100)} {y.place(0)}"
    body = frame(x, y, *(say(label, language) for label in labels))
    body += f'<path class=diagonal d="{diagonal}"/>'
    for gate in gates:
        points = dict.fromkeys(
            f"M{x.place(100 * right)} {y.place(100 * left)}h0"
            for right, left in zip(gate.open, gate.closed, strict=True)
            if right is not None and left is not None
        )
        colour = names.index(gate.name) % NUM_COLOURS
        body += f'<path class="units c{colour}" d="{"".join(points)}"/>'
    layer = gates[0].layer
    caption = say("layer n", language, layer=layer)
    return _figure(caption, svg(WIDTH, SIDE + 80, caption, body))


def _means(gates: Sequence[Gate], names: Sequence[str], states: bool, language: Language) -> str:
    """The figures behind the picture, and the colours of the gates."""
    labels = ("top", "bottom") if states else ("open", "closed")
    first = "signal" if states else "gate"
    head = columns(say(key, language) for key in (first, "layer", "mean", *labels))
    rows = "".join(
        f"<tr><th scope=row>{marked(name_of(gate.name, language), names.index(gate.name))}"
        f"</th><td>{gate.layer}</td><td>{number(gate.mean)}</td>"
        f"<td>{_mean(gate.open, language)}</td><td>{_mean(gate.closed, language)}</td></tr>"
        for gate in gates
    )
    return table(head, rows, "figures")


def _mean(shares: Sequence[float], language: Language) -> str:
    known = [share for share in shares if share is not None]
    return part_of_whole(sum(known) / len(known) if known else None, language)
