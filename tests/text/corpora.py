"""Corpora of given documents, and the documents of a part of one."""

from collections.abc import Sequence
from pathlib import Path

from unrolled.text.corpus import Corpus, Part
from unrolled.text.documents import Piece


def write(folder: Path, documents: Sequence[str]) -> Corpus:
    pieces = (Piece(text, "a.txt", ends_document=True) for text in documents)
    return Corpus.write(pieces, folder)


def read(part: Part) -> list[str]:
    """Documents, joined from their pieces."""
    found, held = [], ""
    for text, ends in part.pieces():
        held += text
        if ends:
            found, held = [*found, held], ""
    assert not held
    return found
