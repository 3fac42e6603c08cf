"""`unrolled next`: what is likely to come next."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def next(
    run: Path,
    prefix: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    k: Annotated[int, Parameter(name=["-k", "--count"])] = 10,
) -> int:
    """Show the most likely next tokens and words after the beginning of a text.

    Example: unrolled next runs/a "It was a" -k 5

    Parameters
    ----------
    run
        Run folder.
    prefix
        What stands before.
    k
        How many to show.
    """
    from rich.console import Console
    from rich.table import Table

    from ..errors import ConfigError
    from ..inference.next_words import next_tokens, next_words
    from ..runs.folder import load

    if k < 1:
        raise ConfigError("k", "1 or more", k, "Use for example 10.")
    opened = load(run)
    tokens = next_tokens(opened.model, opened.tokenizer, prefix, k)
    words = next_words(opened.model, opened.tokenizer, prefix, k)
    table = Table()
    for heading in ("next token", "probability", "next word", "probability"):
        table.add_column(heading, justify="right" if heading == "probability" else "left")
    for place in range(max(len(tokens), len(words))):
        cells = []
        for row in (tokens[place : place + 1], words[place : place + 1]):
            cells += [_shown(row[0].text), f"{row[0].probability:.2%}"] if row else ["", ""]
        table.add_row(*cells)
    Console(highlight=False, markup=False).print(table)
    return 0


def _shown(text: str) -> str:
    """A token with its blanks to be seen."""
    return text.replace(" ", "␣")
