"""Files as they get damaged: bytes cut, doubled, or replaced by what parsers stumble over.

`make test` tries the same few inputs each time; `make fuzz` tries new ones for about an hour.
"""

import os
import re
from random import Random

EXAMPLES = int(os.environ.get("UNROLLED_FUZZ_EXAMPLES", "0"))
"""Inputs of each test, several times as many where they are cheap; 0: a few, always the same."""
FEW = 25

STUMBLING = (b"", b"\x00", b"\xff\xfe", b"[" * 3000, b'{"":' * 3000, b"NaN", b"-1", b"1e999")
STUMBLING += (b"0", b"null", b"true", b'""', b"[]", b"{}", b"<eos>", b"99999999999999999999")
STUMBLING += (b"\xef\xbb\xbf", b"\r\r\n", b"\xed\xa0\x80", b"\\ud800", b'"', b",", b"\x0b")

TOKEN = re.compile(rb'"[^"]*"|[\w.+-]+')
"""A word, number or string: replaced whole, it leaves the rest of a file readable."""


def mutated(data: bytes, random: Random) -> bytes:
    """A file with one to three wounds."""
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(data))
        length = random.choice((0, 1, 1, 2, 4, 8, 64, len(data)))
        if random.random() < 0.5 and (token := TOKEN.search(data, start)):
            start, length = token.start(), len(token[0])
        cut = data[start : start + length]
        some = random.randbytes(random.randint(0, 8))
        new = random.choice((random.choice(STUMBLING), some, cut * 2, cut[::-1]))
        data = data[:start] + new + data[start + length :]
    return data
