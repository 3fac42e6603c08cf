"""Frozen dataclasses → JSON and back: settings, events and results are all written this way."""

import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints


class Mismatch(ValueError):
    """A value is not of its type: `<place> must be <rule>, got <value>`."""

    def __init__(self, place: str, rule: str, value: object) -> None:
        self.place, self.rule, self.value = place, rule, value
        super().__init__(f"{place} must be {rule}, got {' '.join(reprlib.repr(value).split())}")


class Record:
    """What a frozen dataclass inherits to become JSON: `Loss.from_json(loss.to_json()) == loss`.

    Fields are numbers, text, paths, literals, records, and lists, tuples, dicts and unions of such.
    JSON has no infinity: a number that is not finite is written as null and read as not a number.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ()
    """Properties that JSON shows too; they are computed anew, not read back."""
    OPTIONAL: ClassVar[tuple[str, ...]] = ()
    """Fields that JSON leaves out where they have their default."""

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as `json.dumps` takes them."""
        values = {name: getattr(self, name) for name in self.DERIVED}
        for field in fields(self):  # pyrefly: ignore
            value = getattr(self, field.name)
            if field.name not in self.OPTIONAL or value != _default(field):
                values[field.name] = value
        return {name: _to_json(value) for name, value in values.items()}

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Rebuilds a record; fields with a default may be missing.

        Raises:
            ValueError: a field is missing, unknown or of another type; the message names it.
            UnrolledError: the record itself refuses a value.
        """
        return _record(cls, values, cls.__name__)


def from_json(kind: Any, values: Any, place: str) -> Any:
    """The same for what is no record itself: a union of records, a list of them.

    Args:
        place: What the message of an error calls it.
    """
    return _value(kind, values, place)


def scalars(kind: type, record: Any) -> dict[str, Any]:
    """What a table has of a record: its numbers and texts by name, lists and dicts left out.

    Those of a record that is a field have the field's name before theirs, `behind_margin`.

    Args:
        kind: Of the record, which may be None: so are all of its figures then.
    """
    found: dict[str, Any] = {}
    for name, annotation in field_types(kind).items():
        value = getattr(record, name, None)
        parts = [part for part in _parts(annotation) if part is not NoneType]
        if len(parts) == 1 and is_dataclass(parts[0]):
            below = scalars(parts[0], value)  # pyrefly: ignore
            found |= {f"{name}_{key}": figure for key, figure in below.items()}
        elif all(part in (int, float, str, bool) or get_origin(part) is Literal for part in parts):
            found[name] = value
    return found


def _parts(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def convert(kind: Any, value: Any, place: str) -> Any:
    """A value that was given in Python, as its type has it: numpy's become plain ones.

    Raises:
        Mismatch: it is of another type.
        ValueError: a record, list or tuple in it does not fit; the message names it.
    """
    if value is None and kind is float:  # JSON's way to write what is not a number
        raise Mismatch(place, NAMES[float], value)
    return _value(kind, value, place)


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default


def _to_json(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _to_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(part) for part in value]
    return str(value) if isinstance(value, Path) else value


NAMES = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    Path: "a path",
    list: "a list",
    tuple: "a list",
    Sequence: "a list",
    dict: "a dict",
    Mapping: "a dict",
}


@cache
def field_types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _record(kind: Any, values: Any, place: str) -> Any:
    if not isinstance(values, Mapping):
        raise ValueError(f"{place} is not an object")
    types, fresh = field_types(kind), {}
    known = {field.name for field in fields(kind) if field.init}
    for name, value in values.items():
        if name in known:
            fresh[name] = _value(types[name], value, f"{place}.{name}")
        elif name not in kind.DERIVED:
            raise ValueError(f"{place} has an unknown field {name!r}")
    try:
        return kind(**fresh)
    except TypeError as error:
        missing = str(error).rpartition(": ")[2]
        raise ValueError(f"{place} lacks {missing}") from None


def _value(kind: Any, value: Any, place: str) -> Any:
    """The value as a type says it: JSON has neither tuples nor paths nor records."""
    origin, parts = get_origin(kind), get_args(kind)
    if hasattr(value, "ndim") and hasattr(value, "tolist"):  # numpy's and torch's own
        value = value.tolist()
    if origin in (Union, UnionType):
        return _union(parts, value, place)
    if kind is Any:
        return value
    if is_dataclass(kind):
        return value if isinstance(value, kind) else _record(kind, value, place)
    if origin is Literal:
        if value in parts:
            return value
        raise Mismatch(place, f"one of {', '.join(map(str, parts))}", value)
    if origin in (list, tuple, Sequence) and isinstance(value, Sequence) and not _is_text(value):
        return _items(origin, parts, value, place)
    if origin in (dict, Mapping) and isinstance(value, Mapping):
        return {key: _value(parts[1], part, f"{place}.{key}") for key, part in value.items()}
    if origin is not None:
        raise Mismatch(place, NAMES.get(origin, str(kind)), value)
    return _plain(kind, value, place)


def _is_text(value: object) -> bool:
    """Whether it is one text, which is a sequence too, but never meant as one."""
    return isinstance(value, str | bytes)


def _union(parts: tuple[Any, ...], value: Any, place: str) -> Any:
    """The first of several types that takes the value; a record with a `kind` names itself."""
    if value is None and NoneType in parts:
        return None
    if isinstance(value, Mapping):
        kinds = {part: _kinds(part) for part in parts}
        named = [part for part in parts if value.get("kind") in kinds[part]]
        if named := named or [part for part in parts if _takes_any_kind(part)]:
            parts = tuple(named)
        elif known := sorted({kind for part in parts for kind in kinds[part]}):
            rule = f"one of {', '.join(known)}"
            raise ValueError(f"{place}.kind must be {rule}, got {value.get('kind')!r}")
    problem = ValueError(f"{place} is of an unknown type")
    for part in parts:
        if part is NoneType:
            continue
        try:
            return _value(part, value, place)
        except ValueError as error:
            problem = error
    raise problem


def _kinds(part: Any) -> tuple[Any, ...]:
    """The values of a record's field `kind`; none for other types."""
    return get_args(field_types(part).get("kind")) if is_dataclass(part) else ()


def _takes_any_kind(part: Any) -> bool:
    """Whether it is a record whose `kind` is any text: it takes what no other names."""
    return is_dataclass(part) and field_types(part).get("kind") is str


def _items(origin: Any, parts: tuple[Any, ...], value: Sequence[Any], place: str) -> Any:
    same = origin is not tuple or parts[1:] == (...,)
    if not same and len(parts) != len(value):
        raise ValueError(f"{place} must have {len(parts)} items, got {len(value)}")
    kinds = [parts[0]] * len(value) if same else parts
    found = [
        _value(kind, item, f"{place}[{n}]")
        for n, (kind, item) in enumerate(zip(kinds, value, strict=True))
    ]
    return tuple(found) if origin is tuple else found


def _plain(kind: Any, value: Any, place: str) -> Any:
    if kind is float:
        if value is None:
            return math.nan
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif kind is int:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind is Path:
        if isinstance(value, str | Path):
            return Path(value)
    elif kind is str and isinstance(value, PathLike):
        return fspath(value)
    elif isinstance(kind, type) and isinstance(value, kind):
        return value
    name = NAMES.get(kind, getattr(kind, "__name__", str(kind)))
    raise Mismatch(place, name, value)
