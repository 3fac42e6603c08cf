"""What a model's far context is worth: its order, its words, and what it repeats.

Every experiment on memory consists of single tokens scored with a chosen context.
"""

import time

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import TextError
from ..inference.evaluation import score_stream
from ..models.base import LanguageModel
from ..results.diagnosis import Perturbed, Repetition
from ..results.loss import BITS_PER_NAT
from ..settings.check import above, at_least, check_value
from ..settings.models import SMALL_VOCABULARY
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


CONTEXT = 256
"""Tokens of context that are disturbed or left alone."""
BEYOND = (1, 4, 16, 64)
KINDS = ("shuffled", "reversed", "replaced")
VARIANTS = 1 + len(KINDS) * len(BEYOND)
"""Times that each target is scored."""
REPEATED_WITHIN = 1024
RUN_OF_WORDS, RUN_OF_LETTERS = 2, 6


def measure_perturbed(
    model: LanguageModel,
    tokens: NDArray[np.integer],
    num_targets: int,
    split: SplitInfo | None = None,
    seed: int = 0,
) -> list[Perturbed]:
    """Disturbs everything further back than so many tokens and measures what that costs.

    The far context is put in random order (its words count, their order does not), reversed, or
    replaced by other text of the same length (nothing in it counts). Each target is compared with
    itself in its true context, so that what a model does not look at costs exactly nothing.
    Source: Khandelwal et al. 2018; there up to 300 tokens of context, here up to 256.

    Args:
        model: In evaluation mode.
        tokens: Token ids of a text, `(N + 1,)`, beginning with the boundary.
        num_targets: Tokens to score, evenly spread over the text.
        split: Counts of the text; None: bits per token.
        seed: Of the orders and of the places that other text is from.

    Returns:
        For each kind and distance, in bits per byte. How symbols out of the vocabulary are spelled
        costs the same in any context and drops out.

    Raises:
        TextError: the text has fewer than 64 tokens.
    """
    num_tokens = len(tokens) - 1
    context = longest_context(num_tokens, CONTEXT, share=4)
    targets = spread_targets(num_tokens, context, num_targets)
    rows = rows_before(tokens, targets, context)
    generator = np.random.default_rng(seed)
    foreign = _elsewhere(tokens, targets, context, generator)
    true_costs = score_last(model, rows)
    results = []
    for kind in KINDS:
        for beyond in (distance for distance in BEYOND if distance < context):
            disturbed = disturb(rows, kind, beyond, foreign, generator)
            extra = float((score_last(model, disturbed) - true_costs).mean())
            bits = extra * bits_per_nat(split)
            results.append(Perturbed(kind, beyond, bits))
    return results


def disturb(
    rows: NDArray[np.integer],
    kind: str,
    beyond: int,
    foreign: NDArray[np.integer],
    generator: np.random.Generator,
) -> NDArray[np.integer]:
    """Disturbs all but the target and the `beyond` tokens before it.

    Args:
        rows: Contexts, each with its target at the end, `(M, n + 1)`.
        kind: "shuffled", "reversed" or "replaced".
        foreign: Text from elsewhere, `(M, n)`.
    """
    far = rows.shape[1] - 1 - beyond
    changed = rows.copy()
    if kind == "shuffled":
        changed[:, :far] = generator.permuted(rows[:, :far], axis=1)
    elif kind == "reversed":
        changed[:, :far] = rows[:, :far][:, ::-1]
    else:
        changed[:, :far] = foreign[:, :far]
    return changed


def _elsewhere(
    tokens: NDArray[np.integer],
    targets: NDArray[np.integer],
    context: int,
    generator: np.random.Generator,
) -> NDArray[np.integer]:
    """Text of which nothing belongs to the target or its context, `(M, context)`."""
    num_starts = len(tokens) - context + 1
    # Counted round the end of the text, every start is this far from that of the true context.
    shifts = generator.integers(context + 1, num_starts - context, len(targets))
    starts = (targets - context + shifts) % num_starts
    return tokens[starts[:, None] + np.arange(context)]


def measure_repeated(
    model: LanguageModel, tokens: NDArray[np.integer], order: int | None = None
) -> Repetition | None:
    """Compares tokens that complete a run seen earlier in their context with all others.

    A model that can look up its context predicts them better than one that only has a summary of
    it. Source: Arora et al. 2023, "Zoology", there on pairs that are rare in training.

    Args:
        model: In evaluation mode.
        tokens: Token ids of a text, `(N + 1,)`, beginning with the boundary; read in one pass.
        order: Tokens of a run; default: 2, or 6 where the vocabulary is of letters or bytes.

    Returns:
        In bits per token; None where all tokens or none of them are repeated.

    Raises:
        ConfigError: `order` is below 1.
    """
    if order is None:
        order = RUN_OF_WORDS if model.vocab_size > SMALL_VOCABULARY else RUN_OF_LETTERS
    repeated = find_repeated(tokens, order)[1:]
    if repeated.all() or not repeated.any():
        return None
    bits = -score_stream(model, tokens).astype(np.float64) * BITS_PER_NAT
    return Repetition(
        order=order,
        num_repeated=int(repeated.sum()),
        num_new=int((~repeated).sum()),
        repeated_bits=float(bits[repeated].mean()),
        new_bits=float(bits[~repeated].mean()),
    )


def find_repeated(
    tokens: NDArray[np.integer], order: int, within: int = REPEATED_WITHIN
) -> NDArray[np.bool_]:
    """Marks each token that ends a run of `order` tokens of which the context has another.

    Args:
        tokens: Token ids, `(N,)`.
        within: Tokens of context; the earlier run lies in it as a whole, and may overlap.

    Returns:
        `(N,)`.
    """
    check_value("order", order, at_least(1, "Use for example 2."))
    marks = np.zeros(len(tokens), bool)
    if len(tokens) <= order:
        return marks
    # Numbers stand for runs: equal where all tokens of two runs are.
    runs = np.unique(tokens, return_inverse=True)[1]
    for length in range(1, order):
        pairs = runs[:-1].astype(np.int64) << 32 | tokens[length:].astype(np.int64)
        runs = np.unique(pairs, return_inverse=True)[1]
    by_run = np.argsort(runs, kind="stable")
    earlier, later = by_run[:-1], by_run[1:]
    near = (runs[earlier] == runs[later]) & (later - earlier <= within - order + 1)
    marks[later[near] + order - 1] = True
    return marks
