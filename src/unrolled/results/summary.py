"""How results print: a title and a table, as text in a terminal and as HTML in a notebook."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import MissingPackage

if TYPE_CHECKING:
    import pandas

Figure: TypeAlias = str | float | None

MISSING = "–"
MAX_ROWS = 60
"""Rows that are shown; a line counts the others."""


@dataclass(frozen=True)
class Summary:
    """The few figures that a result is read by."""

    title: str
    headings: tuple[str, ...] = ()
    """The first one is that of the names."""
    rows: Sequence[tuple[Figure, ...]] = ()

    def text(self) -> str:
        """The title and below it the columns, names to the left and figures to the right."""
        if not self.rows:
            return self.title
        lines = [self.headings, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = [
            f"{name:<{widths[0]}}"
            + "".join(f"  {c:>{w}}" for c, w in zip(rest, widths[1:], strict=True))
            for name, *rest in lines
        ]
        return "\n".join([self.title, *(line.rstrip() for line in aligned), *self._others()])

    def html(self) -> str:
        """The same as an HTML table."""
        head = "".join(f"<th>{escape(heading)}</th>" for heading in self.headings)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in self._cells()
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        paragraphs = (f"<p>{escape(text)}</p>" for text in (self.title, *self._others()))
        title, *others = paragraphs
        return "".join([title, table if self.rows else "", *others])

    def _cells(self) -> list[tuple[str, ...]]:
        return [tuple(map(_cell, row)) for row in self.rows[:MAX_ROWS]]

    def _others(self) -> list[str]:
        num_others = len(self.rows) - MAX_ROWS
        return [f"... and {num_others:,} more rows"] if num_others > 0 else []


class Summarized:
    """A result that prints as its summary; its fields hold everything."""

    def summary(self) -> Summary:
        """What is shown."""
        raise NotImplementedError

    def rows(self) -> list[dict[str, Any]]:
        """Its figures for programs: the same columns in every row, with units in their names."""
        shown = self.summary()
        columns = [_column(heading) for heading in shown.headings]
        return [dict(zip(columns, row, strict=True)) for row in shown.rows]

    def to_frame(self) -> "pandas.DataFrame":
        """The figures as a pandas table; where there is none, it is NaN or None.

        Raises:
            MissingPackage: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingPackage("to_frame()", "pandas") from None
        return pandas.DataFrame(self.rows())

    def __repr__(self) -> str:
        return self.summary().text()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.summary().html()


def _column(heading: str) -> str:
    """A heading as a name: "bits/byte" is `bits_per_byte`, that of the names is `name`."""
    return re.sub(r"\W+", "_", heading.replace("/", " per ")).lower() or "name"


def _cell(value: Figure) -> str:
    """Whole numbers with separators, other small ones with three decimals."""
    if isinstance(value, str):
        return value
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 1000 else f"{value:.3f}"
