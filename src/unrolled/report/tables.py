"""Tables of figures, as the templates take them: the macro `table` of templates/macros.html."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .format import MISSING, is_known


@dataclass(frozen=True)
class Cell:
    """A figure as it is shown."""

    text: str
    small: str = ""
    """Beside it, in grey."""
    is_best: bool = False
    bar: float | None = None
    """Length of a bar below it, as a part of the longest."""
    rank: int | None = None
    """Colour of the bar; None: grey."""
    is_code: bool = False


@dataclass(frozen=True)
class Row:
    """A named line of a table."""

    name: str
    cells: Sequence[Cell]
    rank: int | None = None
    """Colour of the dot before the name; None: no dot."""
    small: str = ""
    """Beside the name, in grey."""
    kind: str = ""
    """A class of page.css: "baseline", "best"."""


@dataclass(frozen=True)
class Table:
    """Headings, the first one of the names, and rows."""

    headings: Sequence[str]
    rows: Sequence[Row]
    kind: str = ""
    """A class of page.css: "figures", "remedies"."""
    barred: Sequence[str] = field(default=())
    """Headings of columns with bars: these are wider."""


def cells(texts: Iterable[object]) -> list[Cell]:
    """Cells of plain text."""
    return [Cell(str(text)) for text in texts]


def barred(
    value: float | None, longest: float, text: str, rank: int | None, small: str = ""
) -> Cell:
    """A figure with a bar that begins at zero."""
    share = abs(value) / longest if is_known(value) and longest else 0.0
    return Cell(text, small, bar=share, rank=rank)


@dataclass(frozen=True)
class Column:
    """One figure of every model."""

    key: str
    """The attribute that holds it."""
    heading: str
    write: Callable[[Any], str]
    best: Callable[[Iterable[float]], float] | None = None
    """Which figure is printed bold; None: no model is best in it."""

    def known(self, models: Iterable[Any]) -> list[float]:
        """The figures that there are."""
        return [value for model in models if is_known(value := getattr(model, self.key))]

    def best_of(self, models: Iterable[Any]) -> float | None:
        """The figure that is printed bold."""
        values = self.known(models)
        return self.best(values) if self.best and values else None


def definitions(rows: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values as text: numbers with separators, lists and mappings in one line."""
    return [(name, _value(value)) for name, value in rows.items()]


def _value(value: Any) -> str:
    if value is None:
        return MISSING
    is_whole = isinstance(value, float) and value.is_integer()
    return f"{value:,.0f}" if type(value) is int or is_whole else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return str(value)
