"""Which model to take for which purpose, and the figures that say why."""

from collections.abc import Sequence
from statistics import mean

from ..results.comparison import Advice, ComparedModel, Disturbance, Purpose

TOLERANCE = 1.15
"""A model that is fast or small may cost this much more bits than the best, not more."""
DISTURBED = 0.1
"""Of the processor time: what others take up to here is not worth a word."""
FAR = 128
"""Tokens of context from which on a text counts as long."""


def recommend(models: Sequence[ComparedModel]) -> list[Advice]:
    """Names a model for quality, speed, small size and long documents.

    Args:
        models: At least one; those in doubt or without a finite figure are never named.
    """
    sound = [model for model in models if model.doubt is None and _bits(model) < float("inf")]
    ranked = sorted(sound, key=_bits)
    if not ranked:
        return []
    good = [model for model in ranked if _bits(model) <= TOLERANCE * _bits(ranked[0])]
    fastest = max(good, key=_speed)
    smallest = min(good, key=_size)
    return [
        _for_quality(ranked),
        _among("speed", fastest, _speed(fastest), good, _speed(ranked[0]) or None),
        _among("size", smallest, _size(smallest), good, _size(ranked[0])),
        *_for_length(ranked),
    ]


def disturbance(models: Sequence[ComparedModel]) -> Disturbance | None:
    """How much other programs took while the networks trained, where that is worth a word."""
    shares = {model.name: model.others_share for model in models}
    known = {name: share for name, share in shares.items() if share is not None}
    if not known or mean(known.values()) < DISTURBED:
        return None
    most = max(known, key=lambda name: known[name])
    return Disturbance(mean(known.values()), known[most], most)


def _bits(model: ComparedModel) -> float:
    bits = model.bits_per_byte
    return float("inf") if bits is None else bits


def _speed(model: ComparedModel) -> float:
    return model.score_tokens_per_second or 0.0


def _size(model: ComparedModel) -> float:
    return model.file_bytes or float("inf")


def _for_quality(ranked: Sequence[ComparedModel]) -> Advice:
    best, *others = ranked
    if not others:
        return Advice(purpose="quality", model=best.name, figure=_bits(best))
    second = others[0]
    return Advice(
        purpose="quality",
        model=best.name,
        figure=_bits(best),
        rival=second.name,
        rival_figure=_bits(second),
        behind=second.behind,
    )


def _among(
    purpose: Purpose,
    chosen: ComparedModel,
    figure: float,
    good: Sequence[ComparedModel],
    best_figure: float | None,
) -> Advice:
    """Advice beside the best in quality, and what the choice costs where it is another."""
    best = good[0]
    if chosen is best:
        alone = len(good) == 1
        return Advice(purpose=purpose, model=best.name, figure=figure, has_no_equal=alone)
    return Advice(
        purpose=purpose,
        model=chosen.name,
        figure=figure,
        rival=best.name,
        rival_figure=best_figure,
        cost=_bits(chosen) - _bits(best),
    )


def _for_length(ranked: Sequence[ComparedModel]) -> list[Advice]:
    """The model that predicts best where much has been read before."""
    chosen = min(ranked, key=lambda model: _far_in(model)[1])
    position, bits = _far_in(chosen)
    if bits == float("inf"):
        return []
    near = dict(_positions(chosen)).get(FAR // 4)
    return [
        Advice(
            purpose="length",
            model=chosen.name,
            figure=bits,
            position=position,
            near_position=None if near is None else FAR // 4,
            near_figure=near,
        )
    ]


def _far_in(model: ComparedModel) -> tuple[int, float]:
    """The farthest position with a figure, and the figure; infinite where there is none."""
    far = [(position, bits) for position, bits in _positions(model) if position >= FAR]
    return far[-1] if far else (0, float("inf"))


def _positions(model: ComparedModel) -> list[tuple[int, float]]:
    rows = [(row.position, row.bits_per_byte) for row in model.loss_by_position]
    return [(position, bits) for position, bits in rows if bits is not None]
