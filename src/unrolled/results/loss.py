"""What a text costs a model, in units that can be compared: one formula each."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from ..system.records import Record
from .summary import Figure, Summarized, Summary

BITS_PER_NAT = 1 / math.log(2)


@dataclass(frozen=True, repr=False)
class Loss(Summarized, Record):
    """Total cost of a text and what it is divided by.

    Bits per byte is the headline: it is the same whatever the tokenizer. Where symbols of the text
    are unknown to the tokenizer, bits per byte, per character and perplexity per word include what
    spelling them costs; the perplexity per token does not, and `closed_vocabulary` says so.
    """

    DERIVED: ClassVar[tuple[str, ...]] = (
        *("bits_per_byte", "bits_per_char", "nats_per_token"),
        *("perplexity", "perplexity_per_word", "closed_vocabulary"),
    )

    loss_nats: float
    """Negative log-likelihood of all tokens, document boundaries included."""
    num_tokens: int
    num_bytes: int
    """UTF-8 bytes of the original text."""
    num_chars: int
    num_words: int
    """Words and document boundaries, as in PTB perplexities: words stand between white space; in
    scripts without spaces each character is one."""
    num_unknown: int = 0
    spelling_nats: float = 0.0
    """What the unknown symbols cost beyond naming them unknown."""

    @property
    def bits_per_byte(self) -> float:
        """(loss + spelling) in bits, divided by the bytes of the text."""
        return (self.loss_nats + self.spelling_nats) * BITS_PER_NAT / self.num_bytes

    @property
    def bits_per_char(self) -> float:
        """(loss + spelling) in bits, divided by the characters of the text."""
        return (self.loss_nats + self.spelling_nats) * BITS_PER_NAT / self.num_chars

    @property
    def nats_per_token(self) -> float:
        """Mean negative log-likelihood of a token."""
        return self.loss_nats / self.num_tokens

    @property
    def perplexity(self) -> float:
        """exp(nats per token); depends on the tokenizer."""
        return _exp(self.nats_per_token)

    @property
    def perplexity_per_word(self) -> float | None:
        """exp(nats per word); None for text without spaces, where words cannot be counted."""
        if self.num_chars > 20 * self.num_words:
            return None
        return _exp((self.loss_nats + self.spelling_nats) / self.num_words)

    @property
    def closed_vocabulary(self) -> bool:
        """Whether the perplexity per token leaves unknown symbols unspelled."""
        return self.num_unknown > 0

    def summary(self) -> Summary:
        """The cost in every unit."""
        headings = ("", "bits/byte", "bits/char", "perplexity/token", "perplexity/word")
        costs = self.bits_per_byte, self.bits_per_char, self.perplexity, self.perplexity_per_word
        title = f"{self.num_tokens:,} tokens, {self.num_bytes:,} bytes"
        return Summary(title, headings, [("model", *costs)])


@dataclass(frozen=True)
class Baseline(Record):
    """What a text costs without a trained network."""

    name: str
    bits_per_byte: float


@dataclass(frozen=True, kw_only=True, repr=False)
class Evaluation(Loss):
    """What a text costs a model, with the figures that it is read by."""

    baselines: list[Baseline]
    """What the same text costs simple models."""

    def summary(self) -> Summary:
        """The cost in every unit, and below it that of the baselines."""
        own = super().summary()
        others: list[tuple[Figure, ...]] = [
            (row.name, row.bits_per_byte, None, None, None) for row in self.baselines
        ]
        return replace(own, rows=[*own.rows, *others])


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf
