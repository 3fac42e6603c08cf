"""The charts of a classifier: promised and kept, over time, by length."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import sqrt
from typing import Literal

from ..results.classification import Bin, LengthGroup, Look
from .classification_table import ClassifierFigures
from .parts import NUM_COLOURS, bar, columns, duration, number, percent, section, table
from .reliability import diagram
from .uplot_charts import Series, chart, side_by_side

RELIABILITY = """Of the texts that the classifier is 90 % sure of, nine in ten should be right: a
point below the dashed line promised too much, one above it too little, and the larger it is, the
more texts say so."""

CURVES = """On the training texts (faint) and on those held out (full): nothing more of use is
learned where the full loss no longer falls."""

LENGTHS = """Each point is a group of texts of about the same length: a line that falls to the right
belongs to a model that loses the thread of long texts."""


def reliability(bins: Sequence[Bin]) -> str:
    """Promised and kept probabilities, as a picture and in figures."""
    most = max((entry.count for entry in bins), default=0)
    rows = "".join(
        f"<tr><th scope=row>{_range(100 * entry.low, 100 * entry.high)}"
        f"\N{NO-BREAK SPACE}%</th><td>{percent(entry.confidence)}</td>"
        f"<td>{percent(entry.accuracy)}</td>"
        f"<td class=bits>{entry.count:,}{bar(entry.count, most, 0)}</td></tr>"
        for entry in bins
    )
    figures = table(columns(("sure by", "promised", "kept", "texts"), "texts"), rows)
    body = side_by_side(diagram(bins) + figures) if bins else ""
    return section("Can its probabilities be trusted?", RELIABILITY, body)


def curves(models: Sequence[ClassifierFigures], looks: Mapping[str, Sequence[Look]]) -> str:
    """Loss and accuracy of the recurrent models while they train."""
    rank = {model.name: rank for rank, model in enumerate(models)}
    losses, accuracies, notes = [], [], ""
    for name, seen in looks.items():
        train = ((look.epoch, look.train_loss) for look in seen)
        valid = ((look.epoch, look.valid_loss) for look in seen)
        right = ((look.epoch, _hundred(look.valid_accuracy)) for look in seen)
        losses.append(line(f"{name}, training", rank[name], "faint", train))
        losses.append(line(name, rank[name], "line", valid))
        accuracies.append(line(name, rank[name], "line", right))
        notes += _lowest(name, seen)
    passes = "passes over the training texts"
    charts = _drawn("Loss, nats", passes, "linear", losses)
    charts += _drawn("Accuracy on held-out texts, %", passes, "linear", accuracies)
    return section("Learning curve", CURVES, side_by_side(charts) + notes)


def _lowest(name: str, looks: Sequence[Look]) -> str:
    losses = [(loss, look) for look in looks if (loss := look.valid_loss) is not None]
    if len(losses) < 2:
        return ""
    loss, look = min(losses, key=lambda pair: pair[0])
    return (
        f"<p class=note>{escape(name)}: lowest loss on held-out texts {number(loss)} nats, after "
        f"{look.epoch:.1f} passes, {duration(look.seconds)}.</p>"
    )


def lengths(models: Sequence[ClassifierFigures], groups: Sequence[LengthGroup]) -> str:
    """Accuracy of each model by the length of the text."""
    names = [model.name for model in models]
    lines = [
        line(name, rank, "line", ((_middle(g), _hundred(g.accuracy.get(name))) for g in groups))
        for rank, name in enumerate(names)
    ]
    head = columns(("characters", "texts", *names))
    rows = "".join(
        f"<tr><th scope=row>{_range(group.low, group.high)}</th><td>{group.count:,}</td>"
        + "".join(f"<td>{percent(group.accuracy.get(name))}</td>" for name in names)
        + "</tr>"
        for group in groups
    )
    picture = _drawn("Accuracy by length, %", "characters", "log", lines)
    body = side_by_side(picture + table(head, rows)) if groups else ""
    return section("Accuracy by length", LENGTHS, body)


def _middle(group: LengthGroup) -> float:
    """Where a group stands on a logarithmic axis."""
    return sqrt(max(group.low, 1) * max(group.high, 1))


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share


def line(
    name: str,
    rank: int,
    kind: Literal["line", "faint"],
    points: Iterable[tuple[float, float | None]],
) -> Series:
    """A line through the points that have a figure."""
    shown = [(x, y) for x, y in points if y is not None]
    x, y = [x for x, _ in shown], [y for _, y in shown]
    return {"name": name, "colour": rank % NUM_COLOURS, "kind": kind, "x": x, "y": y}


def _drawn(heading: str, x: str, scale: Literal["linear", "log"], lines: list[Series]) -> str:
    """A chart of lines; nothing where none of them has two points."""
    if all(len(row["x"]) < 2 for row in lines):
        return ""
    return chart(heading, x, scale, lines, [y for row in lines for y in row["y"]])
