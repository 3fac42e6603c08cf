"""Which text: files, documents, splits, tokens."""

import codecs
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..errors import ConfigError
from ..system.records import Record
from .check import check

TokenizerKind: TypeAlias = Literal["auto", "byte", "char", "word", "bpe"]
DocumentKind: TypeAlias = Literal["file", "line"]


@dataclass(frozen=True, kw_only=True)
class FileFormat(Record):
    """What files do not say of themselves; what is left open is found out, and a guess is said.

    Raises:
        ConfigError: a value is of another type, there is no such encoding, or the delimiter is no
            single character.
    """

    encoding: str | None = None
    """Name of the encoding of every file, as Python knows it: gb18030, big5, cp1252."""
    delimiter: str | None = None
    """What separates the cells of csv and tsv, one character, or `\\t` for a tab."""
    header: bool | None = None
    """Whether the first line of csv and tsv names the columns; without, they are "0", "1", ..."""

    def __post_init__(self) -> None:
        check(self)
        if self.encoding is not None and not _is_encoding(self.encoding):
            rule, remedy = "an encoding that Python knows", "Write for example gb18030 or cp1252."
            raise ConfigError("encoding", rule, repr(self.encoding), remedy)
        if self.delimiter == "\\t":
            object.__setattr__(self, "delimiter", "\t")
        mark = self.delimiter
        if mark is not None and (len(mark) != 1 or mark in '"\r\n'):
            remedy = "Write for example ';', or '\\t' for a tab."
            raise ConfigError("delimiter", "one character", repr(self.delimiter), remedy)


def _is_encoding(name: str) -> bool:
    """Whether Python has a codec of this name that decodes bytes to text."""
    try:
        return isinstance(codecs.getincrementaldecoder(name)("replace").decode(b"a"), str)
    except (LookupError, ValueError, AttributeError, TypeError, AssertionError):
        return False


@dataclass(frozen=True)
class DataConfig(FileFormat):
    """Which text, how it is cut into documents, splits and tokens.

    Raises:
        ConfigError: a value is of another type.
    """

    texts: tuple[str, ...] = ()
    """Files or folders: the training text, or all of it; "-" is standard input."""
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
