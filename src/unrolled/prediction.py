"""What comes next: the most likely tokens and words after a prefix."""

import heapq
import itertools
import math
from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor

from .generation import read_prompt, unwritable
from .models.base import LanguageModel, State, select_rows, stack_states
from .text.tokenizers import BOUNDARY, BOUNDARY_ID, Tokenizer
from .text.words import PLAIN_WORDS

BEAM, WIDTH, ROUNDS = 32, 64, 40
"""Beginnings of words read at a time; continuations kept of each; how often."""
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
    """The k most likely tokens after a prefix, the most likely first; "<eos>" ends the text."""
    log_probs, _ = _after(model, tokenizer, prefix)
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
    the probabilities are those given that a new one begins. Tokens are joined best first until
    every beginning left over is far less likely than the k words found: a probability may lack a
    few percent that unlikely spellings would add.
    """
    log_probs, state = _after(model, tokenizer, prefix)
    if tokenizer.kind != "word" and _ends_in_letter(prefix):
        starts = torch.tensor([_begins_anew(tokenizer, token) for token in range(model.vocab_size)])
        log_probs = log_probs.masked_fill(~starts, -math.inf).log_softmax(1)
    return _Search(model, tokenizer, k).run(log_probs, state)


def _after(model: LanguageModel, tokenizer: Tokenizer, prefix: str) -> tuple[Tensor, State]:
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
    token: int
    state: State
    """Before the last token was read, `(1, ...)`."""


class _Search:
    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, k: int) -> None:
        self.model, self.tokenizer, self.k = model, tokenizer, k
        self.found: dict[str, float] = defaultdict(float)
        self.queue: list[tuple[float, int, _Beginning]] = []
        self.order = itertools.count()

    def run(self, log_probs: Tensor, state: State) -> list[Candidate]:
        self._push(b"", 0.0, log_probs[0], state)
        for _ in range(ROUNDS):
            batch = self._pop()
            if not batch:
                break
            tokens = torch.tensor([[beginning.token] for beginning in batch])
            states = stack_states([beginning.state for beginning in batch])
            log_probs, states = self.model.read(tokens, states)
            log_probs[..., list(unwritable(self.tokenizer))] = -math.inf
            for row, beginning in enumerate(batch):
                own = select_rows(states, torch.tensor([row]))
                self._push(beginning.data, beginning.log_prob, log_probs[row, -1], own)
        best = heapq.nlargest(self.k, self.found.items(), key=lambda item: item[1])
        return [Candidate(word, math.log(probability)) for word, probability in best]

    def _push(self, data: bytes, log_prob: float, log_probs: Tensor, state: State) -> None:
        """Takes the continuations of a beginning: words are counted, the rest is queued."""
        values, tokens = log_probs.topk(min(WIDTH, len(log_probs)))
        for token, value in zip(tokens.tolist(), (values + log_prob).tolist(), strict=True):
            if value == -math.inf:
                continue
            longer = data + self.tokenizer.decode_bytes([token])
            word = _finished(longer, ended=token == BOUNDARY_ID)
            if word is not None:
                self.found[word] += math.exp(value)
            else:
                entry = _Beginning(longer, value, token, state)
                heapq.heappush(self.queue, (-value, next(self.order), entry))

    def _pop(self) -> list[_Beginning]:
        """The most likely beginnings that can still change the k best."""
        least = sorted(self.found.values(), reverse=True)[self.k - 1 : self.k]
        batch = []
        while self.queue and len(batch) < BEAM:
            if least and math.exp(-self.queue[0][0]) < NEGLIGIBLE * least[0]:
                break
            batch.append(heapq.heappop(self.queue)[2])
        return batch


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
