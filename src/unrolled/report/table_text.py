"""Tables as text that other programs read: CSV, Markdown and LaTeX."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .tables import Cell, Row, Table

_MARKDOWN = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]<>|~#&"})
_LATEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    | {"[": "{[}", "]": "{]}", "*": "{*}"}  # which \\ before it would take for its own
    | {"\N{NO-BREAK SPACE}": "~", "–": "--", "−": "$-$", "±": r"$\pm$", "×": r"$\times$"}
    | {"†": r"\textdagger{}"}
)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same names below these, with a comma between cells (RFC 4180).

    Numbers have all of their digits. What is None or not finite is an empty cell.
    """
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    writer.writerows(
        ["" if _is_missing(value) else value for value in row.values()] for row in rows
    )
    return target.getvalue()


def markdown(table: Table) -> str:
    """A table as GitHub shows it: names to the left, figures to the right, the best in bold."""
    marks = [":--", *["--:"] * (len(table.headings) - 1)]
    lines = [[_markdown(text) for text in table.headings], marks]
    for row in table.rows:
        lines.append(
            [_markdown(_named(row)), *(_bold(cell, _markdown, "**{}**") for cell in row.cells)]
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex(table: Table, comment: str) -> str:
    """A `tabular` with the rules of booktabs, the best in bold.

    Args:
        comment: Stands before it, with the package that it needs.
    """
    rows = [
        [_latex(_named(row)), *(_bold(cell, _latex, r"\textbf{{{}}}") for cell in row.cells)]
        for row in table.rows
    ]
    return "\n".join(
        [
            f"% {_one_line(comment)}. Needs \\usepackage{{booktabs}}.",
            f"\\begin{{tabular}}{{l{'r' * (len(table.headings) - 1)}}}",
            *(r"\toprule", _latex_row(map(_latex, table.headings)), r"\midrule"),
            *map(_latex_row, rows),
            *(r"\bottomrule", r"\end{tabular}", ""),
        ]
    )


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _named(row: Row) -> str:
    return f"{row.name} ({row.small})" if row.small else row.name


def _bold(cell: Cell, escaped: Callable[[str], str], pattern: str) -> str:
    text = escaped(f"{cell.text} ({cell.small})" if cell.small else cell.text)
    return pattern.format(text) if cell.is_best else text


def _one_line(text: str) -> str:
    """A tab, a line end and whatever else a line of a table may not have is a space."""
    return "".join(letter if letter.isprintable() or letter == "\xa0" else " " for letter in text)


def _markdown(text: str) -> str:
    return _one_line(text).translate(_MARKDOWN)


def _latex(text: str) -> str:
    return _one_line(text).translate(_LATEX)


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
