"""The result in words: who won, by how much, and which model to take for what."""

import shlex
from collections.abc import Sequence
from html import escape

from ..results.comparison import Advice, Baseline, ComparedModel
from .parts import marked, rank_key


def verdict(models: Sequence[ComparedModel], baselines: Sequence[Baseline]) -> str:
    """Says in one sentence who won, by how much, and whether that is more than chance."""
    best, bits = models[0], models[0].bits_per_byte
    if bits is None:
        return "No model reached a finite figure."
    floor = min(baselines, key=rank_key, default=None)
    if floor and rank_key(floor) < bits:
        return (
            f"No model beat {floor.name} ({rank_key(floor):.3f} bits per byte): the best, "
            f"{best.name}, needs {bits:.3f}; more text or a longer budget may help."
        )
    claim = f"{best.name} predicts this text best: {bits:.3f} bits per byte"
    margins = [f"{rank_key(floor) - bits:.3f} less than {floor.name}"] if floor else []
    if len(models) == 1 or models[1].bits_per_byte is None:
        return ", ".join([f"{best.name} needs {bits:.3f} bits per byte", *margins]) + "."
    second, gap = models[1], models[1].bits_per_byte - bits
    noise = max(best.spread or 0, second.spread or 0)
    if gap <= noise:
        return (
            f"{best.name} ({bits:.3f} bits per byte) and {second.name} "
            f"({bits + gap:.3f}) are level: seeds alone move them by ± {noise:.3f}."
        )
    margins = [f"{gap:.3f} less than {second.name}", *margins]
    return f"{claim}, {' and '.join(margins)}."


PURPOSES = {
    "quality": "quality",
    "speed": "speed",
    "size": "small size",
    "length": "long documents",
}


def reason(advice: Advice) -> str:
    """Why a model is the one to take for a purpose, in one sentence."""
    words = {"quality": _quality, "speed": _speed, "size": _size, "length": _length}
    return f"{words[advice.purpose](advice)}{_price(advice)}."


def _quality(advice: Advice) -> str:
    says = f"It needs {advice.figure:.3f} bits per byte"
    if advice.rival_figure is None:
        return says
    if advice.spread is not None:
        says += f", level with {advice.rival}: seeds alone move them by ± {advice.spread:.3f}"
    else:
        says += f", {advice.rival_figure - advice.figure:.3f} less than {advice.rival}"
        says += ", the next best"
    if advice.model == "ngram":
        says += "; the networks would need more text or a longer budget to pass it"
    return says


def _speed(advice: Advice) -> str:
    says = f"It scores {advice.figure:,.0f} tokens per second"
    if not advice.rival_figure:
        return says
    return f"{says}, {advice.figure / advice.rival_figure:.1f} times as many as {advice.rival}"


def _size(advice: Advice) -> str:
    says = f"Its file has {advice.figure / 1e6:,.1f} MB"
    if advice.rival_figure is None:
        return says
    return f"{says}; that of {advice.rival} has {advice.rival_figure / 1e6:,.1f} MB"


def _length(advice: Advice) -> str:
    last, near = advice.position, advice.near_figure
    says = f"With {last} or more tokens read it needs {advice.figure:.3f} bits per byte, the least"
    if near is None:
        return says
    change = "lowers" if advice.figure <= near else "raises"
    says += f", and reading from {advice.near_position} to {last} tokens {change} its cost by "
    return f"{says}{abs(near - advice.figure):.3f}"


def _price(advice: Advice) -> str:
    """What the choice costs in quality."""
    if advice.cost is not None:
        return f", for {advice.cost:.3f} bits per byte more"
    return ", and no other comes within 15% of its quality" if advice.has_no_equal else ""


def advice(recommendation: Sequence[Advice], models: Sequence[ComparedModel]) -> str:
    """One card for each purpose, and how to use the winner."""
    ranks = {model.name: rank for rank, model in reversed(list(enumerate(models)))}
    cards = "".join(
        f"<li><h3>{PURPOSES[row.purpose]}</h3>"
        f"<p class=pick>{marked(row.model, ranks.get(row.model))}</p>"
        f"<p>{escape(reason(row))}</p></li>"
        for row in recommendation
    )
    use = f"unrolled generate {shlex.quote(models[0].run)}"
    hint = f"Every model is saved and ready to use: <code>{escape(use)}</code>"
    return f"<ul class=cards>{cards}</ul><p class=note>{hint}</p>"
