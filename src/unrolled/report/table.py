"""The ranked table: every model, and the baselines between them."""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from operator import itemgetter
from typing import Literal, NamedTuple, TypeAlias

from ..results.comparison import Baseline, ComparedModel
from .parts import bar, in_bytes, marked, number, perplexity, rank_key, scaled, table

Figure: TypeAlias = Literal[
    "perplexity",
    "perplexity_per_word",
    "num_parameters",
    "train_tokens_per_second",
    "score_tokens_per_second",
    "generate_tokens_per_second",
    "peak_bytes",
    "file_bytes",
]


class Column(NamedTuple):
    """One figure of every model; a column where more is better has bars."""

    key: Figure
    heading: str
    write: Callable[[float | None], str]
    best: Callable[[Iterable[float]], float]


COLUMNS = (
    Column("perplexity", "perplexity per token", perplexity, min),
    Column("perplexity_per_word", "perplexity per word", perplexity, min),
    Column("num_parameters", "parameters", scaled, min),
    Column("train_tokens_per_second", "training tokens/s", scaled, max),
    Column("score_tokens_per_second", "scoring tokens/s", scaled, max),
    Column("generate_tokens_per_second", "generating tokens/s", scaled, max),
    Column("peak_bytes", "peak memory", in_bytes, min),
    Column("file_bytes", "file size", in_bytes, min),
)

CLOSED_NOTE = """<p class=note>† Closed vocabulary: an unknown word counts as one symbol and is not
spelled out, so this perplexity is too low to stand beside others; bits per byte have the
spelling.</p>"""


def ranking(models: Sequence[ComparedModel], baselines: Sequence[Baseline]) -> str:
    """Models and baselines by rank; columns without any figure are left out."""
    columns = [c for c in COLUMNS if any(getattr(model, c.key) is not None for model in models)]
    longest = max(row.bits_per_byte or 0 for row in [*models, *baselines])
    best = {c.key: _best(c, models) for c in columns}
    rows = [
        (rank_key(model), _model_row(model, rank, columns, best, longest))
        for rank, model in enumerate(models)
    ]
    rows += [(rank_key(row), _baseline_row(row, len(columns), longest)) for row in baselines]
    head = "".join(f"<th scope=col>{column.heading}</th>" for column in columns)
    head = f"<th scope=col>model</th><th scope=col class=bits>bits per byte</th>{head}"
    body = "".join(row for _, row in sorted(rows, key=itemgetter(0)))
    note = CLOSED_NOTE if any(model.closed_vocabulary for model in models) else ""
    return table(head, body) + note


def _best(column: Column, models: Sequence[ComparedModel]) -> float:
    return column.best(
        value for model in models if (value := getattr(model, column.key)) is not None
    )


def _model_row(
    model: ComparedModel,
    rank: int,
    columns: Sequence[Column],
    best: dict[Figure, float],
    longest: float,
) -> str:
    bits = number(model.bits_per_byte)
    spread = "" if model.spread is None else f" <small>± {model.spread:.3f}</small>"
    cells = "".join(_cell(model, c, best[c.key], rank) for c in columns)
    return (
        f"<tr><th scope=row>{marked(model.name, rank)}</th>"
        f"<td class=bits>{bits}{spread}{bar(model.bits_per_byte, longest, rank)}</td>"
        f"{cells}</tr>"
    )


def _baseline_row(row: Baseline, num_columns: int, longest: float) -> str:
    bits = f"{number(row.bits_per_byte)}{bar(row.bits_per_byte, longest, None)}"
    return (
        f"<tr class=baseline><th scope=row>{escape(row.name)}</th><td class=bits>{bits}</td>"
        f"<td colspan={num_columns}></td></tr>"
    )


def _cell(model: ComparedModel, column: Column, best: float, rank: int) -> str:
    value = getattr(model, column.key)
    text = column.write(value)
    mark = "†" if column.key == "perplexity" and model.closed_vocabulary else ""
    speed = bar(value, best, rank) if column.best is max else ""
    return f"<td>{f'<b>{text}</b>' if value == best else text}{mark}{speed}</td>"
