"""Events as lines of the log and back."""

import json

import pytest

from unrolled.results.events import (
    End,
    GradientFlow,
    GradientNorms,
    Start,
    Validation,
    event_from_json,
    named,
)

AT = {"step": 3, "tokens": 50, "seconds": 1.5, "fraction": 0.25}
NORMS = {"norm_median": 0.5, "norm_greatest": 2.0, "clip_rate": 0.1}
FLOW = {"layer": 1, "path": "cell", "lags": [0, 1], "shares": [1.0, 0.5]}
FLOW |= {"half_life": None, "horizon": None, "look_seconds": 0.1}


@pytest.mark.parametrize(
    "event",
    [
        Validation(**AT, train=2.0, valid=3.0),
        Validation(**AT, train=2.0, valid=3.0, unit="nats/text", accuracy=0.5, run="gru"),
        GradientNorms(**AT, **NORMS),
        GradientFlow(**AT, **NORMS, **FLOW),
        Start(step=0, text="Hello."),
    ],
)
def test_what_is_written_is_read(event):
    again = event_from_json(json.loads(json.dumps(event.to_json())))
    assert again == event and type(again) is type(event)


def test_lines_of_language_models_are_those_of_earlier_versions():
    event = Validation(**AT, train=2.0, valid=3.0)
    assert event.to_json() == {"kind": "valid", **AT, "train": 2.0, "valid": 3.0}
    event = GradientFlow(**AT, **NORMS, **FLOW)
    assert event.to_json() == {"kind": "gradient", **AT, **NORMS, **FLOW}


@pytest.mark.parametrize("values", [3, {}, {"kind": "other", **AT}, {"kind": "end", **AT}])
def test_what_is_no_event(values):
    with pytest.raises(ValueError, match="event"):
        event_from_json(values)


def test_a_name_is_given_to_every_event():
    events = []
    named(events.append, "gru")(End(**AT, valid=1.0))
    assert events == [End(**AT, valid=1.0, run="gru")]
