"""What settings may be: a rule for each, checked where a class of settings is made.

The class lists its rules in `__post_init__`:
`check(self, (above(0), "learning_rate", "clip_norm"), (at_least(1), "batch_size"))`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError


@dataclass(frozen=True)
class Rule:
    """What a value has to be."""

    text: str
    """As it follows "must be"."""
    holds: Callable[[Any], bool]
    remedy: str = ""
    """What to do next; by default the setting's own default is the example."""


def above(least: float, remedy: str = "", at_most: float = math.inf) -> Rule:
    """A finite number above another."""
    text = f"above {least}" + (f" and at most {at_most}" if at_most < math.inf else "")
    return Rule(text, lambda value: least < value <= at_most and value < math.inf, remedy)


def at_least(least: float, remedy: str = "") -> Rule:
    """A finite number that is not below another."""
    return Rule(f"{least} or more", lambda value: least <= value < math.inf, remedy)


def between(least: float, most: float, remedy: str = "") -> Rule:
    """A number from one to another, both included."""
    return Rule(f"from {least} to {most}", lambda value: least <= value <= most, remedy)


def part_of_one(remedy: str = "") -> Rule:
    """A share that is not all."""
    return Rule("at least 0 and below 1", lambda value: 0 <= value < 1, remedy)


def one_of(choices: Sequence[str]) -> Rule:
    """One of some names."""
    names = ", ".join(choices)
    return Rule(f"one of {names}", lambda value: value in choices, "Choose one of these.")


def check(settings: Any, *rows: tuple[Rule, *tuple[str, ...]]) -> None:
    """Checks fields, those of a row by its rule; None is always allowed.

    Args:
        settings: A dataclass, or another object whose class has the defaults.
        rows: A rule and the names of fields, each.

    Raises:
        ConfigError: a value breaks its rule.
    """
    for rule, *names in rows:
        for name in names:
            value = getattr(settings, name)
            if value is None:
                continue
            default = getattr(type(settings), name, None)
            example = "Leave it out." if default is None else f"Use for example {default}."
            check_value(name, value, rule, example)


def check_value(name: str, value: object, rule: Rule, example: str = "") -> None:
    """Checks one value.

    Args:
        example: What to do next, where the rule does not say it.

    Raises:
        ConfigError: it breaks the rule, or is of a type that has nothing to do with it.
    """
    try:
        holds = rule.holds(value)
    except TypeError:
        holds = False
    if not holds:
        raise ConfigError(name, rule.text, value, rule.remedy or example)
