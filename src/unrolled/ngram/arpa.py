r"""ARPA files: n-gram models as text, for KenLM, SRILM, Kaldi and others, and from them.

Id 0 is written as `</s>` at the end of an n-gram and as `<s>` at its beginning. Characters that
cannot stand in a token there (white space, controls, the backslash itself) become `\u{HEX}`, so
that " " is `\u{20}`; the empty token is `\u{}`, a token that spells a mark becomes `\u{3c}s>`.
"""

import codecs
import gzip
import math
import os
import re
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BufferedReader, TextIOWrapper
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, TextError
from ..settings.models import MAX_ORDER
from ..system.files import write_atomically
from .kneser_ney import UNSEEN, KneserNey, Level

LOG_10 = math.log(10)
START, END, UNKNOWN = "<s>", "</s>", "<unk>"
NEVER = -99.0
"""log10 probability of what is no prediction, `<s>`, as all tools write it."""
CHUNK = 1 << 16
"""N-grams written at a time."""
ROUNDING = 1e-5
"""A log10 probability may lie so far above 0: rounding, and read as 0."""
BLANK = b" \t\r\n"
"""What separates fields; all else belongs to words."""
FIELDS = re.compile(rb"[^ \t\r\n]+")
REMEDY = "Export the model again, or mend the line."


def escape(text: str) -> str:
    """Spells a token so that it can stand in an ARPA file; `unescape` is its inverse."""
    if not text:
        return r"\u{}"
    if text in (START, END, UNKNOWN):
        return rf"\u{{{ord(text[0]):x}}}{text[1:]}"
    return re.sub(r"[\s\\\x00-\x1f\x7f-\x9f\ud800-\udfff]", lambda m: rf"\u{{{ord(m[0]):x}}}", text)


def unescape(text: str) -> str:
    """Spells a token as it was before `escape`."""
    return re.sub(r"\\u\{([0-9a-f]{0,6})\}", lambda m: chr(int(m[1], 16)) if m[1] else "", text)


def write_arpa(model: KneserNey, path: str | os.PathLike[str], token_texts: Sequence[str]) -> None:
    """Writes a model as an ARPA file, atomically; gzipped if the name ends in .gz.

    Args:
        token_texts: Text of every token, V of them, all different. The first is not used; the
            second is written as the mark `<unk>` if it is that.

    Raises:
        ConfigError: the texts do not name the tokens.
    """
    if len(token_texts) != model.vocab_size:
        remedy = "Give the vocabulary of the model's own tokenizer."
        raise ConfigError("token_texts", f"{model.vocab_size} texts", len(token_texts), remedy)
    text, times = Counter(token_texts[1:]).most_common(1)[0] if token_texts[1:] else ("", 1)
    if times > 1:
        remedy = "Give every token a text of its own."
        raise ConfigError("token_texts", "all different", f"{times} times {text!r}", remedy)
    names = [END, *(escape(text) for text in token_texts[1:])]
    if token_texts[1:2] == [UNKNOWN]:
        names[1] = UNKNOWN

    def write(temporary: Path) -> None:
        open_file = gzip.open if str(path).endswith(".gz") else open
        with open_file(temporary, "wb") as file:
            for part in _format(model, names):
                file.write(part.encode())

    write_atomically(path, write)


def _format(model: KneserNey, names: list[str]) -> Iterator[str]:
    # Empty orders at the end add nothing, and other tools may not expect them.
    order = max(k for k, level in enumerate(model.levels, 1) if len(level.keys))
    sizes = [len(level.keys) for level in model.levels[:order]]
    sizes[0] += 1  # <s>
    yield "\\data\\\n" + "".join(f"ngram {k}={n}\n" for k, n in enumerate(sizes, 1))
    for k in range(1, order + 1):
        yield f"\n\\{k}-grams:\n"
        num_ngrams = len(model.levels[k - 1].keys)
        for start in range(0, num_ngrams, CHUNK):
            yield _format_ngrams(model, names, k, np.arange(start, min(start + CHUNK, num_ngrams)))
    yield "\n\\end\\\n"


def _format_ngrams(model: KneserNey, names: list[str], order: int, ranks: NDArray[np.int64]) -> str:
    level = model.levels[order - 1]
    ids = _spell(model.levels[:order], ranks, model.vocab_size)
    log_probs = level.log_probs[ranks].astype(np.float64) / LOG_10
    backoffs = np.zeros(len(ranks))
    if len(level.log_backoffs):
        backoffs = level.log_backoffs[ranks].astype(np.float64) / LOG_10
    begin = [START, *names[1:]] if order > 1 else names
    columns = [list(map(begin.__getitem__, ids[0].tolist()))]
    columns += [list(map(names.__getitem__, column.tolist())) for column in ids[1:]]
    lines = []
    if order == 1 and ranks[0] == 0:
        lines.append(_line(NEVER, (START,), backoffs[0]))
        backoffs[0] = 0.0
    rows = zip(log_probs.tolist(), zip(*columns, strict=True), backoffs.tolist(), strict=True)
    lines += [_line(*row) for row in rows]
    return "".join(lines)


def _line(log_prob: float, words: tuple[str, ...], backoff: float) -> str:
    end = f"\t{backoff:.8g}\n" if backoff else "\n"
    return f"{log_prob:.8g}\t{' '.join(words)}{end}"


def _spell(
    levels: Sequence[Level], ranks: NDArray[np.int64], vocab_size: int
) -> list[NDArray[np.int64]]:
    """Token ids of n-grams of the last of the levels, one array per place."""
    columns = []
    for level in reversed(levels):
        keys = level.keys[ranks]
        columns.append(keys % vocab_size)
        ranks = keys // vocab_size
    return columns[::-1]


@dataclass
class _Section:
    """What stands under `\\k-grams:`."""

    order: int
    expected: int
    words: array = field(default_factory=lambda: array("q"))
    """Ids, `order` for each n-gram; `<s>` is UNSEEN here to tell it from `</s>`."""
    log_probs: array = field(default_factory=lambda: array("d"))
    backoffs: array = field(default_factory=lambda: array("d"))
    lines: array = field(default_factory=lambda: array("q"))
    """Line number of each n-gram."""


def read_arpa(path: str | os.PathLike[str]) -> tuple[KneserNey, list[str]]:
    """Reads an ARPA file, gzipped or not, whatever tool wrote it.

    `</s>` and `<s>` become id 0, `<unk>` becomes id 1, the others follow in the file's order.
    N-grams that pruning left without their prefix get it back, with the probability that back-off
    gives it; the model's notes say what was missing.

    Returns:
        The model and the text of every token, V of them.

    Raises:
        TextError: there is no such file, or it is malformed; says in which line.
    """
    try:
        with open(path, "rb") as file:
            is_gzip = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if is_gzip else open(path, "rb") as file:
            parser = _Parser(path, _lines(file))
            sections, vocabulary = parser.parse()
    except OSError as error:
        reason = error.strerror or str(error)
        raise TextError(path, f"cannot be read: {reason}", "Check the file.") from None
    except (EOFError, zlib.error):
        raise TextError(path, "is a damaged gzip file", "Copy or export it again.") from None
    except UnicodeError:
        raise TextError(path, "is damaged UTF-16", "Copy or export it again.") from None
    model = _build(path, sections, len(vocabulary), parser.notes)
    return model, vocabulary


def _lines(file: BufferedReader | gzip.GzipFile) -> Iterator[bytes]:
    """Lines as UTF-8, without a byte order mark."""
    head = file.peek(4)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        with TextIOWrapper(file, "utf-16", newline="\n") as lines:
            for line in lines:
                yield line.encode()
        return
    if head.startswith(codecs.BOM_UTF8):
        file.read(len(codecs.BOM_UTF8))
    yield from file


class _Parser:
    """Reads the lines of one file, one after the other."""

    def __init__(self, path: str | os.PathLike[str], lines: Iterable[bytes]) -> None:
        self.path = path
        self.lines = enumerate(lines, 1)
        self.number = 0
        self.ids: dict[bytes, int] = {b"<s>": UNSEEN, b"</s>": 0, b"<unk>": 1, b"<UNK>": 1}
        self.vocabulary = [END, UNKNOWN]
        self.texts: set[str] = set()
        """Of the words, without the marks, which an escaped word may spell."""
        self.notes: list[str] = []

    def parse(self) -> tuple[list[_Section], list[str]]:
        while self._next_line("\\data\\") != b"\\data\\":
            continue
        sizes = []
        while (line := self._next_line("\\1-grams:")).startswith(b"ngram"):
            sizes.append(self._parse_size(line, len(sizes) + 1))
        if not 1 <= len(sizes) <= MAX_ORDER:
            raise self._error(f"ends a header of {len(sizes)} orders, not 1 to {MAX_ORDER}")
        sections = []
        for order, size in enumerate(sizes, 1):
            if line != b"\\%d-grams:" % order:
                raise self._error(f"is not \\{order}-grams:")
            section = _Section(order, size)
            line = self._parse_ngrams(section)
            if (found := len(section.lines)) != size:
                raise self._error(f"ends {found} {order}-grams where the header says {size}")
            sections.append(section)
        if line != b"\\end\\":
            raise self._error("is not \\end\\")
        return sections, self.vocabulary

    def _error(self, problem: str) -> TextError:
        return TextError(f"{self.path} line {self.number}", problem, REMEDY)

    def _next_line(self, awaited: str) -> bytes:
        """The next line that is not empty, without white space around it."""
        for number, line in self.lines:
            self.number = number
            if stripped := line.strip(BLANK):
                return stripped
        if self.number == 0:
            raise TextError(self.path, "is empty", "Export the model again.")
        raise self._error(f"is the last, but {awaited} has not come")

    def _parse_size(self, line: bytes, order: int) -> int:
        match = re.fullmatch(rb"ngram\s+(\d+)\s*=\s*(\d+)", line)
        if match is None or int(match[1]) != order:
            raise self._error(f"is not of the form ngram {order}=COUNT")
        return int(match[2])

    def _parse_ngrams(self, section: _Section) -> bytes:
        """Reads n-grams up to the line, returned, that begins another section."""
        order, ids = section.order, self.ids
        for number, line in self.lines:
            has_more = b"\v" in line or b"\f" in line  # at these split() would part a word
            parts = FIELDS.findall(line) if has_more else line.split()
            self.number = number
            if not order < len(parts) <= order + 2:
                if not parts:
                    continue
                # A token may begin with a backslash, but it is never the first of a line.
                if len(parts) == 1 and parts[0].startswith(b"\\"):
                    self._check_values(section)
                    return parts[0]
                raise self._error(f"has {len(parts)} fields, not {order + 1} or {order + 2}")
            if order == 1:
                self._add_word(parts[1], section)
            try:
                section.words.extend([ids[word] for word in parts[1 : order + 1]])
                section.log_probs.append(float(parts[0]))
                section.backoffs.append(float(parts[-1]) if len(parts) > order + 1 else 0.0)
            except KeyError as error:
                word = error.args[0].decode(errors="replace")
                raise self._error(f"has {word!r}, which is not among the 1-grams") from None
            except ValueError:
                problem = "has a probability or back-off weight that is not a number"
                raise self._error(problem) from None
            section.lines.append(number)
        return self._next_line("\\end\\")

    def _check_values(self, section: _Section) -> None:
        """Looks at all numbers of a section at once, which is faster than at each."""
        log_probs = np.frombuffer(section.log_probs) if section.log_probs else np.empty(0)
        self._change(section, log_probs, (log_probs > 0) & (log_probs <= ROUNDING), 0.0)
        self._change(section, log_probs, log_probs == -math.inf, NEVER)
        del log_probs  # lets the array go
        for what, rule, values, right in (
            ("log probability", "0 or below", section.log_probs, np.array(section.log_probs) <= 0),
            ("back-off weight", "finite", section.backoffs, np.isfinite(section.backoffs)),
        ):
            if not right.all():
                place = int(right.argmin())
                self.number = section.lines[place]
                raise self._error(f"has the {what} {values[place]}, which is not {rule}")

    def _change(
        self,
        section: _Section,
        log_probs: NDArray[np.float64],
        where: NDArray[np.bool_],
        value: float,
    ) -> None:
        """Reads some log probabilities as others, and notes it."""
        if number := int(where.sum()):
            largest = log_probs[where].max()
            self.notes.append(
                f"Order {section.order}: read the log10 probability of {number} n-grams, "
                f"up to {largest:g}, as {value:g}."
            )
            log_probs[where] = value

    def _add_word(self, word: bytes, section: _Section) -> None:
        if word in self.ids:
            # The four marks are known beforehand, all others once they have come.
            if self.ids[word] > 1 or self.ids[word] in section.words:
                raise self._error(f"has the 1-gram {word.decode(errors='replace')!r} again")
            return
        try:
            text = unescape(word.decode())
        except (UnicodeDecodeError, ValueError, OverflowError):
            raise self._error("has a token that is not UTF-8") from None
        if text in self.texts:
            raise self._error(f"has the 1-gram {text!r} again, in another spelling")
        self.texts.add(text)
        self.vocabulary.append(text)
        self.ids[word] = len(self.vocabulary) - 1


def _build(
    path: str | os.PathLike[str], sections: Sequence[_Section], vocab_size: int, notes: list[str]
) -> KneserNey:
    """Sorts the n-grams into levels, those of all orders by their first j tokens at a time."""
    levels = [_unigrams(sections[0], vocab_size, notes)]
    rows = [_usable_rows(section, notes) for section in sections[1:]]
    ranks = [words[:, 0] for words, _ in rows]
    for j in range(2, len(sections) + 1):
        keys = [
            rank * vocab_size + words[:, j - 1]
            for rank, (words, _) in zip(ranks, rows, strict=True)
        ]
        union, inverse = np.unique(np.concatenate(keys), return_inverse=True)
        ranks = np.split(inverse, np.cumsum([len(key) for key in keys])[:-1])
        own, (_, chosen) = ranks.pop(0), rows.pop(0)
        section = sections[j - 1]
        if len(repeated := np.flatnonzero(np.bincount(own, minlength=1) > 1)):
            line = section.lines[chosen[np.flatnonzero(own == repeated[0])[1]]]
            raise TextError(f"{path} line {line}", f"has a {j}-gram again", REMEDY)
        log_probs, backoffs = np.full(len(union), np.nan), np.zeros(len(union), np.float32)
        log_probs[own] = np.array(section.log_probs)[chosen] * LOG_10
        backoffs[own] = np.array(section.backoffs)[chosen] * LOG_10
        if len(blank := np.flatnonzero(np.isnan(log_probs))):
            notes.append(f"Order {j}: added {len(blank)} n-grams that begin stored ones.")
            log_probs[blank] = _back_off(levels, union[blank], vocab_size)
        levels.append(Level(union, log_probs.astype(np.float32), backoffs))
    levels[-1] = Level(levels[-1].keys, levels[-1].log_probs, np.empty(0, np.float32))
    return KneserNey(vocab_size, tuple(levels), notes=tuple(notes))


def _unigrams(section: _Section, vocab_size: int, notes: list[str]) -> Level:
    ids = np.array(section.words, np.int64)
    log_probs = np.full(vocab_size, NEVER)
    backoffs = np.zeros(vocab_size)
    predicted = ids != UNSEEN
    log_probs[ids[predicted]] = np.array(section.log_probs)[predicted]
    contexts = ids != 0
    backoffs[np.maximum(ids[contexts], 0)] = np.array(section.backoffs)[contexts]
    for mark, text in ((0, END), (1, UNKNOWN)):
        if mark not in ids:
            notes.append(f"{text} is not in the file; its log10 probability is set to {NEVER:g}.")
    return Level(
        np.arange(vocab_size),
        (log_probs * LOG_10).astype(np.float32),
        (backoffs * LOG_10).astype(np.float32),
    )


def _usable_rows(
    section: _Section, notes: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids, `(n, k)`, and indices of the n-grams that a text can contain.

    Some tools write n-grams with `<s>` inside or `</s>` before the end; no text has them.
    """
    words = np.array(section.words, np.int64).reshape(-1, section.order)
    usable = (words[:, 1:] != UNSEEN).all(1) & (words[:, :-1] != 0).all(1)
    if num_left := int((~usable).sum()):
        notes.append(f"Order {section.order}: left out {num_left} n-grams across a boundary.")
    chosen = np.flatnonzero(usable)
    return np.maximum(words[chosen], 0), chosen


def _back_off(
    levels: Sequence[Level], keys: NDArray[np.int64], vocab_size: int
) -> NDArray[np.float64]:
    """Log-probability of n-grams one longer than those of the levels, none of which is stored."""
    prefixes = keys // vocab_size
    columns = [*_spell(levels, prefixes, vocab_size)[1:], keys % vocab_size]
    rows = np.stack([np.full(len(keys), UNSEEN), *columns], 1)  # separated by nothing
    shorter = KneserNey(vocab_size, tuple(levels))
    scores = np.append(np.float32(0), shorter.score_stream(rows.reshape(-1)))
    log_probs = levels[-1].log_backoffs[prefixes] + scores.reshape(rows.shape)[:, -1]
    return log_probs.astype(np.float64)
