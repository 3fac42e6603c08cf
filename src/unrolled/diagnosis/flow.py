"""Gradient flow through time, exactly: how much of a loss arrives so many steps earlier.

What its curve says (half-life, rate, horizon, with intervals) and the verdict on it stand here too.

A loss that is summed over positions mixes lags. So there is one loss per row of a batch, at the
last step, and its gradient is taken with respect to the state after every step: one backward pass.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ConfigError, ShapeError, TextError
from ..inference.evaluation import even_windows
from ..models.base import detach_state
from ..models.recurrent import RecurrentModel
from ..nn.layer import Layer
from ..results.diagnosis import Flow, Verdict, VerdictKind, WordFlow
from ..results.interval import Interval, resamples

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


def intervals(lags: Sequence[int], norms: NDArray[np.floating]) -> tuple[Interval, Interval]:
    """The 95 % bootstrap intervals of half-life and horizon over the choice of the places.

    Whole places are drawn: the curve of one resample is the ratio of the sums over its places.

    Args:
        lags: K of them, rising.
        norms: `(K, B)`: of each of B places, the norm of the gradient at each lag.
    """
    curves = [_shares(norms @ drawn).tolist() for drawn in resamples(norms.shape[1])]
    return (
        Interval.of(half_life(lags, shares) for shares in curves),
        Interval.of(horizon(lags, shares) for shares in curves),
    )


@np.errstate(all="ignore")  # the gradient of diverged weights is not finite
def _shares(back: NDArray[np.floating]) -> NDArray[np.floating]:
    """Norms as parts of the first one."""
    return back / back[0] if back[0] > 0 else np.zeros_like(back)


NUM_ROWS, WARM_UP, STEPS = 64, 64, 128
"""Places in a text that a gradient is averaged over, tokens read before each, lags looked at."""


def text_windows(
    tokens: NDArray[np.integer], num_rows: int = NUM_ROWS, length: int = WARM_UP + STEPS + 1
) -> Tensor:
    """Windows evenly spread over a text, `(num_rows, length)` int64; shorter in a short text.

    Args:
        tokens: Token ids of a split, `(N + 1,)`.

    Raises:
        TextError: the text is shorter than two windows of `WARM_UP` + 16 tokens.
    """
    length = min(length, len(tokens) // 2)
    if length < WARM_UP + 16:
        problem = f"has {len(tokens) - 1} tokens, too few to follow gradients through"
        raise TextError("The text", problem, f"Give one of at least {2 * (WARM_UP + 16)} tokens.")
    return even_windows(tokens, num_rows, length)


@dataclass(frozen=True)
class Recorded:
    """One layer over T steps."""

    layer: Layer
    x: Tensor  # (T, B, E)
    start: tuple[Tensor, ...]  # (B, H) each: h, or h and c
    states: list[tuple[Tensor, ...]]
    """After each step."""


@dataclass
class StepRecorder:
    """A `Runner` of layers that goes step by step and keeps the state after each.

    What is kept is both the output of a step and what the next one starts from, so that its
    gradient is the whole one: dL/dh_t over all paths.
    """

    layers: list[Recorded] = field(default_factory=list)

    def __call__(self, layer: Layer, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Runs `layer` over `x (T, B, E)`; see nn/stack.py."""
        kept: list[tuple[Tensor, ...]] = []
        recorded = Recorded(layer, x, states, kept)
        for inputs in x.split(1):
            _, *following = layer(inputs, *states)
            states = tuple(following)
            kept.append(states)
        self.layers.append(recorded)
        return torch.stack([step[0] for step in kept]), *states


def state_gradients(model: RecurrentModel, tokens: Tensor, warm_up: int) -> list[list[Tensor]]:
    """Norms of the gradient of each row's last loss with respect to every state before it.

    Args:
        model: In evaluation mode; computed in the precision of its weights.
        tokens: `(B, warm_up + T + 1)`; the last column is predicted only.
        warm_up: Tokens read before, from the empty state, without gradient.

    Returns:
        Of each layer, and of each part of its state (h; of an LSTM h and c), `(T, B)` norms of
        dL_T/dh_t, the first step first.
    """
    if not 0 <= warm_up < tokens.shape[1] - 2:
        raise ShapeError("tokens", f"(B, more than {warm_up + 2})", tuple(tokens.shape))
    state = model.initial_state(len(tokens))
    if warm_up:
        with torch.no_grad():
            state = model.advance(tokens[:, :warm_up], state)
    recorder = StepRecorder()
    with torch.enable_grad():
        # Weights of a loaded model ask for no gradient: the state that is read does.
        start = _with_gradient(detach_state(state))
        hidden, _ = model._hidden(tokens[:, warm_up:-1], start, recorder)
        loss = -model.embedding.score(hidden[:, -1:], tokens[:, -1:]).sum()
        wanted = [part for each in recorder.layers for states in each.states for part in states]
        found = iter(torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True))
    return [_norms(each, found) for each in recorder.layers]


@torch.no_grad()
def _norms(recorded: Recorded, found: Iterator[Tensor]) -> list[Tensor]:
    """Norms `(T, B)` of the gradients of one layer, taken from all that were found."""
    steps = zip(*([next(found) for _ in states] for states in recorded.states), strict=True)
    gradients = [torch.stack(column) for column in steps]  # (T, B, H) each
    states = [torch.stack(column) for column in zip(*recorded.states, strict=True)]
    before = torch.cat([recorded.start[0][None], states[0][:-1]])
    parts = recorded.layer.whole_gradients(gradients, recorded.x, before, states)
    return [part.double().norm(dim=2) for part in parts]


def _with_gradient(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.requires_grad_() if state.is_floating_point() else state
    return tuple(_with_gradient(part) for part in state)


def gradient_flow(
    model: RecurrentModel, tokens: Tensor, warm_up: int, with_intervals: bool = False
) -> list[Flow]:
    """How much of the gradient is left after each lag, per layer and path.

    G(k) = sum_b |dL_b,T / dh_b,T-k| / sum_b |dL_b,T / dh_b,T|: exact, from one backward pass over
    text. Through c too for an LSTM: h alone understates its memory.

    Args:
        tokens: `(B, warm_up + T + 1)`; lags are 0 to T - 1.
        warm_up: Tokens read before from the empty state.
        with_intervals: Those of half-life and horizon too: a tenth of a second per path.

    Raises:
        ConfigError: the model is not a recurrent one.
    """
    if not isinstance(model, RecurrentModel):
        remedy = "A Transformer or an n-gram has no gradient through time."
        raise ConfigError("model", "a recurrent one", type(model).__name__, remedy)
    was_training = model.training
    model.eval()
    try:
        layers = state_gradients(model, tokens, warm_up)
    finally:
        model.train(was_training)
    paths: Sequence[Literal["hidden", "cell"]] = ("hidden", "cell")
    return [
        flow_of(number, path, norms.numpy(), with_intervals)
        for number, parts in enumerate(layers, 1)
        for path, norms in zip(paths, parts, strict=False)
    ]


def flow_of(
    layer: int,
    path: Literal["hidden", "cell"],
    norms: NDArray[np.floating],
    with_intervals: bool = False,
) -> Flow:
    """Describes the norms `(T, B)` of B places, the first step first."""
    back = norms[::-1]
    total = back.sum(1)
    # With zoneout nothing reads the c of the last step any more: its curve begins a step earlier.
    first = 1 if total[0] == 0 and total[1] > 0 else 0
    lags, shares = list(range(first, len(norms))), _shares(total[first:]).tolist()
    half, gone = None, None
    if with_intervals and np.isfinite(total).all():
        half, gone = intervals(lags, back[first:])
    return Flow(
        layer=layer,
        path=path,
        lags=lags,
        shares=shares,
        half_life=half_life(lags, shares),
        rate=fit_rate(lags, shares),
        horizon=horizon(lags, shares),
        half_life_interval=half,
        horizon_interval=gone,
    )


def longest(flows: Sequence[Flow]) -> Flow:
    """The layer and path that keep most of the gradient: the model's memory."""
    return max(flows, key=lambda flow: (_last(flow), flow.shares[-1]))


def _last(flow: Flow) -> float:
    return float("inf") if flow.horizon is None else flow.horizon


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
