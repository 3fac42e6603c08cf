"""Ctrl-C, SIGTERM and SIGHUP: the first asks, the second ends."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from unrolled.system import interrupt
from unrolled.system.interrupt import _is_handled as is_handled
from unrolled.system.interrupt import stop_on_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_asks_and_the_second_ends(number):
    with stop_on_interrupt() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_work_that_does_not_ask_is_ended(monkeypatch):
    monkeypatch.setattr(interrupt, "GRACE_SECONDS", 0.01)
    with stop_on_interrupt(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
        signal.pause()


def test_an_end_that_is_swallowed_comes_again(monkeypatch):
    monkeypatch.setattr(interrupt, "GRACE_SECONDS", 0.01)
    swallowed = 0
    with stop_on_interrupt(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
        for _ in range(2):
            with suppress(KeyboardInterrupt):
                signal.pause()
            swallowed += 1
        signal.pause()
    assert swallowed == 2


def test_tidying_up_is_not_ended(monkeypatch):
    monkeypatch.setattr(interrupt, "GRACE_SECONDS", 0.01)
    monkeypatch.setattr(interrupt, "AGAIN_SECONDS", 0.01)
    came = []
    monkeypatch.setattr(interrupt, "_is_handled", lambda: came.append(is_handled()) or came[-1])
    with stop_on_interrupt(), pytest.raises(KeyboardInterrupt):
        try:
            signal.raise_signal(signal.SIGTERM)
            signal.pause()
        finally:
            for _ in range(2):
                with suppress(OSError):
                    signal.pause()
                    raise OSError
    assert came == [False, True, True]


def test_work_that_asks_has_the_time_that_it_takes(monkeypatch):
    monkeypatch.setattr(interrupt, "GRACE_SECONDS", 60.0)
    with stop_on_interrupt() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        assert stop()
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_interrupt() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


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


def test_ctrl_c_outside():
    before = signal.signal(signal.SIGINT, interrupt.interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_import_that_swallows_ctrl_c_ends_with_it(tmp_path):
    (tmp_path / "greedy.py").write_text(
        "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\n"
        "except BaseException:\n    pass\n"
    )
    script = "import signal; from unrolled.system.interrupt import interrupt\n"
    script += "signal.signal(signal.SIGINT, interrupt)\nimport greedy\nprint('it went on')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")
