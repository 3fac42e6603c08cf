"""Token ids on disk, memory-mapped, with the counts that every metric is divided by."""

import hashlib
import json
import lzma
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import CheckpointError, ConfigError, TextError
from ..settings.data import DataConfig, DocumentKind
from ..system.files import write_atomically, write_json
from .corpus import Corpus, Part, split_corpus
from .files import find_files, read_pieces
from .tokenizers import BOUNDARY_ID, UNKNOWN_ID, Tokenizer
from .vocabulary import train_tokenizer
from .words import count_words

INDEX, TOKENIZER, TOKEN_BYTES = "store.json", "tokenizer.json", "token_bytes.int32"
STANDARD_INPUT = "-"
BATCH_CHARS = 1 << 19
"""Characters encoded at a time."""
XZ_BYTES = 20_000_000
"""Bytes at the beginning of a split that `xz` is measured on."""
REMEDY = "Prepare the text again."


@dataclass(frozen=True)
class SplitInfo:
    """What a split consists of."""

    num_tokens: int
    """Tokens to predict: all but the first boundary."""
    num_documents: int
    num_bytes: int
    """UTF-8 bytes of the text; line ends between documents count, boundaries otherwise do not."""
    num_chars: int
    num_words: int
    """White-space separated words."""
    num_unknown: int
    """Symbols that are not in the vocabulary."""
    spelling_nats: float
    """What spelling them costs."""
    xz_bytes: int = 0
    """Size of the text under `xz -6`; 0 where it was not measured."""
    xz_of_bytes: int = 0
    """Bytes of the text that this was measured on, from the beginning."""


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
            folder: Where `build_store` wrote it.
            tokenizer: If given, the one that the ids have to belong to.

        Raises:
            CheckpointError: it is missing, damaged, or made with another tokenizer.
        """
        path = folder / INDEX
        try:
            values = json.loads(path.read_text("utf-8"))
            splits = {name: SplitInfo(**info) for name, info in values.pop("splits").items()}
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
        return _map(self.folder / f"{name}.ids", _dtype(self.vocab_size), length)

    @property
    def token_bytes(self) -> NDArray[np.integer]:
        """UTF-8 length of each symbol, `(V,)`; of the boundary 1 where it is a line end, else 0."""
        return _map(self.folder / TOKEN_BYTES, np.int32, self.vocab_size)


def _dtype(vocab_size: int) -> type[np.integer]:
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


def build_store(
    folder: Path, parts: dict[str, Part], tokenizer: Tokenizer, data_hash: str
) -> TokenStore:
    """Encodes splits into a folder, with the tokenizer.

    The index is written last and an older one removed first: whenever the work is interrupted,
    there is either a complete store or none. All splits but "train" are also measured with `xz`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    tokenizer.save(folder / TOKENIZER)
    splits = {}
    for name, part in parts.items():
        splits[name] = asdict(_write_part(folder / f"{name}.ids", part, tokenizer))
        if name != "train":
            splits[name]["xz_bytes"], splits[name]["xz_of_bytes"] = compressed_bytes(part)
    token_bytes = tokenizer.token_bytes.copy()
    token_bytes[BOUNDARY_ID] = any(part.corpus.line_documents for part in parts.values())
    write_atomically(folder / TOKEN_BYTES, token_bytes.tofile)
    index = {
        "vocab_size": tokenizer.vocab_size,
        "data_hash": data_hash,
        "tokenizer": tokenizer.fingerprint,
        "splits": splits,
    }
    write_json(folder / INDEX, index)
    return TokenStore.open(folder)


def _write_part(path: Path, part: Part, tokenizer: Tokenizer) -> SplitInfo:
    """Encodes a split into a file."""
    infos: list[SplitInfo] = []

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            infos.append(_encode_part(part, tokenizer, file))

    write_atomically(path, write)
    return infos[0]


def _encode_part(part: Part, tokenizer: Tokenizer, file: BinaryIO) -> SplitInfo:
    """Writes the ids of a split and counts what they stand for."""
    boundary = np.array([BOUNDARY_ID], _dtype(tokenizer.vocab_size))
    boundary.tofile(file)
    num_tokens = num_following_bytes = num_words = num_unknown = 0
    spelling_nats, last = 0.0, ""
    for batch in _batches(part.pieces()):
        texts = [text for text, _ in batch]
        rows: list[NDArray[np.integer]] = []
        for (text, ends), ids in zip(batch, tokenizer.encode_many(texts), strict=True):
            rows += [ids, boundary] if ends else [ids]
            if (ids == UNKNOWN_ID).any():
                number, nats = tokenizer.unknowns(text)
                num_unknown, spelling_nats = num_unknown + number, spelling_nats + nats
        stream = np.concatenate(rows).astype(boundary.dtype)
        stream.tofile(file)
        num_tokens += len(stream)
        joined = "".join(text + "\n" * ends for text, ends in batch)
        num_following_bytes += len(joined.encode()) - len(joined)
        num_words += count_words(last + joined) - count_words(last)  # a word may be cut in two
        last = joined[-1:]
    return SplitInfo(
        num_tokens=num_tokens,
        num_documents=len(part.spans),
        num_bytes=part.num_bytes,
        # Every character has one first byte; between documents there is only ASCII.
        num_chars=part.num_bytes - num_following_bytes,
        num_words=num_words,
        num_unknown=num_unknown,
        spelling_nats=spelling_nats,
    )


def _batches(pieces: Iterable[tuple[str, bool]]) -> Iterator[list[tuple[str, bool]]]:
    """Groups pieces so that a batch is worth its overhead."""
    batch: list[tuple[str, bool]] = []
    num_chars = 0
    for piece in pieces:
        batch.append(piece)
        num_chars += len(piece[0]) + 1
        if num_chars >= BATCH_CHARS:
            yield batch
            batch, num_chars = [], 0
    if batch:
        yield batch


def compressed_bytes(part: Part) -> tuple[int, int]:
    """Compresses a split as one `xz -6` stream: a baseline that anyone can repeat.

    Returns:
        Compressed size, and the bytes it covers: all, or the first 20 MB.
    """
    compressor, size, covered = lzma.LZMACompressor(preset=6), 0, 0
    line_end = b"\n" if part.corpus.line_documents else b""
    for text, ends in part.pieces():
        data = text.encode() + line_end * ends
        data = data[: XZ_BYTES - covered]
        size += len(compressor.compress(data))
        covered += len(data)
        if covered == XZ_BYTES:
            break
    return size + len(compressor.flush()), covered


def prepare(
    config: DataConfig, folder: Path, tokenizer: Tokenizer | None = None
) -> tuple[Tokenizer, TokenStore]:
    """Turns texts into splits of token ids in a folder.

    Args:
        config: Which texts, and how they are cut.
        folder: Gets tokenizer.json and the store; what is there of an older one is replaced.
        tokenizer: Default: trained on the training split.

    Raises:
        UnrolledError: a text cannot be read, or is too short for its splits.
    """
    with _Spool(folder) as spool:
        parts = _read_splits(config, spool)
        if tokenizer is None:
            train = parts["train"]
            tokenizer = train_tokenizer(
                config.tokenizer,
                lambda: (text for text, _ in train.pieces()),
                train.num_bytes,
                config.vocab_size,
            )
        return tokenizer, _build(folder, parts, tokenizer)


def encode_texts(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    folder: Path,
    column: str | None = None,
    documents: DocumentKind = "file",
) -> TokenStore:
    """Encodes texts as one split, "text", with a tokenizer that exists already.

    Raises:
        UnrolledError: a text cannot be read.
    """
    with _Spool(folder) as spool:
        corpus = spool.corpus("text", texts, DataConfig(column=column, documents=documents))
        return _build(folder, {"text": Part(corpus, corpus.spans())}, tokenizer)


def _read_splits(config: DataConfig, spool: "_Spool") -> dict[str, Part]:
    """Reads all texts; given files make up a split of their own."""
    if not config.valid and config.valid_fraction == 0:
        rule = "above 0 without files for validation"
        raise ConfigError("valid_fraction", rule, 0, "Write 0.05, or name files with --valid.")
    given = {"valid": config.valid, "test": config.test}
    fractions = {"valid": config.valid_fraction, "test": config.test_fraction}
    cut = {name: 0.0 if given[name] else fractions[name] for name in given}
    parts = split_corpus(spool.corpus("train", config.texts, config), cut["valid"], cut["test"])
    for name, texts in given.items():
        if texts:
            corpus = spool.corpus(name, texts, config)
            parts[name] = Part(corpus, corpus.spans())
    return {name: parts[name] for name in ("train", "valid", "test") if name in parts}


def _build(folder: Path, parts: dict[str, Part], tokenizer: Tokenizer) -> TokenStore:
    content = json.dumps({name: part.sha256 for name, part in parts.items()})
    return build_store(folder, parts, tokenizer, hashlib.sha256(content.encode()).hexdigest())


class _Spool:
    """The text as UTF-8 in a hidden folder, for as long as it takes to encode it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".text"

    def __enter__(self) -> "_Spool":
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def corpus(self, name: str, texts: Sequence[str], config: DataConfig) -> Corpus:
        """Reads texts, standard input among them where it is named "-"."""
        if not texts:
            raise TextError("the input", "names no text", 'Give a file, a folder, or "-".')
        paths = [self._received(name) if text == STANDARD_INPUT else text for text in texts]
        pieces = read_pieces(find_files(paths), config.column, config.documents)
        return Corpus.write(pieces, self.path / name)

    def _received(self, name: str) -> str:
        path = self.path / f"standard-input-{name}"
        with open(path, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        return str(path)
