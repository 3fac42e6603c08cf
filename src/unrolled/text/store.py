"""Token ids on disk, memory-mapped, with the counts that every metric is divided by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import CheckpointError, ConfigError
from ..system.files import parse_json, write_atomically, write_json
from ..system.records import Record
from .tokenizers import BOUNDARY_ID, Tokenizer

INDEX, TOKENIZER, TOKEN_BYTES = "store.json", "tokenizer.json", "token_bytes.int32"
REMEDY = "Prepare the text again."


@dataclass(frozen=True)
class SplitInfo(Record):
    """What a split consists of."""

    num_tokens: int
    """Tokens to predict: all but the first boundary."""
    num_documents: int
    num_bytes: int
    """UTF-8 bytes of the text; line ends between documents count, boundaries otherwise do not."""
    num_chars: int
    num_words: int
    """Between white space; in scripts without spaces each character is one."""
    num_unknown: int
    """Symbols that are not in the vocabulary."""
    spelling_nats: float
    """What spelling them costs."""
    xz_bytes: int = 0
    """Size of the text under `xz -6`; 0 where it was not measured."""
    xz_of_bytes: int = 0
    """Bytes of the text that this was measured on, from the beginning."""
    num_line_ends: int = 0
    """Inside documents that are whole files; of lines and rows of tables 0."""


@dataclass(frozen=True)
class Boundaries(Record):
    """What stands before and after a text, such as a line to score, in the text of a training."""

    kind: Literal["document", "line"] = "document"
    """document: the boundary token; line: a line end, where documents are files of many lines."""
    number: int | None = None
    """How many of them the training split has; None: they were not counted."""

    @classmethod
    def of(cls, train: SplitInfo) -> "Boundaries":
        """Finds out from a training split."""
        if train.num_line_ends > train.num_documents:
            return cls("line", train.num_line_ends)
        return cls("document", train.num_documents)

    @property
    def before(self) -> str:
        """The text before a text, after the boundary token that every reading begins with."""
        return "\n" if self.kind == "line" else ""


@dataclass(frozen=True)
class TokenStore:
    """Encoded splits of a text: `store.tokens("train")` maps `[0, document, 0, document, 0]`."""

    folder: Path
    vocab_size: int
    data_hash: str
    """SHA-256 of the text and how it is split, whatever the tokenizer."""
    tokenizer: str
    """Fingerprint of the tokenizer."""
    splits: dict[str, SplitInfo] = field(hash=False)

    @classmethod
    def open(cls, folder: Path, tokenizer: Tokenizer | None = None) -> "TokenStore":
        """Opens a store.

        Args:
            folder: Where `write_store` wrote it.
            tokenizer: If given, the one that the ids have to belong to.

        Raises:
            CheckpointError: it is missing, damaged, or made with another tokenizer.
        """
        path = folder / INDEX
        try:
            values = parse_json(path.read_bytes())
            splits = {
                name: SplitInfo.from_json(info) for name, info in values.pop("splits").items()
            }
            store = cls(folder, **values, splits=splits)
        except OSError as error:
            raise CheckpointError(path, f"cannot be read ({error.strerror})", REMEDY) from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(path, f"is damaged ({error})", REMEDY) from None
        for name in splits:
            store.tokens(name)
        if tokenizer is not None and tokenizer.fingerprint != store.tokenizer:
            problem = (
                f"was made with tokenizer {store.tokenizer[:8]}, not {tokenizer.fingerprint[:8]}"
            )
            raise CheckpointError(folder, problem, REMEDY)
        return store

    def split(self, name: str) -> SplitInfo:
        """Returns the counts of a split.

        Raises:
            ConfigError: there is no such split.
        """
        if name not in self.splits:
            names = ", ".join(self.splits)
            raise ConfigError("split", f"one of {names}", name, "Choose one of these.")
        return self.splits[name]

    def tokens(self, name: str) -> NDArray[np.integer]:
        """Maps the ids of a split, `(num_tokens + 1,)` uint16 or uint32, read-only."""
        length = self.split(name).num_tokens + 1
        return _map(self.folder / f"{name}.ids", id_type(self.vocab_size), length)

    @property
    def token_bytes(self) -> NDArray[np.integer]:
        """UTF-8 length of each symbol, `(V,)`; of the boundary 1 where it is a line end, else 0."""
        return _map(self.folder / TOKEN_BYTES, np.int32, self.vocab_size)


def id_type(vocab_size: int) -> type[np.integer]:
    """The type of ids on disk."""
    return np.uint16 if vocab_size <= 1 << 16 else np.uint32


def _map(path: Path, dtype: DTypeLike, length: int) -> NDArray[np.integer]:
    try:
        numbers = np.memmap(path, dtype, "r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(path, f"cannot be read ({reason})", REMEDY) from None
    if len(numbers) != length:
        raise CheckpointError(path, f"has {len(numbers)} numbers, not {length}", REMEDY)
    return numbers


def write_store(
    folder: Path,
    tokenizer: Tokenizer,
    data_hash: str,
    splits: Mapping[str, Callable[[BinaryIO], SplitInfo]],
    line_documents: bool,
) -> TokenStore:
    """Writes a store with its tokenizer.

    The index is written last and an older one removed first: whenever the work is interrupted,
    there is either a complete store or none.

    Args:
        splits: For each split, what writes its ids to a file and returns what it consists of.
        line_documents: Whether a boundary is a line end, and as such a byte of the text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    tokenizer.save(folder / TOKENIZER)
    infos = {name: _write_ids(folder / f"{name}.ids", write) for name, write in splits.items()}
    token_bytes = tokenizer.token_bytes.copy()
    token_bytes[BOUNDARY_ID] = line_documents
    write_atomically(folder / TOKEN_BYTES, token_bytes.tofile)
    index = {
        "vocab_size": tokenizer.vocab_size,
        "data_hash": data_hash,
        "tokenizer": tokenizer.fingerprint,
        "splits": {name: info.to_json() for name, info in infos.items()},
    }
    write_json(folder / INDEX, index)
    return TokenStore.open(folder)


def _write_ids(path: Path, write: Callable[[BinaryIO], SplitInfo]) -> SplitInfo:
    infos: list[SplitInfo] = []

    def write_to(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            infos.append(write(file))

    write_atomically(path, write_to)
    return infos[0]
