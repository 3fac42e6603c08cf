"""From files to token ids: find and read the text, split it, make a tokenizer, encode and count."""

import hashlib
import json
import lzma
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, TextError
from ..settings.data import DataConfig, DocumentKind, FileFormat
from ..system.files import remove_left_behind, temporary_folder
from .corpus import Corpus, Part
from .documents import read_pieces
from .files import STANDARD_INPUT, find_files
from .splitting import split_corpus
from .store import SplitInfo, TokenStore, id_type, write_store
from .tables import is_table
from .tokenizers import BOUNDARY_ID, UNKNOWN_ID, Tokenizer
from .vocabulary import train_tokenizer
from .words import count_words

BATCH_CHARS = 1 << 19
"""Characters encoded at a time."""
XZ_BYTES = 20_000_000
"""Bytes at the beginning of a split that `xz` is measured on."""


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
    with _spool(folder) as spool:
        parts, whole_files = _read_splits(config, spool)
        if tokenizer is None:
            train = parts["train"]
            tokenizer = train_tokenizer(
                config.tokenizer,
                lambda: (text for text, _ in train.pieces()),
                train.num_bytes,
                config.vocab_size,
            )
        return tokenizer, build_store(folder, parts, tokenizer, whole_files)


def encode_texts(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    folder: Path,
    column: str | None = None,
    documents: DocumentKind = "file",
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> TokenStore:
    """Encodes texts as one split, "text", with a tokenizer that exists already.

    Raises:
        UnrolledError: a text cannot be read.
    """
    with _spool(folder) as spool:
        config = DataConfig(column=column, documents=documents, **vars(files))
        text = _read(_find(texts, config), config, spool / "text")
        return build_store(folder, {"text": text}, tokenizer)


@contextmanager
def _spool(folder: Path) -> Iterator[Path]:
    """A folder for the text as UTF-8, for as long as it takes to encode it."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_left_behind(folder)
    with temporary_folder(folder) as path:
        yield Path(path)


def _read_splits(config: DataConfig, spool: Path) -> tuple[dict[str, Part], bool]:
    """Reads all texts; files for validation or test are that split.

    Returns:
        The splits, and whether the documents of the training text are files, not lines or rows.
    """
    if not config.valid and config.valid_fraction == 0:
        rule = "above 0 without files for validation"
        raise ConfigError("valid_fraction", rule, 0, "Write 0.05, or name files with --valid.")
    if (*config.texts, *config.valid, *config.test).count(str(STANDARD_INPUT)) > 1:
        raise TextError("standard input", "is named twice", "It can be read once: name a file.")
    paths = _find(config.texts, config)
    parts = split_corpus(
        _read(paths, config, spool / "train").corpus,
        0.0 if config.valid else config.valid_fraction,
        0.0 if config.test else config.test_fraction,
    )
    for name, texts in (("valid", config.valid), ("test", config.test)):
        if texts:
            parts[name] = _read(_find(texts, config), config, spool / name)
    whole_files = config.documents == "file" and not any(map(is_table, paths))
    ordered = {name: parts[name] for name in ("train", "valid", "test") if name in parts}
    return ordered, whole_files


def _find(texts: Sequence[str], config: DataConfig) -> list[Path]:
    if not texts:
        raise TextError("the input", "names no text", "Give a file or a folder.")
    return find_files(texts, config.encoding)


def _read(paths: Sequence[Path], config: DataConfig, folder: Path) -> Part:
    pieces = read_pieces(paths, config.column, config.documents, config)
    corpus = Corpus.write(pieces, folder)
    return Part(corpus, corpus.spans())


def build_store(
    folder: Path, parts: dict[str, Part], tokenizer: Tokenizer, whole_files: bool = False
) -> TokenStore:
    """Encodes splits into a folder; all but "train" are also measured with `xz`."""
    content = json.dumps({name: part.sha256 for name, part in parts.items()})
    return write_store(
        folder,
        tokenizer,
        hashlib.sha256(content.encode()).hexdigest(),
        {
            name: partial(_write_split, name, part, tokenizer, whole_files)
            for name, part in parts.items()
        },
        any(part.corpus.line_documents for part in parts.values()),
    )


def _write_split(
    name: str, part: Part, tokenizer: Tokenizer, whole_files: bool, file: BinaryIO
) -> SplitInfo:
    info = _encode(part, tokenizer, file)
    if not whole_files:
        info = replace(info, num_line_ends=0)
    if name == "train":
        return info
    xz_bytes, xz_of_bytes = compressed_bytes(part)
    return replace(info, xz_bytes=xz_bytes, xz_of_bytes=xz_of_bytes)


def _encode(part: Part, tokenizer: Tokenizer, file: BinaryIO) -> SplitInfo:
    """Writes the ids of a split and counts what they stand for."""
    boundary = np.array([BOUNDARY_ID], id_type(tokenizer.vocab_size))
    boundary.tofile(file)
    num_tokens = num_following_bytes = num_words = num_line_ends = num_unknown = 0
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
        num_line_ends += sum(text.count("\n") for text in texts)
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
        num_line_ends=num_line_ends,
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
