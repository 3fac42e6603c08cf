"""Writing text: from the model's distribution to samples, token by token."""

import codecs
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..models.base import LanguageModel, State, select_rows
from ..settings.check import Rule, above, at_least, between, check, check_text, check_value
from ..system.machine import threads_for
from ..text.store import Boundaries
from ..text.tokenizers import BOUNDARY_ID, UNKNOWN, UNKNOWN_ID, Tokenizer, WordTokenizer
from ..text.words import with_space

PIECE = 256
"""Tokens of a prompt read at a time."""
COLDEST = 1e-6
"""Below this temperature only the most likely token has a probability that float32 can hold."""
PENALTY_WINDOW = 256
"""Tokens back in which a token counts as repeated."""


@dataclass(frozen=True)
class SamplingConfig:
    """How the next token is drawn. The filters apply in the order of the fields.

    Raises:
        ConfigError: a value is out of its range.
    """

    repetition_penalty: float = 1.0
    """Multiplies the log-probability of tokens among the last 256; above 1 makes them rarer
    (after CTRL, Keskar et al. 2019). The end of the text is exempt."""
    temperature: float = 1.0
    """Divides log-probabilities; 0: always the most likely token."""
    top_k: int = 0
    """Keeps the k most likely tokens, of equal ones the first; 0: all."""
    top_p: float = 1.0
    """Keeps the most likely tokens that together have this probability (Holtzman et al. 2020)."""
    min_p: float = 0.0
    """Keeps tokens with at least this part of the largest probability (Nguyen et al. 2024)."""
    max_tokens: int = 200
    stop: tuple[str, ...] = ()
    """Strings at which a text ends; they are not part of it."""
    seed: int = 0

    def __post_init__(self) -> None:
        check(
            self,
            (between(0.01, 100, "Use for example 1.2."), "repetition_penalty"),
            (between(0, 1_000_000, "Use for example 0.8."), "temperature"),
            (at_least(0, "Use for example 40, or 0 for all."), "top_k"),
            (above(0, "Use for example 0.9.", at_most=1), "top_p"),
            (between(0, 1, "Use for example 0.05."), "min_p"),
            (at_least(1), "max_tokens"),
            (at_least(0), "seed"),
            (Rule("no empty string", lambda stop: "" not in stop, "Leave it out."), "stop"),
        )


def generate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompt: str,
    config: SamplingConfig = SamplingConfig(),  # noqa: B008  frozen
    num_samples: int = 1,
    boundaries: Boundaries = Boundaries(),  # noqa: B008  frozen
) -> list[str]:
    """Continues a prompt.

    Args:
        boundaries: What stands before the prompt, as `Run.boundaries` says.

    Returns:
        One continuation for each sample, without the prompt. Sample i is the same whatever their
        number.
    """
    texts = [_Text(tokenizer, prompt, config.stop) for _ in range(num_samples)]
    written = [""] * num_samples
    for ids in _draw(model, tokenizer, prompt, config, num_samples, boundaries):
        for row, token in enumerate(ids.tolist()):
            written[row] += texts[row].add(token)
        if all(text.ended for text in texts):
            break
    return [text + rest.close() for text, rest in zip(written, texts, strict=True)]


def stream(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompt: str,
    config: SamplingConfig = SamplingConfig(),  # noqa: B008  frozen
    boundaries: Boundaries = Boundaries(),  # noqa: B008  frozen
) -> Iterator[str]:
    """Continues a prompt and yields the text as it comes, whole characters only.

    The pieces together are what `generate` returns.
    """
    text = _Text(tokenizer, prompt, config.stop)
    steps = _draw(model, tokenizer, prompt, config, 1, boundaries)
    return filter(None, text.pieces(steps))


def _draw(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompt: str,
    config: SamplingConfig,
    rows: int,
    boundaries: Boundaries,
) -> Iterator[Tensor]:
    ids = prompt_ids(tokenizer, prompt, boundaries)
    return sample_ids(model, ids, config, rows, unwritable(tokenizer))


def prompt_ids(tokenizer: Tokenizer, prompt: str, boundaries: Boundaries) -> list[int]:
    """The tokens of a prompt and of what stands before it, the boundary first."""
    before = tokenizer.encode(boundaries.before).tolist()
    return [BOUNDARY_ID, *before, *tokenizer.encode(check_text("prompt", prompt)).tolist()]


def unwritable(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Tokens that stand for no text: the unknown of char and word vocabularies."""
    return (UNKNOWN_ID,) if tokenizer.token_text(UNKNOWN_ID) == UNKNOWN else ()


@torch.inference_mode()
def sample_ids(
    model: LanguageModel,
    prompt_ids: Sequence[int],
    config: SamplingConfig,
    num_samples: int,
    banned: Iterable[int] = (),
) -> Iterator[Tensor]:
    """Draws continuations side by side.

    Args:
        prompt_ids: What was written before, the boundary first.
        num_samples: B rows; each draws from random numbers of its own.
        banned: Tokens that are never drawn.

    Yields:
        The next token of each row, `(B,)` int64; the boundary at a row's end and ever after.

    Raises:
        ConfigError: there is no row.
    """
    check_value("num_samples", num_samples, at_least(1, "Use for example 1."))
    never = list(banned)
    log_probs, state = read_prompt(model, prompt_ids)
    rows = torch.zeros(num_samples, dtype=torch.int64)
    log_probs, state = log_probs[rows], select_rows(state, rows)
    recent = torch.tensor(prompt_ids[-PENALTY_WINDOW:]).expand(num_samples, -1)
    generators = [_generator(config.seed, row) for row in range(num_samples)]
    ended = torch.zeros(num_samples, dtype=torch.bool)
    for _ in range(config.max_tokens):
        log_probs[:, never] = -math.inf
        probs = filtered_probs(log_probs, recent, config)
        drawn = [
            torch.multinomial(row, 1, generator=generator)
            for row, generator in zip(probs, generators, strict=True)
        ]
        ids = torch.cat(drawn).masked_fill(ended, BOUNDARY_ID)
        yield ids
        ended |= ids == BOUNDARY_ID
        if ended.all():
            return
        recent = torch.cat([recent, ids[:, None]], 1)[:, -PENALTY_WINDOW:]
        with threads_for(num_samples, num_samples):
            log_probs, state = model.read(ids[:, None], state)
        log_probs = log_probs[:, -1]


def _generator(seed: int, row: int) -> torch.Generator:
    """Random numbers of one row of one seed, unrelated to those of any other."""
    state = np.random.SeedSequence((seed, row)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def read_prompt(model: LanguageModel, prompt_ids: Sequence[int]) -> tuple[Tensor, State]:
    """Reads a prompt in pieces; returns the distribution after it, `(1, V)`, and the state."""
    tokens, state = torch.tensor([list(prompt_ids)]), model.initial_state(1)
    *before, last = tokens.split(PIECE, 1)
    with threads_for(1, tokens.numel()):
        for piece in before:
            state = model.advance(piece, state)
        log_probs, state = model.read(last, state)
    return log_probs[:, -1], state


def filtered_probs(log_probs: Tensor, recent: Tensor, config: SamplingConfig) -> Tensor:
    """Applies the filters of a configuration.

    Args:
        log_probs: `(B, V)`.
        recent: Tokens that count as repeated, `(B, N)`.

    Returns:
        Probabilities to draw from, `(B, V)`; each row sums to 1.
    """
    if config.repetition_penalty != 1:
        written = log_probs.gather(1, recent)
        rarer = written.where(recent == BOUNDARY_ID, written * config.repetition_penalty)
        log_probs = log_probs.scatter(1, recent, rarer)
    if config.temperature < COLDEST:
        best = log_probs.argmax(1, keepdim=True)
        return torch.zeros_like(log_probs).scatter(1, best, 1.0)
    # Less the largest: a low temperature would make all of them infinite.
    probs = ((log_probs - log_probs.amax(1, keepdim=True)) / config.temperature).softmax(1)
    if 0 < config.top_k < probs.shape[1]:
        least = probs.topk(config.top_k, 1).values[:, -1:]
        above, equal = probs > least, probs == least
        # Of those as likely as the k-th only the first stay; sorting all would take longer.
        first = equal.cumsum(1) <= config.top_k - above.sum(1, keepdim=True)
        probs = probs.where(above | (equal & first), 0)
    if config.top_p < 1:
        probs = probs / probs.sum(1, keepdim=True)
        ordered, places = probs.sort(dim=1, descending=True, stable=True)
        # A token stays while those before it do not reach top_p yet: the first always does.
        beyond = ordered.cumsum(1) - ordered >= config.top_p
        beyond[:, 0] = False  # whatever float32 makes of a top_p near 0
        probs = probs.masked_fill(torch.zeros_like(beyond).scatter(1, places, beyond), 0)
    if config.min_p > 0:
        probs = probs.where(probs >= config.min_p * probs.amax(1, keepdim=True), 0)
    return probs / probs.sum(1, keepdim=True)


class _Text:
    """Turns tokens into text as it comes: holds back half characters and half stop strings.

    Words of a word vocabulary come each with a space after it, which a line end or the end of the
    text takes away again; after a prompt that does not end in one the first space is added.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: str, stop: Sequence[str]) -> None:
        self.tokenizer, self.stop = tokenizer, stop
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.joins_words, self.held, self.ended = isinstance(tokenizer, WordTokenizer), "", False
        if isinstance(tokenizer, WordTokenizer) and prompt[-1:].strip():
            self.held = with_space(prompt[-1], tokenizer.split_punctuation)[1:]

    def pieces(self, steps: Iterable[Tensor]) -> Iterator[str]:
        """Takes the tokens of the only row, `(1,)` each, and yields what they add to the text."""
        for ids in steps:
            yield self.add(int(ids[0]))
            if self.ended:
                return
        yield self.close()

    def add(self, token: int) -> str:
        """Takes a token and returns what is certain to be in the text."""
        if self.ended:
            return ""
        if token == BOUNDARY_ID:
            return self.close()
        self.held += self.decoder.decode(self.tokenizer.decode_bytes([token]))
        if self.joins_words:
            self.held = self.held.replace(" \n", "\n")
        found = [place for place in map(self.held.find, self.stop) if place >= 0]
        if found:
            self.held = self.held[: min(found)]
            return self.close()
        spaces = len(self.held) - len(self.held.rstrip(" ")) if self.joins_words else 0
        return self._release(max([spaces, *(_overlap(self.held, stop) for stop in self.stop)]))

    def close(self) -> str:
        """Ends the text and returns what was held back."""
        if self.ended:
            return ""
        self.ended = True
        self.held += self.decoder.decode(b"", final=True)
        if self.joins_words:
            self.held = self.held.rstrip(" ")
        return self._release(0)

    def _release(self, kept: int) -> str:
        cut = len(self.held) - kept
        piece, self.held = self.held[:cut], self.held[cut:]
        return piece


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` begins with."""
    return next(n for n in range(min(len(text), len(stop) - 1), -1, -1) if text.endswith(stop[:n]))
