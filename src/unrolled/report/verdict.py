"""The result in words: who won, by how much, and which model to take for what."""

import shlex
from collections.abc import Sequence
from html import escape

from ..results.comparison import Advice, Baseline, ComparedModel
from .parts import marked, rank_key


def verdict(models: Sequence[ComparedModel], baselines: Sequence[Baseline]) -> str:
    """Says in one sentence who won, by how much, and whether that is more than chance."""
    best, bits = models[0], models[0]["bits_per_byte"]
    if bits is None:
        return "No model reached a finite figure."
    floor = min(baselines, key=rank_key, default=None)
    if floor and rank_key(floor) < bits:
        return (
            f"No model beat {floor['name']} ({rank_key(floor):.3f} bits per byte): the best, "
            f"{best['name']}, needs {bits:.3f}; more text or a longer budget may help."
        )
    claim = f"{best['name']} predicts this text best: {bits:.3f} bits per byte"
    margins = [f"{rank_key(floor) - bits:.3f} less than {floor['name']}"] if floor else []
    if len(models) == 1 or models[1]["bits_per_byte"] is None:
        return ", ".join([f"{best['name']} needs {bits:.3f} bits per byte", *margins]) + "."
    second, gap = models[1], models[1]["bits_per_byte"] - bits
    noise = max(best["spread"] or 0, second["spread"] or 0)
    if gap <= noise:
        return (
            f"{best['name']} ({bits:.3f} bits per byte) and {second['name']} "
            f"({bits + gap:.3f}) are level: seeds alone move them by ± {noise:.3f}."
        )
    margins = [f"{gap:.3f} less than {second['name']}", *margins]
    return f"{claim}, {' and '.join(margins)}."


def advice(recommendation: Sequence[Advice], models: Sequence[ComparedModel]) -> str:
    """One card for each purpose, and how to use the winner."""
    ranks = {model["name"]: rank for rank, model in reversed(list(enumerate(models)))}
    cards = "".join(
        f"<li><h3>{escape(row['purpose'])}</h3>"
        f"<p class=pick>{marked(row['model'], ranks.get(row['model']))}</p>"
        f"<p>{escape(row['reason'])}</p></li>"
        for row in recommendation
    )
    use = f"unrolled generate {shlex.quote(models[0]['run'])}"
    hint = f"Every model is saved and ready to use: <code>{escape(use)}</code>"
    return f"<ul class=cards>{cards}</ul><p class=note>{hint}</p>"
