"""Files as they get damaged: bytes cut, doubled, or replaced by what parsers stumble over.

`make test` tries the same few inputs each time; `make fuzz` tries new ones for about an hour.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("UNROLLED_FUZZ_EXAMPLES", "0"))
"""Inputs of each test; 0: a few, the same each time."""
FUZZ = settings(
    max_examples=EXAMPLES or 25,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

STUMBLING = (b"", b"\x00", b"\xff\xfe", b"[" * 3000, b'{"":' * 3000, b"NaN", b"-1", b"1e999")
STUMBLING += (b"0", b"null", b"true", b'""', b"[]", b"{}", b"<eos>", b"99999999999999999999")
STUMBLING += (b"\xef\xbb\xbf", b"\r\r\n", b"\xed\xa0\x80", b"\\ud800", b'"', b",", b"\x0b")


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """A file with one to three wounds."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from((0, 1, 1, 2, 4, 8, 64, len(data))))
        cut = data[start : start + length]
        new = draw(
            st.one_of(
                st.sampled_from(STUMBLING),
                st.binary(max_size=8),
                st.just(cut * 2),
                st.just(cut[::-1]),
            )
        )
        data = data[:start] + new + data[start + length :]
    return data
