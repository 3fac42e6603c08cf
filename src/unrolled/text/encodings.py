"""Finds out how a file's text is encoded and decodes it strictly, chunk by chunk."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

from ..errors import TextError

CHUNK = 1 << 20
"""Bytes read at a time: blocks so large go back to the system and leave no holes in the heap."""
SAMPLE = 1 << 14
"""Bytes looked at where an encoding has to be guessed."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MARKED = ["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_7"]
"""Never guessed: they have a mark or NUL bytes, or are no files'."""
LATIN = ["cp1252", "cp1250", "cp1254", "cp1257"]
USUAL = ["cp1251", "koi8_r", "gb18030", "big5", "cp932", "euc_jis_2004", "cp949"]
"""Tried by themselves too; of encodings in which a sample reads equally well, the first."""
FOREIGN = re.compile(rb"[\x80-\xff]+")
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))
CONVERT = "Convert it to UTF-8, or mend it there."


class NoText(TextError):
    """A file that is empty or binary."""


@dataclass(frozen=True)
class Encoding:
    """A codec and the length of the byte order mark before the text."""

    name: str
    mark_bytes: int = 0


def detect_encoding(path: Path, file: BinaryIO, whole: bool = True) -> Encoding:
    """Finds the encoding: byte order mark, UTF-16 by its NUL bytes, UTF-8, or the likeliest other.

    Args:
        path: The file's name, for messages.
        file: The file, at its start; read to the end if it seems to be UTF-8.
        whole: False looks at the beginning only.

    Raises:
        NoText: the file is empty or binary.
        TextError: it is damaged UTF-8, or in no known encoding.
    """
    head = file.read(SAMPLE)
    if not head:
        raise NoText(path, "is empty", "Give a file with text.")
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return Encoding(name, len(mark))
    if b"\0" in head:
        return Encoding(_utf16(path, head))
    position, sample = _first_bad_byte(file if whole else None, head)
    if position is None:
        _refuse_binary(path, head)
        return Encoding("utf-8")
    return Encoding(_guess(path, sample, position))


def _utf16(path: Path, head: bytes) -> str:
    """Which UTF-16 without a mark it is: the one that reads as the more ordinary text."""
    ordinary = {name: _ordinary_chars(head, name) for name in ("utf-16-le", "utf-16-be")}
    best = max(ordinary, key=lambda name: ordinary[name])
    if not ordinary[best] or (len(head) < SAMPLE and len(head) % 2):
        raise _binary(path)
    return best


def _ordinary_chars(head: bytes, name: str) -> int:
    """Counts ASCII and East Asian punctuation; 0 where the bytes do not make up text."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return 0
    strange = sum(not (char.isprintable() or char in "\t\n\r\f\u3000\u00a0") for char in text)
    if strange > len(text) / 100:
        return 0
    return sum(c < "\x7f" or "\u3000" <= c < "\u3040" or "\uff00" <= c < "\uff60" for c in text)


def _first_bad_byte(file: BinaryIO | None, head: bytes) -> tuple[int | None, bytes]:
    """Position of the first byte that is not UTF-8, if any, and a sample of bytes around it."""
    decoder, chunk, before, position = codecs.getincrementaldecoder("utf-8")(), head, b"", 0
    while True:
        following = file.read(CHUNK) if file else b""
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=file is not None and not following)
        except UnicodeDecodeError as error:
            at = error.start - pending
            around = before + chunk + following
            start = max(0, len(before) + at - SAMPLE)
            sample = around[start : start + 2 * SAMPLE]
            lines = _whole_lines(sample, start > 0)
            return position + at, sample if lines.isascii() else lines
        if not following:
            return None, b""
        position += len(chunk)
        before, chunk = chunk[-SAMPLE:], following


def _whole_lines(sample: bytes, cut_before: bool) -> bytes:
    """Leaves out what may be half a character at both ends of a sample."""
    start = sample.find(b"\n") + 1 if cut_before else 0
    stop = sample.rfind(b"\n") + 1 if len(sample) >= 2 * SAMPLE else 0
    return sample[start : stop if stop > start else None]


def _guess(path: Path, sample: bytes, position: int) -> str:
    """Names the likeliest encoding of a sample that is not UTF-8."""
    _refuse_binary(path, sample)
    as_utf8 = sample.decode("utf-8", "replace")
    num_bad = as_utf8.count("\ufffd")
    if sum(not char.isascii() for char in as_utf8) - num_bad > num_bad:
        raise TextError(path, f"is UTF-8 with a damaged byte at position {position}", CONVERT)
    # Plain ASCII lines say nothing and would outweigh those that do.
    foreign = b"\n".join(line for line in sample.split(b"\n") if not line.isascii())
    candidates = LATIN if _is_latin(foreign) else USUAL
    found = [
        *from_bytes(foreign, cp_isolation=candidates),
        *from_bytes(foreign, cp_exclusion=MARKED),
    ]
    if not found:
        raise TextError(path, f"is in no known encoding at byte {position}", CONVERT)
    best = min((match.chaos, -match.coherence) for match in found)
    equal = [match for match in found if (match.chaos, -match.coherence) == best]
    names = {name for match in equal for name in match.could_be_from_charset}
    return next((name for name in candidates if name in names), equal[0].encoding)


def _is_latin(foreign: bytes) -> bool:
    """Whether what is not ASCII are single letters among many that are."""
    runs = FOREIGN.findall(foreign)
    single = sum(len(run) == 1 for run in runs)
    return sum(map(len, runs)) < len(foreign) / 3 and single > len(runs) / 2


def _refuse_binary(path: Path, sample: bytes) -> None:
    if len(sample) - len(sample.translate(None, CONTROL)) > len(sample) / 100:
        raise _binary(path)


def _binary(path: Path) -> NoText:
    return NoText(path, "is a binary file, not text", "Save it as plain text in UTF-8.")


def read_text(path: Path, file: BinaryIO, encoding: Encoding) -> Iterator[str]:
    """Decodes a file strictly, a chunk at a time.

    Raises:
        TextError: a byte does not fit the encoding (with its position), or is NUL.
    """
    decoder = codecs.getincrementaldecoder(encoding.name)("strict")
    position = len(file.read(encoding.mark_bytes))
    chunk: bytes | None = None
    while chunk != b"":
        chunk = file.read(CHUNK)
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            at = position - pending + error.start
            problem = f"cannot be read as {encoding.name} at byte {at}"
            raise TextError(path, problem, CONVERT) from None
        if "\0" in text:
            at = position - pending + len(text[: text.index("\0")].encode(encoding.name))
            raise TextError(path, f"has a NUL character at byte {at}", CONVERT)
        position += len(chunk)
        if text:
            yield text
