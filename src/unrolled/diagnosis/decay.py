"""What a curve of shares left after so many steps says: half-life, rate, horizon."""

import math
from collections.abc import Sequence

import numpy as np

LEFT = 0.01
"""What is left of a gradient that counts as gone."""
NOISE = 1e-12
"""Shares below this are not fitted: they may be rounding."""


def half_life(lags: Sequence[int], shares: Sequence[float]) -> float | None:
    """Steps until half of the share at the first lag is left, interpolated in log shares.

    Returns:
        The lag in steps; None where more than half is left at the last lag.
    """
    level = math.log(shares[0] / 2) if shares[0] > 0 else -math.inf
    before = (lags[0], shares[0])
    for lag, share in zip(lags[1:], shares[1:], strict=True):
        if share <= shares[0] / 2:
            if share <= 0:
                return float(lag)
            first, last = math.log(before[1]), math.log(share)
            return before[0] + (lag - before[0]) * (first - level) / (first - last)
        before = (lag, share)
    return None


def fit_rate(lags: Sequence[int], shares: Sequence[float]) -> float | None:
    """Fitted exponential: the slope of log shares over lags, by least squares.

    Returns:
        Nats per step; below 0 the gradient falls on the way back. None where too little is left
        to fit a line.
    """
    kept = [(lag, math.log(s)) for lag, s in zip(lags, shares, strict=True) if s > NOISE]
    if len(kept) < 2:
        return None
    x, y = np.array(kept, dtype=float).T
    return float(np.polyfit(x, y, 1)[0])


def horizon(lags: Sequence[int], shares: Sequence[float], left: float = LEFT) -> int | None:
    """First lag with less than this part left; None: more is left at every lag."""
    return next((lag for lag, share in zip(lags, shares, strict=True) if share < left), None)
