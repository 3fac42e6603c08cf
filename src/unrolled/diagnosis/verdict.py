"""What the gradient's flow comes to."""

from collections.abc import Sequence
from typing import Any

from ..results.diagnosis import Flow, Verdict, VerdictKind
from .decay import LEFT
from .flow import longest

VANISHED_WITHIN = 50
"""Gone (less than 1 %) after fewer steps than this on every path: the gradient vanishes."""
GROWN = 10.0
"""Grown to more than this many times what it was, and growing: the gradient explodes."""


def judge(flows: Sequence[Flow]) -> Verdict:
    """Says whether gradients vanish or explode, from which layer, at what distance.

    Exploding: on some path the fitted rate is above zero and some lag has ten times the share of
    the first. Vanishing: on no path is more than 1 % left after 50 steps.
    """
    if not flows:
        return _verdict("no gradient", None)
    growing = [
        flow
        for flow in flows
        if max(flow["shares"]) > GROWN and flow["rate"] is not None and flow["rate"] > 0
    ]
    if growing:
        return _verdict("exploding", max(growing, key=lambda flow: flow["rate"] or 0.0))
    best = longest(flows)
    gone = best["horizon"] is not None and best["horizon"] <= VANISHED_WITHIN
    return _verdict("vanishing" if gone else "healthy", best)


def judge_words(words: dict[str, Any]) -> Verdict:
    """Says whether the gradient of a classifier reaches the first word of a text.

    Vanishing: less than 1 % of the greatest arrives there. The horizon is the number of steps from
    the last one that is read, padding included, back to where more than 1 % arrives for the last
    time.
    """
    shares = words["shares"]
    first = next((n for n, share in enumerate(shares) if share >= LEFT), len(shares) - 1)
    gone = shares[0] < LEFT
    return {
        "kind": "vanishing" if gone else "healthy",
        "layer": None,
        "horizon": len(shares) - first if gone else None,
        "half_life": None,
        "rate": None,
        "growth": None,
        "arrives": shares[0],
    }


def _verdict(kind: VerdictKind, flow: Flow | None) -> Verdict:
    return {
        "kind": kind,
        "layer": flow and flow["layer"],
        "horizon": flow and flow["horizon"],
        "half_life": flow and flow["half_life"],
        "rate": flow and flow["rate"],
        "growth": flow and max(flow["shares"]),
    }
