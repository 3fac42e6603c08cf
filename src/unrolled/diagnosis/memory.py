"""How much of its context a model uses: the same tokens with more and more text before them."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..inference.evaluation import to_bits_per_byte
from ..models.base import LanguageModel
from ..results.diagnosis import ContextLoss, Memory
from ..results.interval import resamples
from ..results.loss import BITS_PER_NAT
from ..settings.check import at_least, check_value
from ..text.store import SplitInfo
from .disturbed import (
    CONTEXT,
    VARIANTS,
    longest_context,
    measure_perturbed,
    measure_repeated,
    reading_speed,
    rows_before,
    score_last,
    spread_targets,
    targets_within,
)

LONGEST = 512
WITHIN = 0.01
"""Part of the cost that more context may still save without counting as used."""


def measure_memory(
    name: str,
    model: LanguageModel,
    tokens: NDArray[np.integer],
    split: SplitInfo | None = None,
    *,
    num_targets: int = 1000,
    longest: int = LONGEST,
    seed: int = 0,
) -> Memory:
    """Measures how far back a model looks, with three experiments that fit every model.

    1. The same tokens are scored after exactly 1, 2, 4, ... tokens of context, each time from the
       empty state; see `effective_length`. The 95 % interval is a bootstrap over the tokens.
    2. What disturbing the far context costs: `disturbed.measure_perturbed`.
    3. What tokens cost that repeat their context: `disturbed.measure_repeated`.

    Args:
        name: Goes into the result.
        model: In evaluation mode; a state of its own is never touched.
        tokens: Token ids of a split, `(N + 1,)`, beginning with the boundary.
        split: Counts of that split; None: bits per token in place of bits per byte.
        num_targets: Tokens scored in the first two experiments, see `affordable_targets`.
        longest: Most tokens of context; a short text has less, at most half of it.
        seed: Of the bootstrap and of the disturbed contexts.

    Returns:
        Bits per byte are those of `unrolled evaluate`: they
        include what spelling symbols out of the vocabulary costs. That is the same in every
        context and says nothing about memory, so the effective length leaves it out.

    Raises:
        TextError: the text has fewer than 64 tokens.
        ConfigError: a setting is out of its range.
    """
    check_value("num_targets", num_targets, at_least(1, "Use for example 500."))
    contexts = _contexts(tokens, longest)
    costs = measure_curve(model, tokens, contexts, num_targets)
    low, high = effective_interval(contexts, costs, seed)
    return Memory(
        name=name,
        curve=[
            ContextLoss(context, _to_bits(nats, split))
            for context, nats in zip(contexts, costs.mean(0).tolist(), strict=True)
        ],
        effective=effective_length(contexts, costs.mean(0)),
        effective_low=low,
        effective_high=high,
        perturbed=measure_perturbed(model, tokens, num_targets, split, seed),
        repeated=measure_repeated(model, tokens[: num_targets * CONTEXT + 1]),
    )


def affordable_targets(
    models: Iterable[LanguageModel],
    tokens: NDArray[np.integer],
    seconds: float,
    longest: int = LONGEST,
) -> int:
    """How many targets the slowest of the models can be measured on in about so much time.

    The same number for all: what stands side by side is then of the same tokens.

    Raises:
        TextError, ConfigError: as `measure_memory`.
    """
    contexts = _contexts(tokens, longest)
    speed = min(reading_speed(model, tokens, contexts[-1]) for model in models)
    return targets_within(seconds, speed, sum(contexts) + (VARIANTS + 1) * CONTEXT)


def _contexts(tokens: NDArray[np.integer], longest: int) -> list[int]:
    longest = longest_context(len(tokens) - 1, longest, share=2)
    return [1 << power for power in range(longest.bit_length())]


def measure_curve(
    model: LanguageModel, tokens: NDArray[np.integer], contexts: Sequence[int], num_targets: int
) -> NDArray[np.float64]:
    """Scores the same tokens after exactly so much context, from the empty state.

    Args:
        tokens: Token ids, `(N + 1,)`.
        contexts: Tokens of context, rising, G of them.
        num_targets: M, evenly spread; fewer where the text has fewer.

    Returns:
        Nats of each token in each context, `(M, G)`.
    """
    targets = spread_targets(len(tokens) - 1, contexts[-1], num_targets)
    columns = [score_last(model, rows_before(tokens, targets, context)) for context in contexts]
    return np.stack(columns, 1)


def effective_length(contexts: Sequence[int], costs: NDArray[np.float64]) -> float:
    """The least context from which on the cost is at most 1 % above that of the longest.

    Between two contexts the cost is taken to be straight in the logarithm of the context. Source
    of the idea: Khandelwal et al. 2018, who ask where more context stops helping.

    Args:
        contexts: Tokens, rising, `(G,)`.
        costs: Mean cost, `(G,)`.
    """
    limit = (1 + WITHIN) * costs[-1]
    above = np.flatnonzero(costs > limit)
    if not above.size:
        return float(contexts[0])
    last = int(above[-1])
    share = (costs[last] - limit) / (costs[last] - costs[last + 1])
    low, high = np.log2(contexts[last]), np.log2(contexts[last + 1])
    return float(2 ** (low + share * (high - low)))


def effective_interval(
    contexts: Sequence[int], costs: NDArray[np.float64], seed: int = 0
) -> tuple[float, float]:
    """The 95 % bootstrap interval of the effective length.

    Whole rows of `costs (M, G)` are drawn: a token is compared with itself in other contexts.
    """
    number = len(costs)
    lengths = [
        effective_length(contexts, drawn @ costs / number) for drawn in resamples(number, seed)
    ]
    low, high = np.quantile(lengths, [0.025, 0.975])
    return float(low), float(high)


def _to_bits(nats: float, split: SplitInfo | None) -> float:
    return to_bits_per_byte(nats, split) if split else nats * BITS_PER_NAT
