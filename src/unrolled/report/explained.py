"""The page of explained texts: words that speak for a class or against it, in colour."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..results.classification import Explained, Part
from .page import render
from .words import Language, Words

VISIBLE = 0.08
"""Words that weigh less than this part of the heaviest stay without colour."""


@dataclass(frozen=True)
class Mark:
    """A piece of a text: white space, the word in colour, white space."""

    before: str
    word: str
    after: str
    share: float
    """Depth of the colour, of 1; 0: none."""
    weight: float

    @property
    def rank(self) -> int:
        """Colour 0 speaks for the class, colour 1 against it."""
        return int(self.weight < 0)


def html(title: str, explained: Sequence[Explained], language: Language = "en") -> str:
    """Writes explained texts as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.
    """
    words = Words("explained", language)
    key = "verdict one" if len(explained) == 1 else "verdict"
    return render(
        "explained",
        words,
        has_charts=False,
        title=title,
        verdict=words(key, count=len(explained)),
        explained=[(entry, marks(entry.parts)) for entry in explained],
    )


def marks(parts: Sequence[Part], visible: float = VISIBLE) -> list[Mark]:
    """The parts of a text with the colours of their weights, the heaviest the deepest.

    Args:
        parts: They add up to the text; weights in nats of log-odds.
        visible: Words that weigh no more than this part of the heaviest have no colour.
    """
    heaviest = max((abs(part.weight) for part in parts), default=0)
    marked = []
    for part in parts:
        word = part.text.strip()
        before, _, after = part.text.partition(word) if word else (part.text, "", "")
        has_colour = word and abs(part.weight) > visible * heaviest
        share = abs(part.weight) / heaviest if has_colour else 0.0
        marked.append(Mark(before, word, after, share, part.weight))
    return marked
