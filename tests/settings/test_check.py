"""Each rule holds at its ends and says itself where it is broken."""

from dataclasses import dataclass
from math import inf, nan

import pytest

from unrolled.errors import ConfigError
from unrolled.settings.check import (
    above,
    at_least,
    between,
    check,
    check_value,
    one_of,
    part_of_one,
)


@pytest.mark.parametrize(
    ("rule", "text", "right", "wrong"),
    [
        (above(0), "above 0", [1e-9, 1e9], [0, -1, inf, nan, "1", None]),
        (above(0, at_most=0.5), "above 0 and at most 0.5", [0.5], [0, 0.51, nan]),
        (at_least(2), "2 or more", [2, 9], [1, inf, nan, (3,)]),
        (between(0, 1), "from 0 to 1", [0, 1], [-0.1, 1.1, nan]),
        (part_of_one(), "at least 0 and below 1", [0, 0.9], [-0.1, 1, nan]),
        (one_of(("a", "b")), "one of a, b", ["a"], ["c", 1]),
    ],
)
def test_rules(rule, text, right, wrong):
    assert rule.text == text
    for value in right:
        check_value("size", value, rule)
    for value in wrong:
        with pytest.raises(ConfigError) as caught:
            check_value("size", value, rule, "Mend it.")
        remedy = rule.remedy or "Mend it."
        assert str(caught.value) == f"size must be {text}, got {value}. {remedy}"


@dataclass(frozen=True)
class Settings:
    size: int = 3
    rate: float | None = None

    def __post_init__(self) -> None:
        check(self, (at_least(1), "size"), (above(0), "rate"))


def test_the_default_is_the_example_and_none_is_always_allowed():
    assert Settings(1).rate is None
    with pytest.raises(ConfigError, match=r"^size must be 1 or more, got 0\. Use for example 3\.$"):
        Settings(0)
    with pytest.raises(ConfigError, match=r"^rate must be above 0, got 0\. Leave it out\.$"):
        Settings(rate=0)
