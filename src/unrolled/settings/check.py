"""What settings may be: a type and a rule for each, checked where a class of settings is made.

The class lists its rules in `__post_init__`; the types are those of its fields:
`check(self, (above(0), "learning_rate", "clip_norm"), (at_least(1), "batch_size"))`.
"""

import math
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from ..errors import ConfigError
from ..system.records import Mismatch, convert, field_types


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


SEED = between(0, 2**32 - 1, "Use for example 0.")
"""Of a training: what numpy, torch and scikit-learn all take."""


def part_of_one(remedy: str = "") -> Rule:
    """A share that is not all."""
    return Rule("at least 0 and below 1", lambda value: 0 <= value < 1, remedy)


def one_of(choices: Sequence[str]) -> Rule:
    """One of some names; for what is no dataclass, whose types say it."""
    names = ", ".join(choices)
    return Rule(f"one of {names}", lambda value: value in choices, "Choose one of these.")


def check(settings: Any, *rows: tuple[Rule, *tuple[str, ...]]) -> None:
    """Checks fields: of a dataclass all by their types, and those of a row by its rule.

    A value of numpy becomes a plain one, a list a tuple, a name a path, as the type has it. A rule
    allows None where the type does.

    Args:
        settings: A dataclass, or another object whose class has the defaults.
        rows: A rule and the names of fields, each.

    Raises:
        ConfigError: a value is of another type, or breaks its rule.
    """
    if is_dataclass(settings):
        _convert(settings)
    for rule, *names in rows:
        for name in names:
            value = getattr(settings, name)
            if value is None:
                continue
            default = getattr(type(settings), name, None)
            check_value(name, value, rule, _example(default))


def _convert(settings: Any) -> None:
    types = field_types(type(settings))
    for field in fields(settings):
        name, given = field.name, getattr(settings, field.name)
        try:
            value = convert(types[name], given, name)
        except Mismatch as error:
            value = reprlib.repr(error.value)
            shown = error.value if isinstance(error.value, str) else " ".join(value.split())
            raise ConfigError(
                error.place, error.rule, shown, _remedy(error, field.default)
            ) from None
        except ValueError as error:
            raise ConfigError(name, "of its type", given, f"{error}.") from None
        if type(given) is not int:  # a whole number may stand for a fraction, and is shown as given
            object.__setattr__(settings, name, value)


def _remedy(error: Mismatch, default: object) -> str:
    if error.rule.startswith("one of"):
        return "Choose one of these."
    if error.rule == "a list" and isinstance(error.value, str):
        return f"Write [{error.value!r}]."
    if default is MISSING:
        return "Correct it."
    return _example(default)


def _example(default: object) -> str:
    return "Leave it out." if default in (None, ()) else f"Use for example {default}."


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


def check_text(name: str, value: Any) -> str:
    """Returns a text.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(value, str):
        shown = " ".join(reprlib.repr(value).split())
        raise ConfigError(name, "a string", shown, "Give one text.")
    return value


def check_texts(name: str, values: Iterable[Any]) -> Iterator[str]:
    """Returns the texts of a list, or of whatever else has one after the other.

    Raises:
        ConfigError: it is one text, a dict or a table, or holds something else than texts; the
            latter is found when it comes.
    """
    one = isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable)
    if one or getattr(values, "ndim", 1) != 1:
        shown = " ".join(reprlib.repr(values).split())
        remedy = f"Write [{shown}]." if isinstance(values, str) else "Give one text after another."
        raise ConfigError(name, "a list of strings", shown, remedy)
    return (check_text(f"each of {name}", value) for value in values)
