"""How the process of the command line begins and ends."""

import signal

import pytest

from unrolled import __main__, cli
from unrolled.system.interrupt import interrupt


def test_the_status_is_that_of_the_command(monkeypatch):
    monkeypatch.setattr(cli, "main", lambda: 2)
    with pytest.raises(SystemExit) as caught:
        __main__.run()
    assert caught.value.code == 2


def test_what_was_stopped_ends_without_taking_its_modules_apart(monkeypatch):
    ended = []

    def end(status):
        ended.append(status)
        raise SystemExit

    monkeypatch.setattr(cli, "main", lambda: __main__.STOPPED)
    monkeypatch.setattr(__main__.os, "_exit", end)
    with pytest.raises(SystemExit):
        __main__.run()
    assert ended == [130]


@pytest.mark.parametrize(
    ("before", "within"),
    [(signal.default_int_handler, interrupt), (signal.SIG_IGN, signal.SIG_IGN)],
)
def test_ctrl_c_is_ours_once_the_command_runs_unless_it_is_ignored(monkeypatch, before, within):
    found = []
    monkeypatch.setattr(cli, "main", lambda: found.append(signal.getsignal(signal.SIGINT)))
    outside = signal.signal(signal.SIGINT, before)
    try:
        with pytest.raises(SystemExit):
            __main__.run()
    finally:
        signal.signal(signal.SIGINT, outside)
    assert found == [within]
