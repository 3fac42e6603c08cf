"""Ctrl-C: the first asks, the second ends."""

import signal

import pytest

from unrolled.system.interrupt import stop_on_interrupt


def test_the_first_asks_and_the_second_ends():
    with stop_on_interrupt() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_was_there_before_is_back_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="within"), stop_on_interrupt():
        assert signal.getsignal(signal.SIGINT) != before
        raise ValueError("within")
    assert signal.getsignal(signal.SIGINT) == before


def test_each_use_begins_unasked():
    with stop_on_interrupt() as first:
        signal.raise_signal(signal.SIGINT)
    with stop_on_interrupt() as second:
        assert first() and not second()
