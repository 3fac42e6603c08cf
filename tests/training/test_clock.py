"""The clock of a training, on a clock that only moves when it is told to."""

import pytest

from unrolled.training import clock
from unrolled.training.clock import Clock

from .trainings import Time


@pytest.fixture
def time(monkeypatch):
    return Time(monkeypatch)


def test_waiting_does_not_count(time):
    watch = Clock(seconds=5)
    time.now += 2
    with watch.stopped():
        time.now += 100
    time.now += 1
    assert watch.seconds == 5 + 2 + 1
    watch.set(40)
    time.now += 1
    assert watch.seconds == 41


def test_it_counts_also_after_a_wait_that_failed(time):
    watch = Clock()
    with pytest.raises(ValueError, match="x"), watch.stopped():
        time.now += 100
        raise ValueError("x")
    time.now += 1
    assert watch.seconds == 1


def test_what_others_took_is_that_of_the_turns(time, monkeypatch):
    others = [10.0]
    monkeypatch.setattr(clock, "others_processor_seconds", lambda: others[0])
    monkeypatch.setattr(clock, "num_cores", lambda: 2)
    watch = Clock(seconds=100)
    time.now, others[0] = time.now + 10, others[0] + 5
    with watch.stopped():
        time.now, others[0] = time.now + 1000, others[0] + 2000
    time.now, others[0] = time.now + 5, others[0] + 1
    assert watch.processors() == (30.0, 6.0)
    watch.set(7, available=30.0, others=6.0)  # from a checkpoint
    time.now, others[0] = time.now + 5, others[0] + 99  # more than there is
    assert watch.processors() == (40.0, 16.0)
