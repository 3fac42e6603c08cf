"""Which text: files, documents, splits, tokens."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..system.records import Record
from .check import check

TokenizerKind: TypeAlias = Literal["auto", "byte", "char", "word", "bpe"]
DocumentKind: TypeAlias = Literal["file", "line"]


@dataclass(frozen=True)
class DataConfig(Record):
    """Which text, how it is cut into documents, splits and tokens.

    Raises:
        ConfigError: a value is of another type.
    """

    texts: tuple[str, ...] = ()
    """Files or folders: the training text, or all of it."""
    valid: tuple[str, ...] = ()
    """Files of a given validation split; empty: a part of `texts`."""
    test: tuple[str, ...] = ()
    """Files of a given test split; empty: a part of `texts`."""
    column: str | None = None
    """Column that holds the text in csv, jsonl and parquet; None where there is only one."""
    documents: DocumentKind = "file"
    """What one document is in a plain text file; rows of tables are always documents."""
    tokenizer: TokenizerKind = "auto"
    """Symbols that the model reads."""
    vocab_size: int | None = None
    """Most symbols to keep (word, bpe); None: by the size of the text."""
    valid_fraction: float | None = None
    """Part of `texts` for validation where `valid` is empty; None: 5 %, at most 500 kB."""
    test_fraction: float | None = None
    """Part of `texts` for the test where `test` is empty; None: as above, 0: no test split."""

    def __post_init__(self) -> None:
        check(self)
