"""Words that speak for a class or against it, and texts that were put in a wrong one."""

from collections.abc import Mapping, Sequence
from html import escape

from ..results.classification import Explained, Mistake, Part
from .document import document
from .parts import language, percent, quotation, section

WORDS = """What the linear model holds most typical of each class, the strongest first: words that
have nothing to do with their class show that it has learned an accident of the data."""

MISTAKES = """The wrong answers that the classifier was surest of: many are wrong labels, or texts
that only knowledge of the world can tell apart."""

EXPLAINED = """<mark class=c0 style="--share:45%">Blue</mark> words speak for the predicted class,
underlined <mark class=c1 style="--share:45%">orange</mark> ones against it, and the deeper the
colour, the more."""

VISIBLE = 0.08
"""Words that weigh less than this part of the heaviest stay without colour."""
LONGEST = 2000
"""Characters of a mistake that are shown."""


def explained_page(title: str, explained: Sequence[Explained]) -> str:
    """Writes explained texts alone as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.
    """
    texts = f"{len(explained):,} text{'' if len(explained) == 1 else 's'}"
    verdict = f"{texts}, with the words that decided."
    return document("Text classifier", title, verdict, explanations(explained))


def explanations(explained: Sequence[Explained]) -> str:
    """Texts with their words coloured."""
    return section("Examples explained", EXPLAINED, "".join(map(_explained, explained)))


def _explained(entry: Explained) -> str:
    label = entry.label
    truth = "" if label is None or label == entry.predicted else f", truly {_name(label)}"
    text = "".join(part.text for part in entry.parts)
    return (
        f"<div class=explained><h3>{_name(entry.predicted)} "
        f"<small>{percent(entry.probability)}{truth}</small></h3>"
        f'<pre dir=auto lang="{language(text)}">{explanation_html(entry.parts)}</pre></div>'
    )


def explanation_html(parts: Sequence[Part]) -> str:
    """A text whose words are coloured: blue for the class, orange against it.

    Args:
        parts: They add up to the text; weights in nats of log-odds, shown under the cursor.
    """
    heaviest = max((abs(part.weight or 0) for part in parts), default=0)
    return "".join(_mark(part.text, part.weight or 0, heaviest) for part in parts)


def _mark(text: str, weight: float, heaviest: float) -> str:
    """Colours a word, but not the space around it."""
    core = text.strip()
    if not core or abs(weight) <= VISIBLE * heaviest:
        return escape(text)
    before, _, after = text.partition(core)
    kind, share = 0 if weight > 0 else 1, 60 * abs(weight) / heaviest
    return (
        f'{before}<mark class=c{kind} style="--share:{share:.0f}%" title="{weight:+.2f}">'
        f"{escape(core)}</mark>{after}"
    )


def class_words(words: Mapping[str, Sequence[Part]]) -> str:
    """The strongest n-grams of each class, as deep in colour as they are strong."""
    boxes = "".join(
        f"<div><h3>{_name(name)}</h3><p class=words>{_chips(entries)}</p></div>"
        for name, entries in words.items()
        if entries
    )
    return section("Words of each class", WORDS, f"<div class=details>{boxes}</div>" * bool(boxes))


def _chips(entries: Sequence[Part]) -> str:
    heaviest = max(abs(entry.weight or 0) for entry in entries) or 1
    return " ".join(_chip(entry.text, entry.weight or 0, heaviest) for entry in entries)


def _chip(text: str, weight: float, heaviest: float) -> str:
    share = 60 * abs(weight) / heaviest
    return (
        f'<mark class=c{0 if weight >= 0 else 1} dir=auto lang="{language(text)}" '
        f'style="--share:{share:.0f}%" title="{weight:+.2f}">{escape(text)}</mark>'
    )


def mistakes(wrong: Sequence[Mistake]) -> str:
    """The surest wrong answers."""
    boxes = "".join(
        f"<div><h3>{_name(entry.predicted)} <small>{percent(entry.probability)}, "
        f"truly {_name(entry.label)}</small></h3>{quotation(_cut(entry.text))}</div>"
        for entry in wrong
    )
    body = f'<div class="samples mistakes">{boxes}</div>' if boxes else ""
    return section("Surest mistakes", MISTAKES, body)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _name(name: str) -> str:
    return f"<bdi>{escape(str(name))}</bdi>"
