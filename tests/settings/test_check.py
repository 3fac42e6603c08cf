"""Each rule holds at its ends and says itself where it is broken."""

import json
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from unrolled.classification.request import ClassifyRequest
from unrolled.errors import ConfigError
from unrolled.inference.generation import SamplingConfig
from unrolled.probes.request import ProbeRequest
from unrolled.settings.check import (
    above,
    at_least,
    between,
    check,
    check_text,
    check_texts,
    check_value,
    one_of,
    part_of_one,
)
from unrolled.settings.data import DataConfig
from unrolled.settings.models import RecurrentConfig
from unrolled.settings.training import ClassifierTrainConfig, TrainConfig
from unrolled.training.request import TrainRequest


@pytest.mark.parametrize(
    ("rule", "text", "right", "wrong"),
    [
        (above(0), "above 0", [1e-9, 1e9], [0, -1, inf, nan, "1", None]),
        (above(0, at_most=0.5), "above 0 and at most 0.5", [0.5], [0, 0.51, nan]),
        (at_least(2), "2 or more", [2, 9], [1, inf, nan, (3,)]),
        (between(0, 1), "from 0 to 1", [0, 1], [-0.1, 1.1, nan]),
        (one_of(("a", "b")), "one of a, b", ["a"], ["c", 1]),
        (part_of_one(), "at least 0 and below 1", [0, 0.9], [-0.1, 1, nan]),
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
    kind: Literal["a", "b"] = "a"
    names: tuple[str, ...] = ()
    path: Path | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        check(self, (at_least(1), "size"), (above(0), "rate"))


def test_the_default_is_the_example_and_none_is_always_allowed():
    assert Settings(1).rate is None
    with pytest.raises(ConfigError, match=r"^size must be 1 or more, got 0\. Use for example 3\.$"):
        Settings(0)
    with pytest.raises(ConfigError, match=r"^rate must be above 0, got 0\. Leave it out\.$"):
        Settings(rate=0)


def test_what_is_given_becomes_plain():
    given = Settings(
        size=np.int64(5),
        rate=np.float32(0.5),
        kind=np.str_("b"),
        names=["x", Path("y/z")],
        path="a",
        whole=np.bool_(True),
    )
    assert given == Settings(5, 0.5, "b", ("x", "y/z"), Path("a"), True)
    kinds = [int, float, str, tuple, type(Path()), bool]
    assert [type(value) for value in vars(given).values()] == kinds
    assert Settings(size=torch.tensor(4)).size == Settings(size=4.0).size == 4
    assert json.dumps(vars(given) | {"path": None})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 2.5}, "size must be a whole number, got 2.5. Use for example 3."),
        ({"size": None}, "size must be a whole number, got None. Use for example 3."),
        ({"size": "7"}, "size must be a whole number, got 7. Use for example 3."),
        ({"size": True}, "size must be a whole number, got True. Use for example 3."),
        ({"rate": "x"}, "rate must be a number, got x. Leave it out."),
        ({"kind": "c"}, "kind must be one of a, b, got c. Choose one of these."),
        ({"kind": ["a"]}, "kind must be one of a, b, got ['a']. Choose one of these."),
        ({"names": "END"}, "names must be a list, got END. Write ['END']."),
        ({"names": {"END"}}, "names must be a list, got {'END'}. Leave it out."),
        ({"names": ["a", 1]}, "names[1] must be text, got 1. Leave it out."),
        ({"path": 3}, "path must be a path, got 3. Leave it out."),
        ({"whole": 1}, "whole must be True or False, got 1. Use for example False."),
    ],
)
def test_what_is_of_another_type_is_refused_in_one_sentence(change, message):
    with pytest.raises(ConfigError) as caught:
        Settings(**change)
    assert str(caught.value) == message


@pytest.mark.parametrize("seed", [-1, 2**32, None, np.random.default_rng(), 0.5])
def test_a_seed_of_a_training_is_what_every_generator_takes(seed):
    for make in (TrainConfig, ClassifierTrainConfig, ProbeRequest):
        with pytest.raises(ConfigError, match=r"^seed must be .* Use for example 0\.$"):
            make(seed=seed)
    assert TrainConfig(seed=2**32 - 1).seed == 2**32 - 1


def test_one_string_is_no_list_of_them():
    for make in (
        lambda: DataConfig("/x/S.txt"),
        lambda: DataConfig(texts="/x/S.txt"),
        lambda: SamplingConfig(stop="END"),
        lambda: ClassifyRequest(data="reviews.csv"),
    ):
        with pytest.raises(ConfigError, match=r"^\w+ must be a list, got .* Write \['.*'\]\.$"):
            make()


def test_numbers_of_numpy_are_saved_as_plain_ones():
    config = RecurrentConfig(hidden_size=np.int64(8), output_dropout=np.float64(0.5))
    request = TrainRequest("gru", DataConfig(["a"]), model_settings={"hidden_size": np.int64(8)})
    for record in (config, request):
        assert type(record).from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("abc", "texts must be a list of strings, got 'abc'. Write ['abc']."),
        (b"abc", "texts must be a list of strings, got b'abc'. Give one text after another."),
        ({"a": 1}, "texts must be a list of strings, got {'a': 1}. Give one text after another."),
        (5, "texts must be a list of strings, got 5. Give one text after another."),
        (
            np.array([["a", "b"]]),
            "texts must be a list of strings, got array([['a', ..., dtype='<U1'). "
            "Give one text after another.",
        ),
        (["a", None], "each of texts must be a string, got None. Give one text."),
    ],
)
def test_texts_are_a_list_of_strings(values, message):
    with pytest.raises(ConfigError) as caught:
        list(check_texts("texts", values))
    assert str(caught.value) == message


def test_texts_may_come_one_after_the_other():
    for values in (["a", "b"], ("a", "b"), iter("ab"), np.array(["a", "b"])):
        assert list(check_texts("texts", values)) == ["a", "b"]
    assert check_text("text", "a") == "a"
