"""What comes next: the most likely tokens and words after a prefix."""

import heapq
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models.base import LanguageModel, State, select_rows
from ..settings.check import at_least, check_value
from ..system.machine import threads_for
from ..text.tokenizers import BOUNDARY, BOUNDARY_ID, Tokenizer
from ..text.words import PLAIN_WORDS
from .generation import read_prompt, unwritable

BEAM, WIDTH, LONGEST = 128, 64, 48
"""Beginnings of words that go on from token to token; continuations of each; tokens of a word."""
NEGLIGIBLE = 0.05
"""A beginning this much less likely than the k-th word is not followed any more."""
MARKS_INSIDE = "'’-.,"
"""What may stand inside a word or number, so that only the next character ends it."""


@dataclass(frozen=True)
class Candidate:
    """Something that may come next."""

    text: str
    log_prob: float
    """Natural logarithm of its probability."""

    @property
    def probability(self) -> float:
        """Its probability."""
        return math.exp(self.log_prob)


@torch.inference_mode()
def next_tokens(
    model: LanguageModel, tokenizer: Tokenizer, prefix: str, k: int = 10
) -> list[Candidate]:
    """The k most likely tokens after a prefix, the most likely first; "<eos>" ends the text.

    Raises:
        ConfigError: k is below 1.
    """
    log_probs, _ = _after(model, tokenizer, prefix, k)
    values, tokens = log_probs[0].topk(min(k, len(log_probs[0])))
    pairs = zip(tokens.tolist(), values.tolist(), strict=True)
    return [Candidate(tokenizer.token_text(token), value) for token, value in pairs]


@torch.inference_mode()
def next_words(
    model: LanguageModel, tokenizer: Tokenizer, prefix: str, k: int = 10
) -> list[Candidate]:
    """The k most likely words after a prefix, for tokens of any size.

    A word is what white space, punctuation or the next East Asian character ends; a punctuation
    mark is a word, and so is each East Asian character. A prefix that ends in a letter ends a word:
    the probabilities are those given that a new one begins. A beam search joins tokens until every
    beginning left over is far less likely than the k words found: a probability may lack up to
    about a tenth, which unlikely spellings and what follows the word would add.

    Raises:
        ConfigError: k is below 1.
    """
    log_probs, state = _after(model, tokenizer, prefix, k)
    if tokenizer.kind != "word" and _ends_in_letter(prefix):
        starts = torch.tensor([_begins_anew(tokenizer, token) for token in range(model.vocab_size)])
        log_probs = log_probs.masked_fill(~starts, -math.inf).log_softmax(1)
    return _search(model, tokenizer, k, log_probs, state)


def _after(model: LanguageModel, tokenizer: Tokenizer, prefix: str, k: int) -> tuple[Tensor, State]:
    check_value("k", k, at_least(1, "Use for example 10."))
    log_probs, state = read_prompt(model, [BOUNDARY_ID, *tokenizer.encode(prefix).tolist()])
    log_probs = log_probs.clone()
    log_probs[:, list(unwritable(tokenizer))] = -math.inf
    return log_probs, state


def _ends_in_letter(text: str) -> bool:
    return text[-1:].isalnum() and not _is_cjk(text[-1])


def _is_cjk(char: str) -> bool:
    found = PLAIN_WORDS.findall(char * 2)
    return len(found) == 2 and char.isalpha()


def _begins_anew(tokenizer: Tokenizer, token: int) -> bool:
    """Whether a token cannot go on with a word; the bytes of other scripts' letters could."""
    first = tokenizer.decode_bytes([token])[:1]
    return not (first.isalnum() or first >= b"\x80")


@dataclass(frozen=True)
class _Beginning:
    """Tokens that may become a word."""

    data: bytes
    log_prob: float
    row: int
    """Of the state before the last token."""
    token: int
    """The last one."""


def _search(
    model: LanguageModel, tokenizer: Tokenizer, k: int, log_probs: Tensor, state: State
) -> list[Candidate]:
    """Joins tokens to words, all beginnings of the same number of tokens at a time."""
    found: dict[str, float] = defaultdict(float)
    begun = [_Beginning(b"", 0.0, 0, BOUNDARY_ID)]
    for _ in range(LONGEST):
        longer = []
        for beginning in _continuations(tokenizer, begun, log_probs):
            word = _finished(beginning.data, ended=beginning.token == BOUNDARY_ID)
            if word is None:
                longer.append(beginning)
            else:
                found[word] += math.exp(beginning.log_prob)
        begun = _promising(longer, found, k)
        if not begun:
            break
        rows = torch.tensor([beginning.row for beginning in begun])
        tokens = torch.tensor([[beginning.token] for beginning in begun])
        state = select_rows(state, rows)  # lets go of the old one, which may be large
        with threads_for(len(begun), len(begun)):
            log_probs, state = model.read(tokens, state)
        log_probs = log_probs[:, -1]
        log_probs[:, list(unwritable(tokenizer))] = -math.inf
    best = heapq.nlargest(k, found.items(), key=lambda item: item[1])
    return [Candidate(word, math.log(probability)) for word, probability in best]


def _continuations(
    tokenizer: Tokenizer, begun: list[_Beginning], log_probs: Tensor
) -> Iterator[_Beginning]:
    """Each beginning with one of its likely next tokens, `log_probs (R, V)`."""
    values, tokens = log_probs.topk(min(WIDTH, log_probs.shape[1]))
    for row, beginning in enumerate(begun):
        for value, token in zip(values[row].tolist(), tokens[row].tolist(), strict=True):
            if value > -math.inf:
                data = beginning.data + tokenizer.decode_bytes([token])
                yield _Beginning(data, beginning.log_prob + value, row, token)


def _promising(longer: list[_Beginning], found: dict[str, float], k: int) -> list[_Beginning]:
    """The most likely beginnings that can still change the k best words."""
    least = sorted(found.values(), reverse=True)[k - 1 : k]
    bound = math.log(NEGLIGIBLE * least[0]) if least else -math.inf
    likely = (beginning for beginning in longer if beginning.log_prob >= bound)
    return heapq.nlargest(max(BEAM, k), likely, key=lambda beginning: beginning.log_prob)


def _finished(data: bytes, ended: bool) -> str | None:
    """The first word of a text if it cannot become longer, else None; "<eos>" if there is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    start = text.lstrip()
    match = PLAIN_WORDS.match(start)
    if match is None:
        return BOUNDARY if ended else None
    word, rest = match[0], start[match.end() :]
    if ended or rest[1:] or (rest and rest not in MARKS_INSIDE):
        return word
    alone = not word[-1].isalnum() or _is_cjk(word[-1])
    return word if alone or text != text.rstrip() else None
