"""Decodes bytes strictly, and finds out their encoding where nobody names it."""

import codecs
import itertools
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from chardet import detect_all

from ..errors import TextError, TextWarning

CHUNK = 1 << 20
"""Bytes read at a time: blocks so large go back to the system and leave no holes in the heap."""
SAMPLE = 1 << 16
"""Bytes looked at where an encoding has to be guessed."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MARK = "\ufeff"
LATIN = {
    **dict.fromkeys(("cp1252", "cp1250", "cp1254", "cp1257", "cp1258"), 1.0),
    **dict.fromkeys(("iso8859-2", "iso8859-9", "iso8859-13", "iso8859-15"), 1.0),
    **dict.fromkeys(("mac-roman", "cp437", "cp850"), 0.85),
    "cp852": 0.75,
}
"""Encodings in which most letters are ASCII, and how much less likely the old ones are."""
OTHER = {
    **dict.fromkeys(("gb18030", "big5hkscs", "cp932", "euc_jis_2004", "cp949"), 1.0),
    **dict.fromkeys(("cp1251", "cp1253", "cp1255", "cp1256", "cp874"), 1.0),
    **dict.fromkeys(("koi8-r", "koi8-u", "iso8859-5", "iso8859-7", "cp866"), 1.0),
    **dict.fromkeys(("mac-cyrillic",), 0.85),
}
SEVEN_BIT = ["iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_ext", "iso2022_kr", "hz"]
SHIFTS = re.compile(rb"\x1b\$|\x0e|~\{")
"""What a text in one of these has, and other ASCII hardly ever."""
FEW_BYTES = 24
"""Different bytes beyond ASCII below which a guess is doubtful whatever the figures say."""
CLOSE = 0.8
"""Confidence of another reading, as a part of the best one's, above which a guess is doubtful."""
GUESSED = "guessed from its bytes"
FOREIGN = re.compile(rb"[\x80-\xff]+")
CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x0e\x0f\x1b"))
CONVERT = "Convert it to UTF-8, mend it there, or name its encoding with --encoding."


class NoText(TextError):
    """A file that is empty or binary."""


def looks_like_text(source: object, file: BinaryIO, encoding: str | None = None) -> bool:
    """Whether a file begins like text: neither empty nor binary."""
    head = _read(file, SAMPLE)
    if encoding:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
        return _strange_chars(text) < len(text) / 100
    try:
        _begin(source, head)
    except NoText:
        return False
    return bool(head)


def decode(
    source: object, file: BinaryIO, encoding: str | None = None, live: bool = False
) -> Iterator[str]:
    """Decodes a file or pipe, a chunk at a time.

    Without a name for it the encoding is that of the byte order mark, UTF-16 where NUL bytes say
    so, else UTF-8 or the likeliest other one, decided at the first bytes that are not ASCII. Such
    a guess is said in a `TextWarning`. Byte order marks are left out, also those within the text,
    where files were joined.

    Args:
        source: What the text is called in messages.
        file: The file, at its start.
        encoding: A name that Python knows; None: to be found out.
        live: Whether bytes are decoded as soon as they arrive, instead of `CHUNK` by `CHUNK`.

    Raises:
        NoText: the file is empty or binary.
        TextError: a byte does not fit the encoding (with its position), or is NUL.
    """
    head = _read(file, 1)
    while any(mark.startswith(head) and mark != head for mark, _ in BYTE_ORDER_MARKS):
        if not (more := _read(file, 1)):
            break
        head += more
    if not head:
        raise NoText(source, "is empty", "Give a file with text.")
    read = _read_some if live else _read
    head += read(file, CHUNK - len(head))
    if b"\0" in head:
        head += _read(file, SAMPLE - len(head))
    name = encoding or _begin(source, head[:SAMPLE])
    rest = iter(lambda: read(file, CHUNK), b"")
    chunks, position = itertools.chain([head], rest), 0
    while name is None:
        chunk = next(chunks, b"")
        if not chunk:
            return
        if not chunk.isascii() or SHIFTS.search(chunk):
            chunk, name = _decide(source, file, chunk, position)
            chunks = itertools.chain([chunk], rest)
        else:
            _refuse_nul(source, chunk.decode("ascii"), position, "ascii")
            yield chunk.decode("ascii")
            position += len(chunk)
    for text in _strictly(source, chunks, name, position):
        if text := text.replace(MARK, ""):
            yield text


def _read(file: BinaryIO, size: int) -> bytes:
    """As many bytes as asked for, where there are so many."""
    found = []
    while size > 0 and (part := file.read(size)):
        found.append(part)
        size -= len(part)
    return b"".join(found)


def _read_some(file: BinaryIO, size: int) -> bytes:
    """What is there, without waiting for more than a byte."""
    return file.read1(max(1, size)) if hasattr(file, "read1") else file.read(max(1, size))


def _begin(source: object, head: bytes) -> str | None:
    """What the beginning says of the encoding, if anything."""
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _utf16(source, head)
    _refuse_binary(source, head)
    return None


def _utf16(source: object, head: bytes) -> str:
    """Which UTF-16 without a mark it is: the one that reads as the more ordinary text."""
    ordinary = {name: _ordinary_chars(head, name) for name in ("utf-16-le", "utf-16-be")}
    best = max(ordinary, key=lambda name: ordinary[name])
    if not ordinary[best] or (len(head) < SAMPLE and len(head) % 2):
        raise _binary(source)
    return best


def _ordinary_chars(head: bytes, name: str) -> int:
    """Counts ASCII and East Asian punctuation; 0 where the bytes do not make up text."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(head)
    except UnicodeDecodeError:
        return 0
    if _strange_chars(text) > len(text) / 100:
        return 0
    return sum(c < "\x7f" or "\u3000" <= c < "\u3040" or "\uff00" <= c < "\uff60" for c in text)


def _strange_chars(text: str) -> int:
    """Characters that are in no ordinary text: control characters, unassigned and damaged ones."""
    return sum(
        char == "\ufffd" or not (char.isprintable() or char.isspace() or char == MARK)
        for char in text
    )


def _decide(source: object, file: BinaryIO, chunk: bytes, position: int) -> tuple[bytes, str]:
    """Decides by the bytes from the first that is not ASCII on.

    Returns:
        The chunk with what else was read, and the encoding.
    """
    if chunk.isascii():
        seven = _ranked(chunk[:SAMPLE], dict.fromkeys(SEVEN_BIT, 1.0))
        if seven and seven[0][0] > CLOSE:
            return chunk, _said(source, seven[0][1], GUESSED)
        return chunk, "utf-8"
    first = next(match.start() for match in FOREIGN.finditer(chunk))
    if _is_utf8(chunk[first : first + SAMPLE], whole=False):
        return chunk, "utf-8"
    chunk += _read(file, SAMPLE - (len(chunk) - first))  # a pipe gives what a file gives
    start = chunk.rfind(b"\n", 0, first) + 1
    sample = chunk[start : start + SAMPLE]
    _refuse_binary(source, sample)
    if _is_utf8(sample, whole=len(sample) < SAMPLE):
        return chunk, "utf-8"
    name, reason = guess(sample)
    if name is None:
        problem = f"is in no known encoding at byte {position + first}"
        raise TextError(source, problem, CONVERT)
    return chunk, _said(source, name, reason)


def _is_utf8(sample: bytes, whole: bool) -> bool:
    """Whether what is not ASCII is nearly all UTF-8: then the rest is damage.

    Of a short Chinese text in GB18030 two thirds may be, by chance.
    """
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(sample, whole)
    return sum(not char.isascii() for char in text) > 9 * text.count("\ufffd")


def guess(sample: bytes) -> tuple[str | None, str]:
    """The likeliest encoding of bytes that are not UTF-8, and why that is a guess."""
    # Plain ASCII lines say nothing and would outweigh those that do, as would repeated ones.
    lines = dict.fromkeys(line for line in sample.split(b"\n") if not line.isascii())
    foreign = b"\n".join(lines)
    ranked = _ranked(foreign, LATIN if _is_latin(foreign) else OTHER)
    if b"\x80" in foreign and (chinese := _reading(foreign, "gb18030")) is not None:
        # The ranking does not know that euro sign, and knows the usual one.
        usual = _ranked(chinese.encode("gb18030"), OTHER)
        ranked = usual if usual and usual[0][1] == "gb18030" else ranked
    if not ranked:
        return None, ""
    (best, name), *others = ranked
    reading = _reading(foreign, name)
    for score, other in others:
        if score > CLOSE * best and _reading(foreign, other) != reading:
            return name, f"a doubtful guess, for {other} fits nearly as well"
    if sum(map(len, FOREIGN.findall(foreign))) < FEW_BYTES:
        return name, "a doubtful guess from little text"
    return name, GUESSED


def _ranked(sample: bytes, priors: dict[str, float]) -> list[tuple[float, str]]:
    """Encodings in which a sample can be read, the most likely first."""
    order = list(priors)
    found = detect_all(
        sample,
        ignore_threshold=True,
        compat_names=False,
        include_encodings=order,
        no_match_encoding=order[0],
    )
    scores = {found["encoding"]: found["confidence"] for found in found}
    ranked = [
        (score * priors[name], name)
        for name, score in scores.items()
        if name in priors and _reading(sample, name) is not None
    ]
    return sorted(ranked, key=lambda pair: (-pair[0], order.index(pair[1])))


def _reading(sample: bytes, name: str) -> str | None:
    """A sample, which may end within a character, as text; None where it is no such text."""
    try:
        return codecs.getincrementaldecoder(name)(_errors(name)).decode(sample)
    except UnicodeDecodeError:
        return None


def _is_latin(foreign: bytes) -> bool:
    """Whether what is not ASCII are single letters among many that are."""
    runs = FOREIGN.findall(foreign)
    single = sum(len(run) == 1 for run in runs)
    return sum(map(len, runs)) < len(foreign) / 2 and single > len(runs) / 2


def _said(source: object, name: str, reason: str) -> str:
    note = f"is read as {name}, {reason}"
    warnings.warn(TextWarning(source, note, "Name another with --encoding."), stacklevel=2)
    return name


def _refuse_binary(source: object, sample: bytes) -> None:
    if len(sample) - len(sample.translate(None, CONTROL)) > len(sample) / 100:
        raise _binary(source)


def _binary(source: object) -> NoText:
    remedy = "Save it as plain text in UTF-8, or name its encoding with --encoding."
    return NoText(source, "is a binary file, not text", remedy)


def _euro(error: UnicodeError) -> tuple[str, int]:
    """Windows writes the euro sign as byte 80 in GBK, which has none."""
    if isinstance(error, UnicodeDecodeError) and error.object[error.start] == 0x80:
        return "€", error.start + 1
    raise error


codecs.register_error("unrolled.euro", _euro)


def _errors(name: str) -> str:
    chinese = codecs.lookup(name).name in ("gb2312", "gbk", "gb18030")
    return "unrolled.euro" if chinese else "strict"


def _strictly(source: object, chunks: Iterable[bytes], name: str, position: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(name)(_errors(name))
    for chunk in itertools.chain(chunks, [b""]):
        start = position - len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            at = start + (error.start if isinstance(error, UnicodeDecodeError) else 0)
            raise TextError(source, f"cannot be read as {name} at byte {at}", CONVERT) from None
        _refuse_nul(source, text, start, name)
        position += len(chunk)
        yield text


def _refuse_nul(source: object, text: str, start: int, name: str) -> None:
    if "\0" in text:
        at = start + len(text[: text.index("\0")].encode(name, "replace"))
        raise TextError(source, f"has a NUL character at byte {at}", CONVERT)
