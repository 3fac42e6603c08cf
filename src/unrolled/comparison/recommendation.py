"""Which model to take for which purpose, and why, in one sentence each."""

from collections.abc import Sequence

from ..results.comparison import Advice, ComparedModel

TOLERANCE = 1.15
"""A model that is fast or small may cost this much more bits than the best, not more."""
FAR = 128
"""Tokens of context from which on a text counts as long."""


def recommend(models: Sequence[ComparedModel]) -> list[Advice]:
    """Names a model for quality, speed, small size and long documents.

    Args:
        models: At least one; those without a finite figure are never named.
    """
    ranked = sorted((model for model in models if _bits(model) < float("inf")), key=_bits)
    if not ranked:
        return []
    good = [model for model in ranked if _bits(model) <= TOLERANCE * _bits(ranked[0])]
    advice = [_for_quality(ranked), _for_speed(good, ranked[0]), _for_size(good, ranked[0])]
    return advice + _for_length(ranked)


def _bits(model: ComparedModel) -> float:
    bits = model["bits_per_byte"]
    return float("inf") if bits is None else bits


def _for_quality(ranked: Sequence[ComparedModel]) -> Advice:
    best = ranked[0]
    reason = f"It needs {_bits(best):.3f} bits per byte"
    if len(ranked) > 1:
        second = ranked[1]
        gap, noise = _bits(second) - _bits(best), max(best["spread"] or 0, second["spread"] or 0)
        if gap <= noise:
            reason += f", level with {second['name']}: seeds alone move them by ± {noise:.3f}"
        else:
            reason += f", {gap:.3f} less than {second['name']}, the next best"
    if best["name"] == "ngram" and len(ranked) > 1:
        reason += "; the networks would need more text or a longer budget to pass it"
    return {"purpose": "quality", "model": best["name"], "reason": f"{reason}."}


def _for_speed(good: Sequence[ComparedModel], best: ComparedModel) -> Advice:
    def speed(model: ComparedModel) -> float:
        return model["score_tokens_per_second"] or 0.0

    chosen = max(good, key=speed)
    reason = f"It scores {speed(chosen):,.0f} tokens per second"
    if chosen is not best and speed(best):
        reason += f", {speed(chosen) / speed(best):.1f} times as many as {best['name']}"
    return _advice("speed", chosen, reason, good, best)


def _for_size(good: Sequence[ComparedModel], best: ComparedModel) -> Advice:
    def size(model: ComparedModel) -> float:
        return model["file_bytes"] or float("inf")

    chosen = min(good, key=size)
    reason = f"Its file has {size(chosen) / 1e6:,.1f} MB"
    if chosen is not best:
        reason += f"; that of {best['name']} has {size(best) / 1e6:,.1f} MB"
    return _advice("small size", chosen, reason, good, best)


def _advice(
    purpose: str,
    chosen: ComparedModel,
    reason: str,
    good: Sequence[ComparedModel],
    best: ComparedModel,
) -> Advice:
    """Adds what the choice costs in quality."""
    if chosen is not best:
        reason += f", for {_bits(chosen) - _bits(best):.3f} bits per byte more"
    elif len(good) == 1:
        reason += f", and no other comes within {TOLERANCE - 1:.0%} of its quality"
    return {"purpose": purpose, "model": chosen["name"], "reason": f"{reason}."}


def _for_length(ranked: Sequence[ComparedModel]) -> list[Advice]:
    """The model that predicts best where much has been read before."""

    def far(model: ComparedModel) -> float:
        return _far_in(model)[1]

    chosen = min(ranked, key=far)
    last, bits = _far_in(chosen)
    if bits == float("inf"):
        return []
    reason = f"With {last} or more tokens read it needs {bits:.3f} bits per byte, the least"
    near = dict(_positions(chosen)).get(FAR // 4)
    if near is not None:
        change = "lowers" if bits <= near else "raises"
        reason += f", and reading from {FAR // 4} to {last} tokens {change} its cost by "
        reason += f"{abs(near - bits):.3f}"
    return [{"purpose": "long documents", "model": chosen["name"], "reason": f"{reason}."}]


def _far_in(model: ComparedModel) -> tuple[int, float]:
    """The farthest position with a figure, and the figure; infinite where there is none."""
    far = [(position, bits) for position, bits in _positions(model) if position >= FAR]
    return far[-1] if far else (0, float("inf"))


def _positions(model: ComparedModel) -> list[tuple[int, float]]:
    rows = [(row["position"], row["bits_per_byte"]) for row in model["loss_by_position"]]
    return [(position, bits) for position, bits in rows if bits is not None]
