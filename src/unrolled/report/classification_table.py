"""The table of models on the page of a classifier."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from ..results.classification import Classification
from .parts import bar, columns, duration, marked, number, percent, scaled, section, table

MODELS = """Accuracy is the part of the texts that are put in their right class, and on other texts
of the same sort it would lie in its 95 % interval; macro-F1 counts rare classes as much as frequent
ones, the loss in nats punishes wrong probabilities, the calibration error says how far promised and
kept probabilities lie apart, and what a model saves is the loss of held-out texts that the mixture
would have more without it."""

Figure: TypeAlias = Literal[
    "accuracy",
    "macro_f1",
    "log_loss",
    "calibration_error",
    "saved",
    "num_parameters",
    "train_seconds",
    "texts_per_second",
]


@dataclass(frozen=True)
class ClassifierFigures:
    """One row of the table."""

    name: str
    chosen: bool
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    macro_f1: float | None
    log_loss: float | None
    calibration_error: float | None
    train_seconds: float | None
    texts_per_second: float | None
    num_parameters: int | None
    saved: float | None


def models_of(result: Classification) -> list[ClassifierFigures]:
    """What a result says of each model."""
    return [
        ClassifierFigures(
            name=name,
            chosen=name == result.chosen_model,
            **vars(figures),
            train_seconds=result.seconds.get(name),
            texts_per_second=result.texts_per_second.get(name),
            num_parameters=result.num_parameters.get(name),
            saved=result.saved.get(name) if len(result.models) > 1 else None,
        )
        for name, figures in result.models.items()
    ]


class Column(NamedTuple):
    """One figure of every model; None: no model is best in it."""

    key: Figure
    heading: str
    write: Callable[[float | None], str]
    best: Callable[[Iterable[float]], float] | None


COLUMNS = (
    Column("accuracy", "accuracy", percent, max),
    Column("macro_f1", "macro-F1", percent, max),
    Column("log_loss", "loss, nats", number, min),
    Column("calibration_error", "calibration error", percent, min),
    Column("saved", "saves, nats", number, None),
    Column("num_parameters", "parameters", scaled, min),
    Column("train_seconds", "training", duration, min),
    Column("texts_per_second", "texts/s", scaled, max),
)


def models_table(models: Sequence[ClassifierFigures]) -> str:
    """Models in the order given, the best of each column bold; empty columns are left out."""
    shown = [c for c in COLUMNS if any(getattr(model, c.key) is not None for model in models)]
    best = {c.key: _best(c, models) for c in shown}
    body = "".join(_row(model, rank, shown, best) for rank, model in enumerate(models))
    head = columns(["model", *(column.heading for column in shown)], "accuracy")
    return section("Models", MODELS, table(head, body))


def _best(column: Column, models: Sequence[ClassifierFigures]) -> float | None:
    values = [value for model in models if (value := getattr(model, column.key)) is not None]
    return column.best(values) if column.best and len(values) > 1 else None


def _row(
    model: ClassifierFigures,
    rank: int,
    shown: Sequence[Column],
    best: dict[Figure, float | None],
) -> str:
    tag = " <small>chosen</small>" if model.chosen else ""
    cells = "".join(_cell(model, column, best[column.key], rank) for column in shown)
    return f"<tr><th scope=row>{marked(model.name, rank)}{tag}</th>{cells}</tr>"


def _cell(model: ClassifierFigures, column: Column, best: float | None, rank: int) -> str:
    value = getattr(model, column.key)
    text = column.write(value)
    text = f"<b>{text}</b>" if value is not None and value == best else text
    if column.key != "accuracy":
        return f"<td>{text}</td>"
    return f"<td class=bits>{text}{_interval(model)}{bar(value, 1, rank)}</td>"


def _interval(model: ClassifierFigures) -> str:
    low, high = model.accuracy_low, model.accuracy_high
    if low is None or high is None:
        return ""
    return f" <small>{100 * low:.1f} to {100 * high:.1f}</small>"
