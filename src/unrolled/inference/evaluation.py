"""What a text costs a model, with the simple baselines beside it."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.base import LanguageModel, State, stack_states
from ..results.loss import Baseline, Evaluation, Loss
from ..settings.data import DocumentKind, FileFormat
from ..text.prepare import encode_texts
from ..text.store import SplitInfo, TokenStore
from ..text.tokenizers import Tokenizer

VALID_BYTES = 40_000
"""Validation text looked at during training; the final split is scored whole."""
MOST_BLOCKS, BLOCK_TOKENS = 200, 100
"""Parts of a split whose losses are kept, and the fewest tokens of one."""
LANES = 32
WARMUP = 512
"""Tokens that a lane reads before its own part, so that cutting a text costs it no context."""


@torch.inference_mode()
def score_stream(model: LanguageModel, tokens: NDArray[np.integer]) -> NDArray[np.float32]:
    """Scores a whole stream as one text, several lanes side by side.

    Each lane first reads the `WARMUP` tokens before its part, so the result is that of reading
    from the beginning to the end, except for what a model remembers from further back.

    Args:
        tokens: Token ids, `(N + 1,)`, beginning with the boundary.

    Returns:
        Log-probability of tokens 1 to N in nats, `(N,)`.
    """
    num_targets = len(tokens) - 1
    lanes = max(1, min(LANES, num_targets // (2 * WARMUP)))
    length = -(-num_targets // lanes)
    chunk = 256 if isinstance(model, torch.nn.Module) else 1 << 16
    state = _warm_up(model, tokens, lanes, length, chunk)
    scores = np.empty((lanes, length), np.float32)
    for start in range(0, length, chunk):
        stop = min(start + chunk, length)
        inputs, targets = _columns(tokens, lanes, length, start, stop)
        log_probs, state = model.score(inputs, targets, state)
        scores[:, start:stop] = log_probs.numpy()
    return scores.reshape(-1)[:num_targets]


def _warm_up(
    model: LanguageModel, tokens: NDArray[np.integer], lanes: int, length: int, chunk: int
) -> State:
    state = model.initial_state(1)
    if lanes == 1:
        return state
    warm = model.initial_state(lanes - 1)
    for start in range(length - WARMUP, length, chunk):
        inputs, _ = _columns(tokens, lanes - 1, length, start, min(start + chunk, length))
        warm = model.advance(inputs, warm)
    return stack_states([state, warm])


def _columns(
    tokens: NDArray[np.integer], lanes: int, length: int, start: int, stop: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets of `lanes` lanes, `(lanes, stop - start)` each; the end is repeated."""
    columns = np.arange(lanes)[:, None] * length + np.arange(start, stop + 1)
    piece = torch.from_numpy(tokens[np.minimum(columns, len(tokens) - 1)].astype(np.int64))
    return piece[:, :-1], piece[:, 1:]


def to_loss(nats: float, split: SplitInfo) -> Loss:
    """Puts a cost beside the counts of the text that it belongs to."""
    return Loss(
        loss_nats=nats,
        num_tokens=split.num_tokens,
        num_bytes=split.num_bytes,
        num_chars=split.num_chars,
        num_words=split.num_words + split.num_documents,
        num_unknown=split.num_unknown,
        spelling_nats=split.spelling_nats,
    )


def to_bits_per_byte(nats_per_token: float, split: SplitInfo) -> float:
    """Puts the mean cost of a token in the unit of the headline, spelling included."""
    return to_loss(nats_per_token * split.num_tokens, split).bits_per_byte


def evaluate(model: LanguageModel, store: TokenStore, split: str) -> Loss:
    """Scores a split of a store."""
    return evaluate_blocks(model, store, split)[0]


def evaluate_blocks(
    model: LanguageModel, store: TokenStore, split: str
) -> tuple[Loss, list[float]]:
    """Scores a split of a store.

    Returns:
        Its loss; the nats of equally long parts of it, in its order, to compare models by. Up to a
        few tokens at its end are in none of them.
    """
    scores = score_stream(model, store.tokens(split)).astype(np.float64)
    number = max(1, min(MOST_BLOCKS, len(scores) // BLOCK_TOKENS))
    length = len(scores) // number
    blocks = -scores[: number * length].reshape(number, length).sum(1)
    return to_loss(-float(scores.sum()), store.split(split)), blocks.tolist()


def num_validation_tokens(store: TokenStore) -> int:
    """Validation tokens that training looks at."""
    info = store.split("valid")
    return max(1, min(info.num_tokens, VALID_BYTES * info.num_tokens // info.num_bytes))


def validation_nats(
    model: LanguageModel, store: TokenStore, num_tokens: int | None = None
) -> float:
    """Nats per token on the first validation tokens: what is looked at during training.

    Args:
        num_tokens: How many; default: `num_validation_tokens`.
    """
    tokens = store.tokens("valid")[: (num_tokens or num_validation_tokens(store)) + 1]
    return -float(score_stream(model, tokens).mean(dtype=np.float64))


def baselines(store: TokenStore, split: str, models: Mapping[str, LanguageModel]) -> list[Baseline]:
    """What a split costs without a trained network: uniform, the given simple models, and `xz`."""
    info = store.split(split)
    rows = [("uniform", to_loss(info.num_tokens * math.log(store.vocab_size), info).bits_per_byte)]
    rows += [(name, evaluate(model, store, split).bits_per_byte) for name, model in models.items()]
    if info.xz_bytes:
        rows.append(("xz", 8 * info.xz_bytes / info.xz_of_bytes))
    return [Baseline(name, bits) for name, bits in rows]


def evaluate_texts(
    model: LanguageModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    simple_models: Mapping[str, LanguageModel],
    column: str | None = None,
    documents: DocumentKind = "file",
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> Evaluation:
    """Scores texts that need not have been seen before.

    Args:
        texts: Files or folders, with `column`, `documents` and `files` as `DataConfig` says.
        simple_models: Of the same tokens, by name, to read the figures by.

    Raises:
        UnrolledError: a text cannot be read.
    """
    with TemporaryDirectory(prefix="unrolled-") as folder:
        store = encode_texts(texts, tokenizer, Path(folder), column, documents, files)
        loss = evaluate(model, store, "text")
        return Evaluation(**vars(loss), baselines=baselines(store, "text", simple_models))


@dataclass(frozen=True)
class PositionLoss:
    """Mean cost at a distance from the start of the context."""

    position: int
    """First position of the bin: 1, 2, 4, 8, ..."""
    nats_per_token: float


def even_windows(tokens: NDArray[np.integer], number: int, length: int) -> torch.Tensor:
    """Windows evenly spread over a text from its first token to its last, `(number, length)` int64.

    Args:
        tokens: Token ids, `length` of them or more.
    """
    starts = np.linspace(0, len(tokens) - length, number).astype(np.int64)
    return torch.from_numpy(tokens[starts[:, None] + np.arange(length)].astype(np.int64))


@torch.inference_mode()
def loss_by_position(
    model: LanguageModel,
    tokens: NDArray[np.integer],
    length: int = 511,
    num_windows: int = 128,
    limit_seconds: float = math.inf,
) -> list[PositionLoss]:
    """Measures how much a longer context helps: every window starts from an empty state.

    Windows lie evenly in the text; positions are averaged in bins that double in width.

    Args:
        limit_seconds: After so long, what windows were read have to do: at least a quarter.
    """
    length = min(length, len(tokens) - 1)
    total, num_read, began = np.zeros(length), 0, time.monotonic()
    windows = even_windows(tokens, num_windows, length + 1)
    for part in range(4):  # each is spread over the whole text
        if num_read and time.monotonic() - began > limit_seconds:
            break
        rows = windows[part::4]
        log_probs, _ = model.score(rows[:, :-1], rows[:, 1:], model.initial_state(len(rows)))
        total -= log_probs.double().sum(0).numpy()
        num_read += len(rows)
    edges = [2**k for k in range(length.bit_length())]
    return [
        PositionLoss(edge, float(total[edge - 1 : 2 * edge - 1].mean()) / num_read)
        for edge in edges
    ]


@torch.inference_mode()
def scoring_speed(model: LanguageModel, tokens: NDArray[np.integer], seconds: float = 1.0) -> float:
    """Tokens scored per second, measured for about the given time."""
    started = time.perf_counter()
    warm_up = len(score_stream(model, tokens[:2_000]))
    affordable = round(warm_up * seconds / (time.perf_counter() - started))
    piece = tokens[: min(len(tokens), max(2_000, min(20_000, affordable)))]
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        done += len(score_stream(model, piece))
    return done / elapsed
