"""`unrolled score`: what each token of a text costs a model."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from .options import required


def score(
    run: Path,
    file: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    /,
    *,
    format: Literal["tsv", "jsonl", "html"] = "tsv",
    rank: Annotated[bool, Parameter(negative=())] = False,
    out: Path | None = None,
) -> int:
    """Show how surprising each token, word and sentence is to a model, in bits.

    Example: unrolled score runs/a sentences.txt --format html --out heat.html

    Parameters
    ----------
    run
        Run folder.
    file
        One sentence per line, or per row of a table; - reads standard input. Blank lines are
        left out.
    format
        tsv: one line per token; jsonl: one object per sentence; html: a heat map.
    rank
        Print the sentences with their bits, the most likely first: to rescore candidates.
    out
        File to write instead of the terminal.
    """
    from .. import scoring
    from ..atomic import write_atomically
    from ..checkpoint import load
    from ..errors import ConfigError

    if out is not None and out.is_dir():
        raise ConfigError("out", "a file", f"the folder {out}", "Name a file in it.")
    opened = load(run)
    sentences = _sentences(*required([file]))
    if rank:
        ranked = scoring.rank(opened.model, opened.tokenizer, list(sentences))
        pieces = iter([f"{score.bits:.3f}\t{score.text}\n" for score in ranked])
    else:
        scores = scoring.score_texts(opened.model, opened.tokenizer, sentences)
        title = f"Surprisal of {_name(file)} to {run}"
        write = {"tsv": scoring.to_tsv, "jsonl": scoring.to_jsonl}
        pieces = scoring.to_html(scores, title) if format == "html" else write[format](scores)
    if out is None:
        sys.stdout.writelines(pieces)
    else:
        write_atomically(out, lambda path: _write(path, pieces))
        print(f"Wrote {out}.")
    return 0


def _name(file: str) -> str:
    return "standard input" if file == "-" else Path(file).name


def _sentences(file: str) -> Iterator[str]:
    """The sentences, of which there has to be one."""
    from ..errors import TextError
    from .stdin import read_lines

    sentences = read_lines() if file == "-" else _rows(file)
    visible = (sentence for sentence in sentences if sentence.strip())
    first = next(visible, None)
    if first is None:
        raise TextError(_name(file), "holds no sentence", "Give one per line.")
    return itertools.chain([first], visible)


def _rows(file: str) -> Iterator[str]:
    """Lines of a text or cells of a table in any encoding."""
    from ..text.files import find_files, read_pieces

    begun = ""
    for piece in read_pieces(find_files([file]), documents="line"):
        begun += piece.text
        if piece.ends_document:
            yield begun.rstrip("\r")
            begun = ""


def _write(path: Path, pieces: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8") as target:
        target.writelines(pieces)
