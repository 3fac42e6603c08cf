"""What comes next: the most likely tokens and words after a prefix."""

import heapq
import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

from ..models.base import LanguageModel, State, select_rows
from ..settings.check import at_least, check_text, check_value
from ..system.machine import threads_for
from ..text.store import Boundaries
from ..text.tokenizers import BOUNDARY, BOUNDARY_ID, Tokenizer, WordTokenizer
from ..text.words import PLAIN_WORDS, SOUTH_EAST_ASIAN
from .generation import prompt_ids, read_prompt, unwritable

BEAM, WIDEST, WIDTH, LONGEST = 128, 512, 64, 48
"""Beginnings of words that go on from token to token, where few and where many words are asked for;
continuations of each; tokens of a word."""
NEGLIGIBLE = 0.05
"""What is this much less likely than the k-th word is not followed any more."""
LEAST = 1e-5
"""Nor what is this much less likely than the prefix, however many words are asked for."""
MARKS_INSIDE = "'’·׳״-.,"
"""What may stand inside a word or number, so that only the next character ends it."""


@dataclass(frozen=True)
class Candidate:
    """Something that may come next."""

    text: str
    log_prob: float
    """Natural logarithm of its probability."""
    completes: bool = False
    """Whether it is the word that the prefix has begun, rather than the one after it."""

    @property
    def probability(self) -> float:
        """Its probability."""
        return math.exp(self.log_prob)


@torch.inference_mode()
def next_tokens(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prefix: str,
    k: int = 10,
    boundaries: Boundaries = Boundaries(),  # noqa: B008  frozen
) -> list[Candidate]:
    """The k most likely tokens after a prefix, the most likely first; "<eos>" ends the text.

    Args:
        boundaries: What stands before the prefix, as `Run.boundaries` says.

    Raises:
        ConfigError: k is below 1.
    """
    check_value("k", k, at_least(1, "Use for example 10."))
    log_probs, _ = _after(model, tokenizer, prefix, boundaries)
    values, tokens = log_probs[0].sort(stable=True, descending=True)
    pairs = zip(tokens[:k].tolist(), values[:k].tolist(), strict=True)
    return [Candidate(tokenizer.token_text(token), value) for token, value in pairs]


@torch.inference_mode()
def next_words(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prefix: str,
    k: int = 10,
    boundaries: Boundaries = Boundaries(),  # noqa: B008  frozen
) -> list[Candidate]:
    """The k most likely words after a prefix, for tokens of any size.

    A word is one of `PLAIN_WORDS`: what white space, punctuation or the next character of a script
    without spaces ends. A prefix that ends inside a word, or after one, has both kinds of
    continuation: words that complete it ("was" after "It wa") and words after it; together they
    have probability 1. A beam search joins tokens until every beginning left over is far less
    likely than the k words found, or than one in 100,000; the probability of a word may lack
    what unlikely spellings would add.

    Args:
        boundaries: What stands before the prefix, as `Run.boundaries` says.

    Raises:
        ConfigError: k is below 1.
    """
    check_value("k", k, at_least(1, "Use for example 10."))
    check_text("prefix", prefix)
    begun = _begun_word(prefix)
    stem = prefix[: len(prefix) - len(begun)]
    found: list[Candidate] = []
    if begun:
        found = _Search(model, tokenizer, begun, k).after(stem, boundaries)
    # Letters that no token spells are read as unknown; then only a new word can follow.
    return found or _Search(model, tokenizer, "", k).after(prefix, boundaries)


def _after(
    model: LanguageModel, tokenizer: Tokenizer, text: str, boundaries: Boundaries
) -> tuple[Tensor, State]:
    log_probs, state = read_prompt(model, prompt_ids(tokenizer, text, boundaries))
    log_probs = log_probs.clone()
    log_probs[:, list(unwritable(tokenizer))] = -math.inf
    return log_probs, state


def _begun_word(prefix: str) -> str:
    """The word that a prefix ends with, if more letters could belong to it."""
    last = ""
    for match in PLAIN_WORDS.finditer(prefix):
        last = match[0] if match.end() == len(prefix) else ""
    return last if last and _can_grow(last) else ""


def _can_grow(word: str) -> bool:
    """Whether what follows may belong to a word: not to punctuation or an East Asian character."""
    longer = [PLAIN_WORDS.match(word + char) for char in "a0"]
    if any(match is not None and match.end() > len(word) for match in longer):
        return True
    has_marks = unicodedata.category(word[-1]) in ("So", "Cf", "Mn", "Mc")
    return has_marks or SOUTH_EAST_ASIAN.match(word) is not None


@cache
def _extends(char: str) -> bool:
    """Whether a character may belong to the word before it, whatever that is."""
    kinds = (("a", "a"), ("1", "1"), ("ก", ""), ("\U0001f469\u200d", ""), ("\U0001f1e9", ""))
    for word, after in kinds:
        match = PLAIN_WORDS.match(word + char + after)
        if match is not None and match.end() > len(word):
            return True
    return False


def _may_go_on(symbol: bytes) -> bool:
    """Whether a token may go on with a word; parts of a character may."""
    text = symbol[:4].decode(errors="ignore")
    return _extends(text[0]) if text else bool(symbol)


@dataclass(frozen=True)
class _Beginning:
    """Tokens that may become a word."""

    data: bytes
    log_prob: float
    row: int
    """Of the state before the last token."""
    token: int
    """The last one."""


@dataclass
class _Search:
    """Joins tokens to words, all beginnings of the same number of tokens at a time.

    A begun word is taken off the prefix and spelled anew with every token that fits, because the
    tokens of "wa" are not those that "was" begins with.
    """

    model: LanguageModel
    tokenizer: Tokenizer
    begun: str
    k: int
    found: dict[tuple[str, bool], float] = field(default_factory=lambda: defaultdict(float))
    """Probability of words, and whether each completes the begun one."""
    total: float = 0.0
    """Probability of the begun word, however it goes on."""

    def __post_init__(self) -> None:
        size = self.model.vocab_size
        self.symbols = [self.tokenizer.decode_bytes([token]) for token in range(size)]
        self.goes_on = torch.tensor([_may_go_on(symbol) for symbol in self.symbols])
        self.required = b""

    def after(self, stem: str, boundaries: Boundaries) -> list[Candidate]:
        """The k most likely words after a stem that the begun word follows."""
        is_apart = stem.endswith(" ") and not isinstance(self.tokenizer, WordTokenizer)
        if self.begun and is_apart:  # byte pairs hold the space before a word
            stem, self.required = stem[:-1], b" "
        self.required += self.begun.encode()
        self.total = 0.0 if self.begun else 1.0
        log_probs, state = _after(self.model, self.tokenizer, stem, boundaries)
        paths, width = [_Beginning(b"", 0.0, 0, BOUNDARY_ID)], min(max(BEAM, self.k), WIDEST)
        for _ in range(LONGEST + len(self.required)):
            longer = self._step(paths, log_probs, self._bound())
            paths = heapq.nlargest(width, longer, key=lambda path: path.log_prob)
            if not paths:
                break
            rows = torch.tensor([path.row for path in paths])
            tokens = torch.tensor([[path.token] for path in paths])
            state = select_rows(state, rows)  # lets go of the old one, which may be large
            with threads_for(len(paths), len(paths)):
                log_probs, state = self.model.read(tokens, state)
            log_probs = log_probs[:, -1]
            log_probs[:, list(unwritable(self.tokenizer))] = -math.inf
        best = heapq.nlargest(self.k, self.found.items(), key=lambda item: item[1])
        return [
            Candidate(word, math.log(min(chance / self.total, 1.0)), completes)
            for (word, completes), chance in best
        ]

    def _bound(self) -> float:
        """Log-probability below which nothing can change the k best words."""
        least = sorted(self.found.values(), reverse=True)[self.k - 1 : self.k]
        bound = max(NEGLIGIBLE * (least[0] if least else 0.0), LEAST * self.total)
        return math.log(bound) if bound > 0 else -math.inf

    def _step(
        self, paths: list[_Beginning], log_probs: Tensor, bound: float
    ) -> Iterator[_Beginning]:
        """Beginnings one token longer, `log_probs (R, V)`; words that end are put down as found."""
        ending = log_probs.masked_fill(self.goes_on, -math.inf).logsumexp(1).tolist()
        for row, beginning in enumerate(paths):
            scores, tokens = log_probs[row], None
            if len(beginning.data) < len(self.required):
                tokens = self._fitting(self.required[len(beginning.data) :])
            elif (word := self._word(beginning.data, ended=True)) and word[0] != BOUNDARY:
                self.found[word] += math.exp(beginning.log_prob + ending[row])
                scores = scores.masked_fill(~self.goes_on, -math.inf)
            yield from self._longer(beginning, row, scores, tokens, bound)

    def _longer(
        self,
        beginning: _Beginning,
        row: int,
        scores: Tensor,
        tokens: list[int] | None,
        bound: float,
    ) -> Iterator[_Beginning]:
        """A beginning with each of the given or of its likely next tokens, words left out."""
        values, places = scores.topk(min(WIDTH, len(scores)))
        if tokens is not None:
            values, places = scores[tokens], torch.tensor(tokens, dtype=torch.int64)
        for value, token in zip(values.tolist(), places.tolist(), strict=True):
            if value == -math.inf or beginning.log_prob + value < bound:
                continue
            data = beginning.data + self.symbols[token]
            longer = _Beginning(data, beginning.log_prob + value, row, token)
            chance = math.exp(longer.log_prob)
            if len(beginning.data) < len(self.required) <= len(data):
                self.total += chance
            word = None
            if len(data) >= len(self.required):
                word = self._word(data, ended=token == BOUNDARY_ID)
            if word is None:
                yield longer
            else:
                self.found[word] += chance

    def _fitting(self, rest: bytes) -> list[int]:
        """Tokens that spell the rest of the begun word, its beginning, or more."""
        return [
            token
            for token, symbol in enumerate(self.symbols)
            if symbol and (symbol.startswith(rest) or rest.startswith(symbol))
        ]

    def _word(self, data: bytes, ended: bool) -> tuple[str, bool] | None:
        """The word that data has become and whether it completes the begun one, else None."""
        first = _finished(data, ended)
        if first is None or not self.begun:
            return first and (first[0], False)
        if first[0] != self.begun:
            return first[0], True
        second = _finished(first[1].encode(), ended)
        return second and (second[0], False)


def _finished(data: bytes, ended: bool) -> tuple[str, str] | None:
    """The first word of a text if it cannot become longer, and the rest; "<eos>" if it ends so."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    start = text.lstrip()
    match = PLAIN_WORDS.match(start)
    if match is None:
        return (BOUNDARY, "") if ended else None
    word, rest = match[0], start[match.end() :]
    certain = rest[1:] or (rest and rest not in MARKS_INSIDE) or not _can_grow(word)
    return (word, rest) if ended or certain else None
