"""Single tokens scored with a chosen context: what every experiment on memory consists of."""

import time

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import TextError
from ..models.base import LanguageModel
from ..results.loss import BITS_PER_NAT
from ..settings.check import above, at_least, check_value
from ..text.store import SplitInfo

TOKENS_AT_ONCE = 16_384
MOST_ROWS = 128
"""Rows read at once: the state of a Transformer is as large as its window for each."""
LEAST_TOKENS = 64
"""A shorter text cannot be measured."""
LEAST_TARGETS, MOST_TARGETS = 32, 4096
"""Targets that a time limit is turned into."""
TIMED_ROWS = 32


@torch.inference_mode()
def score_last(model: LanguageModel, rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Cost of the last token of each row, after the tokens before it and nothing else.

    Args:
        model: In evaluation mode; each row is read from its empty state.
        rows: Token ids, `(M, n + 1)`.

    Returns:
        Nats, `(M,)`.
    """
    ids = torch.from_numpy(rows.astype(np.int64))
    costs = []
    for piece in ids.split(min(MOST_ROWS, max(1, TOKENS_AT_ONCE // (rows.shape[1] - 1)))):
        before, last, target = piece[:, :-2], piece[:, -2:-1], piece[:, -1:]
        state = model.initial_state(len(piece))
        if before.shape[1]:
            state = model.advance(before, state)
        log_probs, _ = model.score(last, target, state)
        costs.append(-log_probs[:, 0].double().numpy())
    return np.concatenate(costs)


def rows_before(
    tokens: NDArray[np.integer], targets: NDArray[np.integer], context: int
) -> NDArray[np.integer]:
    """Each target with the tokens before it, `(M, context + 1)`; `targets (M,)` are positions."""
    return tokens[targets[:, None] + np.arange(-context, 1)]


def spread_targets(num_tokens: int, context: int, number: int) -> NDArray[np.int64]:
    """At most `number` different positions with so much context, evenly over 1 to `num_tokens`."""
    number = min(number, num_tokens - context + 1)
    return np.linspace(context, num_tokens, number).astype(np.int64)


def longest_context(num_tokens: int, wanted: int, share: int) -> int:
    """The largest power of two that is at most `wanted` and 1/`share` of the text.

    Raises:
        TextError: the text is too short for any measurement.
    """
    if num_tokens < LEAST_TOKENS:
        problem = f"has {max(0, num_tokens)} tokens, too few to measure a model's memory on"
        raise TextError("The text", problem, f"Give one of at least {LEAST_TOKENS} tokens.")
    check_value("context", wanted, at_least(1, "Use for example 512."))
    return 1 << (min(wanted, num_tokens // share).bit_length() - 1)


def reading_speed(model: LanguageModel, tokens: NDArray[np.integer], context: int) -> float:
    """Tokens of context read per second, measured on one batch."""
    targets = spread_targets(len(tokens) - 1, context, TIMED_ROWS)
    score_last(model, rows_before(tokens, targets[:1], context))  # what only a first call does
    began = time.perf_counter()
    score_last(model, rows_before(tokens, targets, context))
    return len(targets) * context / (time.perf_counter() - began)


def targets_within(seconds: float, speed: float, tokens_per_target: int) -> int:
    """How many targets can be scored in a time; `LEAST_TARGETS` however short it is.

    Args:
        speed: Tokens per second.
        tokens_per_target: Read for each target, over all variants of its context.
    """
    check_value("seconds", seconds, above(0, "Use for example 10."))
    return int(np.clip(seconds * speed / tokens_per_target, LEAST_TARGETS, MOST_TARGETS))


def bits_per_nat(split: SplitInfo | None) -> float:
    """Bits per byte that one nat per token amounts to; bits per token where there is no split."""
    return BITS_PER_NAT * (split.num_tokens / split.num_bytes if split else 1.0)
