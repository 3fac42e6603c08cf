"""`unrolled score`: what each token of a text costs a model."""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..report.words import Language
from .options import FileOptions, Files, name_of, required

FEW_BOUNDARIES = 36
"""Beginnings and ends of texts below which a model knows little about them."""


def score(  # noqa: PLR0913  a parameter is a flag
    run: Path,
    file: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    /,
    *,
    format: Literal["tsv", "jsonl", "html"] = "tsv",
    rank: Annotated[bool, Parameter(negative=())] = False,
    column: str | None = None,
    keep: Files = (),
    context: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    end: Annotated[bool, Parameter(negative="--no-end", name="--end")] = True,
    out: Path | None = None,
    language: Language = "en",
    files: FileOptions = FileOptions(),  # noqa: B008
) -> int:
    """Show the surprisal of each token, word and sentence, in bits.

    Example: unrolled score runs/a sentences.txt --format html --out heat.html

    Parameters
    ----------
    run
        Run folder.
    file
        One sentence per line, or per row of a table; - reads standard input. Rows without text are
        shown without figures.
    format
        tsv: one line per token, with --rank per sentence; jsonl: one object per sentence; html: a
        heat map.
    rank
        Show the most likely sentence first, to rank candidates.
    column
        Column of a table with the text, by name or position.
    keep
        Columns of a table to carry along.
    context
        Text before each sentence, which is read and not scored.
    end
        Score the end of each sentence too.
    out
        File to write; default: standard output.
    language
        Language of the heat map: en or zh.
    """
    from ..errors import ConfigError
    from ..inference import surprisal
    from ..report import heatmap
    from ..runs.folder import load
    from ..system.files import write_atomically
    from .rows import input_rows, with_results
    from .tables import rank_lines, score_lines

    if out is not None and out.is_dir():
        raise ConfigError("out", "a file", f"the folder {out}", "Name a file in it.")
    opened = load(run)
    edges = opened.boundaries
    rows = input_rows(required([file])[0], column, keep, files=files.file_format())
    scored = with_results(
        rows,
        lambda texts: surprisal.score_texts(
            opened.model, opened.tokenizer, texts, edges, context, end
        ),
    )
    if edges.number is not None and edges.number < FEW_BOUNDARIES:
        print(_few(run, edges.number, edges.kind), file=sys.stderr)
    if rank:
        ranked = sorted(scored, key=lambda pair: math.inf if pair[1] is None else pair[1].bits)
        scored = iter(ranked)
    if format == "html":
        numbered = ((row.number, score) for row, score in scored)
        pieces = heatmap.html(numbered, name_of(file), str(run), language)
    elif rank and format == "tsv":
        pieces = rank_lines(scored, keep)
    else:
        pieces = score_lines(scored, format, keep)
    if out is None:
        sys.stdout.writelines(pieces)
    else:
        write_atomically(out, lambda path: _write(path, pieces))
        print(f"Wrote {out}.")
    return 0


def _few(run: Path, number: int, kind: str) -> str:
    ends = f"{number} {kind} {'boundary' if number == 1 else 'boundaries'}"
    return (
        f"note: {run} has seen {ends} in training: what it says of the beginning and end of a "
        "sentence is a guess. Leave the end out with --no-end, give a --context, or train with "
        "--documents line."
    )


def _write(path: Path, pieces: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8") as target:
        target.writelines(pieces)
