"""What the gradient's flow comes to."""

from collections.abc import Sequence

from ..results.diagnosis import Flow, Verdict, VerdictKind, WordFlow
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
        return Verdict("no gradient")
    growing = [
        flow
        for flow in flows
        if max(flow.shares) > GROWN and flow.rate is not None and flow.rate > 0
    ]
    if growing:
        return _verdict("exploding", max(growing, key=lambda flow: flow.rate or 0.0))
    best = longest(flows)
    gone = best.horizon is not None and best.horizon <= VANISHED_WITHIN
    return _verdict("vanishing" if gone else "healthy", best)


def judge_words(words: WordFlow) -> Verdict:
    """Says whether the gradient of a classifier reaches the first word of a text.

    Vanishing: less than 1 % of the greatest arrives there. The horizon is the number of steps from
    the last one that is read, padding included, back to where more than 1 % arrives for the last
    time.
    """
    shares = words.shares
    first = next((n for n, share in enumerate(shares) if share >= LEFT), len(shares) - 1)
    gone = shares[0] < LEFT
    steps = len(shares) - first if gone else None
    return Verdict("vanishing" if gone else "healthy", horizon=steps, arrives=shares[0])


def _verdict(kind: VerdictKind, flow: Flow) -> Verdict:
    return Verdict(kind, flow.layer, flow.horizon, flow.half_life, flow.rate, max(flow.shares))
