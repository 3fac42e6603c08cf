"""Writes docs/comparison.schema.json, the JSON Schema of comparison.json, from its records.

python scripts/schema.py
"""

import ast
import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from unrolled.results.comparison import Comparison
from unrolled.system.records import field_types

FILE = Path(__file__).parents[1] / "docs" / "comparison.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {str: "string", bool: "boolean", int: "integer"}
NULLABLE = ["number", "null"]
"""JSON has no infinity: what is not finite is written as null."""


def schema(kind: type) -> dict[str, Any]:
    """The schema of a record; those in it are `$defs`."""
    others = sorted(set(records(kind)) - {kind}, key=lambda one: one.__name__)
    about = {"$schema": DIALECT, "title": kind.__name__}
    return about | of_record(kind) | {"$defs": {one.__name__: of_record(one) for one in others}}


def records(kind: Any) -> Iterator[type]:
    """A record and all in it."""
    if is_dataclass(kind):
        yield kind  # pyrefly: ignore
        for field in fields(kind):
            yield from records(field_types(kind)[field.name])  # pyrefly: ignore
    for part in get_args(kind):
        yield from records(part)


def of_record(kind: type) -> dict[str, Any]:
    """An object with the fields of a record; those without a default are always there."""
    types, said = field_types(kind), descriptions(kind)
    found = fields(kind)  # pyrefly: ignore
    return {
        "type": "object",
        "description": " ".join(str(inspect.getdoc(kind)).split("\n\n")[0].split()),
        "properties": {
            field.name: of_type(types[field.name]) | said.get(field.name, {}) | default(field)
            for field in found
        },
        "required": [
            field.name for field in found if field.default is field.default_factory is MISSING
        ],
        "additionalProperties": False,
    }


def of_type(kind: Any) -> dict[str, Any]:
    """What a field may hold."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return {}
    if kind is float:
        return {"type": NULLABLE}
    if is_dataclass(kind):
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin is list:
        return {"type": "array", "items": of_type(parts[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": of_type(parts[1])}
    if origin in (Union, UnionType):
        return of_union(
            [of_type(part) for part in parts if part is not NoneType], NoneType in parts
        )
    return {"type": TYPES[kind]}


def of_union(choices: list[dict[str, Any]], has_null: bool) -> dict[str, Any]:
    """One of several; types stand in one list, and null among them."""
    if len(choices) == 1 and has_null and "enum" in choices[0]:
        return {"enum": [*choices[0]["enum"], None]}
    if all(set(choice) == {"type"} for choice in choices):
        names = dict.fromkeys(name for choice in choices for name in as_list(choice["type"]))
        return {"type": [*(names | dict.fromkeys(["null"] * has_null))]}
    return {"anyOf": [*choices, *[{"type": "null"}] * has_null]}


def as_list(names: str | Iterable[str]) -> Iterable[str]:
    """One type as a list of one."""
    return [names] if isinstance(names, str) else names


def default(field: Field[Any]) -> dict[str, Any]:
    """What is meant where a field is missing."""
    if field.default is not MISSING:
        return {"default": field.default}
    return {} if field.default_factory is MISSING else {"default": field.default_factory()}


def descriptions(kind: type) -> dict[str, dict[str, str]]:
    """The string below each field."""
    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind))).body[0].body  # pyrefly: ignore
    found = {}
    for part, following in zip(body, body[1:], strict=False):
        if (
            isinstance(part, ast.AnnAssign)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            text = " ".join(str(following.value.value).split())
            found[ast.unparse(part.target)] = {"description": text}
    return found


def text() -> str:
    """The file."""
    return json.dumps(schema(Comparison), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
    print(FILE)
