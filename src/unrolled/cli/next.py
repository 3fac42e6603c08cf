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
        Text to continue.
    k
        Number of candidates to show.
    """
    from ..inference.next_words import next_tokens, next_words
    from ..runs.folder import load
    from .tables import print_candidates

    opened = load(run)
    tokens = next_tokens(opened.model, opened.tokenizer, prefix, k, opened.boundaries)
    words = next_words(opened.model, opened.tokenizer, prefix, k, opened.boundaries)
    print_candidates(tokens, words)
    return 0
