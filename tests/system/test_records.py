"""Records become JSON and back, and say which field is wrong."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from unrolled.system.records import Record, scalars


@dataclass(frozen=True)
class Part(Record):
    """A record inside another."""

    value: float
    name: str | None = None


@dataclass(frozen=True)
class Whole(Record):
    """Every kind of field that there is."""

    count: int
    kind: Literal["one", "two"]
    parts: list[Part]
    pair: tuple[int, str]
    sizes: tuple[int, ...] = ()
    named: dict[str, Part] = field(default_factory=dict)
    path: Path | None = None
    anything: Any = None


WHOLE = Whole(
    *(3, "two", [Part(0.5), Part(1.0, "x")], (1, "a"), (4, 5)),
    *({"p": Part(2.0)}, Path("a/b"), [1, {"c": None}]),
)


def through_json(record):
    return type(record).from_json(json.loads(json.dumps(record.to_json(), allow_nan=False)))


def test_what_is_written_is_read():
    assert through_json(WHOLE) == WHOLE
    assert type(through_json(WHOLE).parts[0]) is Part and type(through_json(WHOLE).sizes) is tuple


def test_a_number_that_is_not_finite_is_missing():
    assert Part(math.inf).to_json() == {"value": None, "name": None}
    assert math.isnan(through_json(Part(-math.inf)).value)


def test_a_whole_number_may_stand_for_a_fraction_but_not_the_other_way_round():
    assert type(Part.from_json({"value": 2}).value) is float
    with pytest.raises(ValueError, match=r"Whole.count must be a whole number, got 2.5"):
        Whole.from_json(WHOLE.to_json() | {"count": 2.5})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "three"}, "Whole.kind must be one of one, two, got 'three'"),
        ({"other": 1}, "Whole has an unknown field 'other'"),
        ({"parts": [{"value": "x"}]}, "Whole.parts[0].value must be a number, got 'x'"),
        ({"parts": [{}]}, "Whole.parts[0] lacks 'value'"),
        ({"parts": "ab"}, "Whole.parts must be a list"),
        ({"parts": [3]}, "Whole.parts[0] is not an object"),
        ({"pair": [1]}, "Whole.pair must have 2 items, got 1"),
        ({"named": {"p": {"value": True}}}, "Whole.named.p.value must be a number, got True"),
        ({"path": 3}, "Whole.path must be a path, got 3"),
        ({"count": True}, "Whole.count must be a whole number, got True"),
    ],
)
def test_a_wrong_field_is_named(change, problem):
    with pytest.raises(ValueError) as caught:
        Whole.from_json(WHOLE.to_json() | change)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize("values", [None, 3, "text", [1]])
def test_only_an_object_is_a_record(values):
    with pytest.raises(ValueError, match="Part is not an object"):
        Part.from_json(values)


@dataclass(frozen=True)
class Row(Record):
    """What stands in a row of a table, and what does not."""

    name: str
    kind: Literal["one", "two"] | None = None
    share: float | None = None
    is_best: bool = False
    part: Part | None = None
    parts: list[Part] = field(default_factory=list)
    named: dict[str, int] = field(default_factory=dict)
    anything: Any = None


def test_scalars_are_the_numbers_and_texts_of_a_record_and_of_those_in_it():
    plain = {"name": "a", "kind": "two", "share": 0.5, "is_best": True}
    row = Row(*plain.values(), Part(2.0, "x"), [Part(1.0)], {"b": 1}, 7)
    assert scalars(Row, row) == {**plain, "part_value": 2.0, "part_name": "x"}
    assert scalars(Row, Row("a"))["part_value"] is None
    assert scalars(Row, None) == dict.fromkeys(scalars(Row, row))
