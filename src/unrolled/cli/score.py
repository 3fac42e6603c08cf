"""`unrolled score`: what each token of a text costs a model."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..report.words import Language
from .options import FileOptions, name_of, read_sentences, required


def score(
    run: Path,
    file: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    /,
    *,
    format: Literal["tsv", "jsonl", "html"] = "tsv",
    rank: Annotated[bool, Parameter(negative=())] = False,
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
        One sentence per line, or per row of a table; - reads standard input. Blank lines are
        left out.
    format
        tsv: one line per token; jsonl: one object per sentence; html: a heat map.
    rank
        Print the sentences with their bits, the most likely first, to rank candidates.
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
    from .tables import score_lines

    if out is not None and out.is_dir():
        raise ConfigError("out", "a file", f"the folder {out}", "Name a file in it.")
    opened = load(run)
    sentences = read_sentences(required([file])[0], files=files.file_format())
    if rank:
        ranked = surprisal.rank(opened.model, opened.tokenizer, list(sentences))
        pieces = iter([f"{score.bits:.3f}\t{score.text}\n" for score in ranked])
    else:
        scores = surprisal.score_texts(opened.model, opened.tokenizer, sentences)
        if format == "html":
            pieces = heatmap.html(scores, name_of(file), str(run), language)
        else:
            pieces = score_lines(scores, format)
    if out is None:
        sys.stdout.writelines(pieces)
    else:
        write_atomically(out, lambda path: _write(path, pieces))
        print(f"Wrote {out}.")
    return 0


def _write(path: Path, pieces: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8") as target:
        target.writelines(pieces)
