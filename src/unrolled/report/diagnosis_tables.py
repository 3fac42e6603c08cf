"""The tables of a diagnosis: dynamics, repeated words, remedies."""

import re
from collections.abc import Sequence
from html import escape

from ..results.diagnosis import Cure, Diagnosis, Dynamics, Memory, Tried
from .diagnosis_curves import reached, signed
from .diagnosis_words import (
    Language,
    Step,
    compact,
    marked_up,
    name_of,
    part_of_whole,
    remedy_name,
    say,
    winners,
)
from .parts import MISSING, bar, columns, marked, number, scaled, section, table


def steps_to_take(steps: Sequence[Step], language: Language) -> str:
    """What to do next, with its flags."""
    items = "".join(
        f"<li>{coded(step.sentence)}"
        + (f" <code>{escape(step.command)}</code>" if step.command else "")
        + "</li>"
        for step in steps
    )
    if not items:
        return ""
    body = f"<ol class=steps>{items}</ol>"
    return section(say("steps", language), marked_up("steps, how", language), body)


def coded(sentence: str) -> str:
    """A sentence as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(sentence))


def lyapunov(dynamics: Dynamics | None, language: Language) -> str:
    """The leading exponents, and how soon a disturbance dies out at that pace."""
    exponents = [value for value in dynamics.exponents if value is not None] if dynamics else []
    largest = max((abs(value) for value in exponents), default=0.0)
    rows = "".join(
        f"<tr><th scope=row>λ<sub>{place}</sub></th>"
        f"<td class=bits>{signed(value)}{bar(abs(value), largest, 1 if value > 0 else 0)}</td>"
        f"<td>{compact(-1 / value) if value < 0 else say('grows', language)}</td></tr>"
        for place, value in enumerate(exponents, 1)
    )
    named = {key: say(key, language) for key in ("number", "exponent", "dies out")}
    head = columns(named.values(), named["exponent"])
    body = table(head, rows, "figures") if rows else ""
    return section(say("lyapunov", language), marked_up("lyapunov, how", language), body)


def radii(dynamics: Dynamics | None, language: Language) -> str:
    """Spectral radius of each recurrent matrix, and dead units."""
    if not dynamics:
        return ""
    found = dynamics.radii
    largest = max((row.radius or 0 for row in found), default=0)
    rows = "".join(
        f"<tr><th scope=row>{escape(name_of(row.matrix, language))}</th><td>{row.layer}</td>"
        f"<td class=bits>{number(row.radius)}"
        f"{bar(row.radius, largest, 1 if (row.radius or 0) > 1 else 0)}</td></tr>"
        for row in found
    )
    named = {key: say(key, language) for key in ("matrix", "layer", "radius")}
    body = table(columns(named.values(), named["radius"]), rows, "figures") if rows else ""
    layers = ", ".join(
        say("dead layer", language, layer=layer, share=part_of_whole(share, language))
        for layer, share in enumerate(dynamics.dead, 1)
    )
    note = f"<p class=note>{marked_up('dead', language, layers=layers)}</p>" if layers else ""
    return section(say("radii", language), marked_up("radii, how", language), body + note)


def repeated(models: Sequence[Memory], language: Language) -> str:
    """Cost of tokens that complete a run seen before, and of the others."""
    shown = [
        (rank, model.name, found) for rank, model in enumerate(models) if (found := model.repeated)
    ]
    if not shown:
        return ""
    costs = [bits for _, _, row in shown for bits in (row.repeated_bits, row.new_bits)]
    largest = max((bits for bits in costs if bits is not None), default=0)
    body = ""
    for rank, name, row in shown:
        seen, new = row.repeated_bits, row.new_bits
        saved = None if seen is None or new is None else new - seen
        body += f"<tr><th scope=row>{marked(name, rank)}</th>"
        body += "".join(
            f"<td class=bits>{number(bits)}{bar(bits, largest, rank)}</td>" for bits in (seen, new)
        )
        body += f"<td>{number(saved)}</td></tr>"
    costs_of = (say("repeated bits", language), say("new bits", language))
    head = columns([say("model", language)]) + "".join(columns([c], c) for c in costs_of)
    head += columns([say("saved", language)])
    first = shown[0][2]
    values = {"repeated": f"{first.num_repeated:,}", "new": f"{first.num_new:,}"}
    note = f"<p class=note>{marked_up('counts', language, **values)}</p>"
    lead = marked_up("repeated, how", language, order=first.order)
    figures = table(head, body, "figures")
    return section(say("repeated", language), lead, figures + note)


def remedies(diagnosis: Diagnosis, language: Language) -> str:
    """What each remedy changed, beside the untreated model."""
    cure = diagnosis.cure
    if not cure:
        return ""
    last = max((flow.lags[-1] for flow in diagnosis.flows if flow.lags), default=None)
    largest = max((abs(row.gain or 0) for row in cure.tried), default=0)
    best = winners(cure)[:1]
    keys = ("remedy", "gain", "bits", "half-life", "horizon", "memory used", "speed", "flags")
    named = {key: say(key, language) for key in keys}
    head = columns(named.values(), named["gain"])
    rows = _remedy(cure.untreated, (0, last), "baseline", language)
    rows += "".join(
        _remedy(row, (largest, last), "best" if row in best else "", language) for row in cure.tried
    )
    lead = coded(say("cure, how", language, budget=cure.budget))
    figures = table(head, rows, "remedies")
    return section(say("cure", language), lead, figures + _tested(cure, language))


def _remedy(row: Tried, scale: tuple[float, float | None], kind: str, language: Language) -> str:
    """One line of the table.

    Args:
        scale: The longest bar, and the last lag that was looked at.
    """
    largest, last = scale
    gain = row.gain
    # A Transformer has no gradient through time, so nothing lies beyond the last lag.
    last = None if row.bits_per_byte is None or "transformer" in row.flags else last
    name = say("untreated", language) if kind == "baseline" else remedy_name(row.name, language)
    flags = f"<code>{escape(row.flags)}</code>" if row.flags else ""
    source = f"<small>{escape(row.source)}</small>" if row.source else ""
    won = signed(gain)
    if row.bits_per_byte is None:
        won = marked_up("diverged", language)
    drawn = bar(abs(gain), largest, 0 if gain > 0 else 1) if gain is not None else ""
    cells = (
        f"<th scope=row>{escape(name)}{source}</th><td class=bits>{won}{drawn}</td>",
        f"<td>{number(row.bits_per_byte)}</td>",
        f"<td>{reached(row.half_life, last)}</td><td>{reached(row.horizon, last)}</td>",
        f"<td>{MISSING if row.effective is None else compact(row.effective)}</td>",
        f"<td>{scaled(row.tokens_per_second)}</td>",
        f"<td class=flags>{flags}</td>",
    )
    return f"<tr{f' class={kind}' if kind else ''}>{''.join(cells)}</tr>"


def _tested(cure: Cure, language: Language) -> str:
    if not (test := cure.test):
        return ""
    values = {"untreated": number(test.untreated), "best": number(test.best)}
    return f"<p class=note>{marked_up('test', language, **values)}</p>"
