"""The page of a trained text classifier: how often it is right, and where and why it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import Any

from ..results.classification import Classification, Figures, LengthGroup, Look, Part
from .charts import Axis, Chart, Line, line, line_chart
from .explained import marks
from .format import duration, is_known, number, percent, scaled
from .page import render
from .predictions import confusion_chart, reliability_chart
from .tables import Cell, Column, Row, Table, barred, cells, definitions
from .words import Language, Words

BASELINE = "linear"
MOST_CLASSES = 50
"""In the picture of the confusion matrix."""
MANY_CLASSES = 8
"""With more, the lines of their table are small."""
NUM_PAIRS = 5
"""Confusions said in words."""
LONGEST = 2000
"""Characters of a mistake that are shown."""


@dataclass(frozen=True, kw_only=True)
class _Model(Figures):
    """One row of the table."""

    name: str
    is_chosen: bool
    train_seconds: float | None
    texts_per_second: float | None
    num_parameters: int | None
    saved: float | None


def html(result: Classification, language: Language = "en") -> str:
    """Writes what a classifier is worth as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: no page is written in this language.
    """
    words = Words("classification", language)
    models = _models(result)
    names = [str(name) for name in result.classes]
    charts = {
        "confusion": _confusion(names, result.confusion, words),
        "reliability": _reliability(result, words),
        "curves": _curves(models, result.curves, words),
        "by_length": _by_length(models, result.by_length, words),
    }
    return render(
        "classification",
        words,
        has_charts=any(charts.values()),
        title=result.title,
        verdict=_verdict(result, models, words),
        models=_ranking(models, words),
        confused=_confused(names, result.confusion, words),
        classes=_classes(names, result.confusion, words),
        bins=_bins(result, words),
        lowest=_lowest(result.curves, words),
        lengths=_lengths(models, result.by_length, words),
        class_words=_class_words(result),
        mistakes=[(entry, _cut(entry.text)) for entry in result.mistakes],
        explained=[(entry, marks(entry.parts)) for entry in result.explained],
        conditions=_conditions(result, words),
        notes=result.notes,
        **charts,
    )


def reason(weights: Mapping[str, float], words: Words) -> str:
    """Says in one sentence which models predict, by their weights in the mixture."""
    if len(weights) == 1:
        return words("reason linear")
    used = [name for name, weight in weights.items() if weight]
    if len(used) == 1:
        return words("reason one", name=used[0])
    return words("reason mixture", names=words("comma").join(used[:-1]), last=used[-1])


def _models(result: Classification) -> list[_Model]:
    """What a result says of each model."""
    return [
        _Model(
            **vars(figures),
            name=name,
            is_chosen=name == result.chosen_model,
            train_seconds=result.seconds.get(name),
            texts_per_second=result.texts_per_second.get(name),
            num_parameters=result.num_parameters.get(name),
            saved=result.saved.get(name) if len(result.models) > 1 else None,
        )
        for name, figures in result.models.items()
    ]


def _verdict(result: Classification, models: Sequence[_Model], words: Words) -> str:
    """Accuracy of the chosen model, beside the baseline, and why it was chosen."""
    chosen = next(model for model in models if model.is_chosen)
    share, low, high = (
        percent(value, words.language)
        for value in (chosen.accuracy, chosen.accuracy_low, chosen.accuracy_high)
    )
    said = words("verdict", share=share, count=result.num_texts, split=words.split(result.split))
    if is_known(chosen.accuracy_low):
        said += words("verdict interval", low=low, high=high)
    said += _beside(chosen, models, words)
    return words("verdict and reason", verdict=said, reason=reason(result.weights, words))


def _beside(chosen: _Model, models: Sequence[_Model], words: Words) -> str:
    """How far the chosen model is from the baseline, in the digits that the page shows."""
    baseline = next((model for model in models if model.name == BASELINE), None)
    if baseline is None or not is_known(chosen.accuracy) or not is_known(baseline.accuracy):
        return ""
    if baseline is chosen:
        return words("verdict itself")
    gap = round(100 * chosen.accuracy, 1) - round(100 * baseline.accuracy, 1)
    alone = percent(baseline.accuracy, words.language)
    if abs(gap) < 0.05:
        return words("verdict level", baseline=alone)
    key = "verdict more" if gap > 0 else "verdict fewer"
    said = words(key, gap=abs(gap), baseline=alone)
    low = max(chosen.accuracy_low, baseline.accuracy_low)
    high = min(chosen.accuracy_high, baseline.accuracy_high)
    return said + (words("verdict overlap") if low <= high else "")


def _ranking(models: Sequence[_Model], words: Words) -> Table:
    """Models in the order given, the best of each column bold; empty columns are left out."""
    share = partial(percent, language=words.language)
    seconds = partial(duration, language=words.language)
    accuracy = Column("accuracy", words("accuracy"), share, max)
    others = [
        Column("macro_f1", words("macro_f1"), share, max),
        Column("log_loss", words("log_loss"), number, min),
        Column("calibration_error", words("calibration_error"), share, min),
        Column("saved", words("saved"), number),
        Column("num_parameters", words("parameters"), scaled, min),
        Column("train_seconds", words("train_seconds"), seconds, min),
        Column("texts_per_second", words("texts_per_second"), scaled, max),
    ]
    columns = [accuracy, *(column for column in others if column.known(models))]
    rows = []
    for rank, model in enumerate(models):
        first, *figures = [_figure(model, column, models) for column in columns]
        bar = barred(model.accuracy, 1, first.text, rank, _interval(model, words))
        figures.insert(0, replace(bar, is_best=first.is_best))
        rows.append(Row(model.name, figures, rank, words("chosen") if model.is_chosen else ""))
    headings = [words("model"), *(column.heading for column in columns)]
    return Table(headings, rows, barred=[accuracy.heading])


def _figure(model: _Model, column: Column, models: Sequence[_Model]) -> Cell:
    """One figure of a model; bold where it is the best of several."""
    value = getattr(model, column.key)
    best = column.best_of(models) if len(column.known(models)) > 1 else None
    return Cell(column.write(value), is_best=is_known(value) and value == best)


def _interval(model: _Model, words: Words) -> str:
    low, high = model.accuracy_low, model.accuracy_high
    if not is_known(low) or not is_known(high):
        return ""
    return words("interval", low=100 * low, high=100 * high)


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]], words: Words) -> Chart | None:
    """The confusion matrix; of very many classes, those with the most mistakes."""
    if not counts:
        return None
    shown, note = range(len(names)), ""
    if len(names) > MOST_CLASSES:
        columns = list(zip(*counts, strict=True))
        wrong = [sum(counts[k]) + sum(columns[k]) - 2 * counts[k][k] for k in shown]
        shown = sorted(sorted(shown, key=lambda k: -wrong[k])[:MOST_CLASSES])
        note = words("confusion part", shown=MOST_CLASSES, count=len(names))
    titles = words("true class"), words("predicted class"), words("texts"), words("of the class")
    chart = confusion_chart(words("confusion matrix"), titles, names, counts, shown)
    return replace(chart, note=note)


def _confused(names: Sequence[str], counts: Sequence[Sequence[int]], words: Words) -> str:
    """The most frequent confusions; two classes have them before everyone's eyes."""
    if len(names) <= 2:
        return ""
    pairs = [
        (count, names[true], names[predicted])
        for true, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    most = sorted(pairs, key=lambda pair: -pair[0])[:NUM_PAIRS]
    return words("next pair").join(
        words("confused pair", true=true, predicted=predicted, count=count)
        for count, true, predicted in most
    )


def _classes(names: Sequence[str], counts: Sequence[Sequence[int]], words: Words) -> Table:
    """Precision, recall and F1 of each class, and which other it is most often taken for."""
    totals = [sum(column) for column in zip(*counts, strict=True)]
    has_others = len(names) > 2
    rows = []
    for place, (name, row) in enumerate(zip(names, counts, strict=False)):
        right, true, predicted = row[place], sum(row), totals[place]
        f1 = 2 * right / (true + predicted) if true + predicted else None
        figures = cells((f"{true:,}", _hundredths(right, predicted), _hundredths(right, true)))
        figures.append(barred(f1, 1, number(None if f1 is None else 100 * f1, ".1f"), 0))
        if has_others:
            count, other = max((n, -k) for k, n in enumerate(row) if k != place)
            taken = words("other class", name=names[-other], count=count) if count else ""
            figures.append(Cell(taken))
        rows.append(Row(name, figures))
    keys = ["class", "texts", "precision", "recall", "f1", *["taken for"] * has_others]
    kind = "dense" if len(names) > MANY_CLASSES else ""
    return Table([words(key) for key in keys], rows, kind, barred=[words("f1")])


def _hundredths(part: int, total: int) -> str:
    return number(100 * part / total if total else None, ".1f")


def _reliability(result: Classification, words: Words) -> Chart | None:
    """Accuracy against confidence; the area of a point is its number of texts."""
    if not result.reliability:
        return None
    axes = Axis(words("confidence, %")), Axis(words("accuracy, %"))
    lowest = min(min(entry.low, entry.accuracy) for entry in result.reliability)
    points = [
        (100 * entry.confidence, 100 * entry.accuracy, entry.count) for entry in result.reliability
    ]
    return reliability_chart(
        words("reliability diagram"), axes, points, 100 * lowest, words("texts")
    )


def _bins(result: Classification, words: Words) -> Table:
    """The figures of the reliability diagram."""
    most = max((entry.count for entry in result.reliability), default=0)
    rows = []
    for entry in result.reliability:
        shares = (percent(value, words.language) for value in (entry.confidence, entry.accuracy))
        figures = [*cells(shares), barred(entry.count, most, f"{entry.count:,}", 0)]
        span = words("percent range", range=_range(100 * entry.low, 100 * entry.high))
        rows.append(Row(span, figures))
    headings = [words(key) for key in ("confidence", "mean confidence", "accuracy", "texts")]
    return Table(headings, rows, barred=[words("texts")])


def _curves(
    models: Sequence[_Model], looks: Mapping[str, Sequence[Look]], words: Words
) -> list[Chart]:
    """Loss and accuracy of the recurrent models while they train."""
    rank = {model.name: rank for rank, model in enumerate(models)}
    losses, accuracies = [], []
    for name, seen in looks.items():
        train = [(look.epoch, look.train_loss) for look in seen]
        valid = [(look.epoch, look.valid_loss) for look in seen]
        right = [(look.epoch, look.valid_accuracy) for look in seen]
        losses.append(line(words("training", name=name), rank[name], train, is_faint=True))
        losses.append(line(name, rank[name], valid))
        accuracies.append(line(name, rank[name], right, scale=100))
    axes = Axis(words("passes")), Axis(words("log_loss"))
    charts = [
        _drawn(words("loss chart"), axes, losses),
        _drawn(words("accuracy chart"), (axes[0], Axis(words("accuracy, %"))), accuracies),
    ]
    return [chart for chart in charts if chart]


def _drawn(title: str, axes: tuple[Axis, Axis], lines: Sequence[Line]) -> Chart | None:
    """A chart of lines; nothing where none of them has two points."""
    return line_chart(title, axes, lines) if any(len(row.points) > 1 for row in lines) else None


def _lowest(looks: Mapping[str, Sequence[Look]], words: Words) -> list[str]:
    """Where each learning curve was lowest."""
    notes = []
    for name, seen in looks.items():
        losses = [(look.valid_loss, look) for look in seen if is_known(look.valid_loss)]
        if len(losses) > 1:
            loss, look = min(losses, key=lambda pair: pair[0])
            after = {"epoch": look.epoch, "duration": duration(look.seconds, words.language)}
            notes.append(words("lowest", name=name, loss=number(loss), **after))
    return notes


def _by_length(
    models: Sequence[_Model], groups: Sequence[LengthGroup], words: Words
) -> Chart | None:
    """Accuracy of each model by the length of the text."""
    lines = [
        line(
            model.name,
            rank,
            ((_middle(group), group.accuracy.get(model.name)) for group in groups),
            scale=100,
        )
        for rank, model in enumerate(models)
    ]
    axes = Axis(words("characters"), is_log=True), Axis(words("accuracy, %"))
    return _drawn(words("lengths chart"), axes, lines)


def _middle(group: LengthGroup) -> float:
    """Where a group stands on a logarithmic axis."""
    return sqrt(max(group.low, 1) * max(group.high, 1))


def _lengths(models: Sequence[_Model], groups: Sequence[LengthGroup], words: Words) -> Table | None:
    """The same in figures."""
    if not groups:
        return None
    rows = []
    for group in groups:
        shares = (percent(group.accuracy.get(model.name), words.language) for model in models)
        rows.append(Row(_range(group.low, group.high), cells((f"{group.count:,}", *shares))))
    headings = [words("characters"), words("texts"), *(model.name for model in models)]
    return Table(headings, rows)


def _range(low: float, high: float) -> str:
    return f"{low:,.0f}" if low == high else f"{low:,.0f}–{high:,.0f}"


def _class_words(result: Classification) -> list[tuple[str, list[tuple[Part, float]]]]:
    """The strongest n-grams of each class, as deep in colour as they are strong."""
    shown = []
    for name, parts in result.class_ngrams.items():
        heaviest = max((abs(part.weight) for part in parts), default=0) or 1
        if parts:
            shown.append((name, [(part, abs(part.weight) / heaviest) for part in parts]))
    return shown


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _conditions(result: Classification, words: Words) -> list[tuple[str, str]]:
    """Sizes of the parts, what was asked for, and where it ran."""
    rows: dict[str, Any] = {
        words("training texts"): result.num_texts_of["train"],
        words("validation texts"): result.num_texts_of["valid"],
    }
    if result.split != "valid":
        rows[words("test texts")] = result.num_texts
    rows[words("classes")] = len(result.classes)
    asked = {key: value for key, value in result.request.items() if value not in (None, [], {})}
    conditions = asked | {"machine": result.machine, "versions": result.versions}
    rows |= {words.name(key): value for key, value in conditions.items()}
    return definitions(rows)
