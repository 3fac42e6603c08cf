"""Which class is taken for which: the confusion matrix as a table with the colours of a map."""

from collections.abc import Sequence
from html import escape

from .parts import number, section, table

CONFUSION = """Every row holds the texts of one true class and every column what was predicted: blue
is right, orange wrong, and the deeper a colour, the larger its part of the row."""

MANY = 8
"""With more classes, names stand upright and cells are small."""
NUM_PAIRS = 5
"""Confusions said in words."""


def confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Counts of texts by true class (rows) and predicted class (columns), `(K, K)`."""
    if not counts:
        return ""
    names = [escape(str(name)) for name in classes]
    head = "<th scope=col>true ↓ &nbsp;predicted →</th>"
    head += "".join(_head(name) for name in [*names, "recall, %"])
    rows = zip(names, counts, strict=True)
    body = "".join(_row(place, name, row) for place, (name, row) in enumerate(rows))
    kind = "confusion dense" if len(names) > MANY else "confusion"
    picture = table(head, body + _precision(counts), kind)
    heading = "Which class is taken for which"
    return section(heading, CONFUSION, picture + _pairs(names, counts))


def _head(name: str) -> str:
    return f'<th scope=col title="{name}"><span dir=auto>{name}</span></th>'


def _row(place: int, name: str, counts: Sequence[int]) -> str:
    total = sum(counts)
    cells = "".join(
        _cell(count, count / total if total else 0, column == place)
        for column, count in enumerate(counts)
    )
    title = f'<th scope=row dir=auto title="{name}">{name}</th>'
    return f"<tr>{title}{cells}<td class=total>{_hundredths(counts[place], total)}</td></tr>"


def _cell(count: int, share: float, right: bool) -> str:
    """The root of a small share of mistakes can still be seen."""
    depth = share if right else share ** (1 / 3)
    style = f"--share:{100 * depth:.0f}%"
    said = f"{count:,}" if count else ""
    return f'<td class="heat c{0 if right else 1}" style="{style}">{said}</td>'


def _precision(counts: Sequence[Sequence[int]]) -> str:
    totals = [sum(column) for column in zip(*counts, strict=True)]
    cells = "".join(
        f"<td>{_hundredths(counts[place][place], total)}</td>" for place, total in enumerate(totals)
    )
    return f"<tr class=total><th scope=row>precision, %</th>{cells}<td></td></tr>"


def _hundredths(right: int, total: int) -> str:
    return number(100 * right / total if total else None, ".1f")


def _pairs(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """The most frequent confusions; two classes have them before everyone's eyes."""
    pairs = [
        (count, true, predicted)
        for true, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    most = sorted(pairs, key=lambda pair: -pair[0])[:NUM_PAIRS]
    said = "; ".join(
        f"<bdi>{names[true]}</bdi> for <bdi>{names[predicted]}</bdi> ({count:,})"
        for count, true, predicted in most
    )
    return f"<p class=note>Most often taken: {said}.</p>" if said and len(names) > 2 else ""
