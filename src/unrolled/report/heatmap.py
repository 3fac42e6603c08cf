"""The heat map of `unrolled score`: every token in the colour of its surprisal."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .page import stream
from .words import Language, Words

LEVELS = (1, 2, 4, 6, 8, 12, 16)
"""Bits at which the next colour begins."""


class Cost(Protocol):
    """A token, its characters from `start` to `end` in the text, and what it costs."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def bits(self) -> float: ...


class TextScore(Protocol):
    """What one text costs, as `score_texts` gives it."""

    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> Sequence[Cost]: ...
    @property
    def bits(self) -> float: ...
    @property
    def bits_per_byte(self) -> float: ...


@dataclass
class Mark:
    """A token as it is shown, after text that belongs to no token."""

    before: str
    text: str
    start: int
    end: int
    bits: float

    @property
    def level(self) -> int:
        """Its colour, 0 for what was expected."""
        return sum(self.bits >= bound for bound in LEVELS)

    @property
    def chance(self) -> str:
        """Its probability."""
        return f"{2**-self.bits:.2%}" if self.bits < 13 else f"{2**-self.bits:.0e}"


def html(
    scores: Iterable[tuple[int, TextScore | None]], text: str, run: str, language: Language = "en"
) -> Iterator[str]:
    """Writes texts as a page, in pieces: of all texts only one is in memory at a time.

    Args:
        scores: Each with the number of its row; None where the row has no text.
        text: Where the texts are from.
        run: The model.
    """
    words = Words("heatmap", language)
    return stream(
        "heatmap",
        words,
        has_charts=False,
        title=words("title", text=text, run=run),
        verdict=words("verdict"),
        levels=LEVELS,
        scores=((number, score, marks(score) if score else []) for number, score in scores),
    )


def marks(score: TextScore) -> list[Mark]:
    """The tokens of a text; those that share a character are joined, so that it is shown once."""
    shown: list[Mark] = []
    for token in score.tokens:
        place = shown[-1].end if shown else 0
        if shown and token.start < place:
            joined = shown[-1]
            joined.text = score.text[joined.start : token.end]
            joined.end, joined.bits = token.end, joined.bits + token.bits
        else:
            before = score.text[place : token.start]
            shown.append(Mark(before, token.text, token.start, token.end, token.bits))
    return shown
