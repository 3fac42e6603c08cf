"""`unrolled compare`: flags to a request, and a comparison to the terminal."""

import pytest

from unrolled.cli import main
from unrolled.comparison import comparison
from unrolled.results.comparison import Comparison
from unrolled.results.events import Interrupted

from ..report.comparisons import fake_comparison


@pytest.fixture
def compare(monkeypatch, english, tmp_path):
    """Runs the command with a comparison that is made up; returns its code and the request."""

    def call(*flags: str, result=None, error: type[BaseException] | None = None):
        asked = []

        def instead(out, request, *others):
            asked.append(request)
            if error is not None:
                raise error
            return Comparison.from_json(result or fake_comparison())

        monkeypatch.setattr(comparison, "compare", instead)
        return main(["compare", english, "--out", str(tmp_path), *flags]), *asked

    return call


def test_precision_and_threads_reach_every_network(compare):
    code, request = compare("--precision", "bfloat16", "--threads", "1")
    assert code == 0
    assert request.train.train_settings == {"precision": "bfloat16", "threads": 1}
    assert compare()[1].train.train_settings == {}


def test_what_is_not_ranked_is_said_and_stands_last(compare, capsys):
    result = fake_comparison()
    result["models"][0] |= {"doubt": "hardly trained", "num_updates": 3}
    assert compare(result=result)[0] == 0
    shown = capsys.readouterr().out
    assert "lstm (hardly \ntrained, 3 updates)" in shown or "lstm (hardly trained, 3" in shown
    rows = [line.split()[0] for line in shown.split("\n") if line.strip()]
    assert rows.index("lstm") > rows.index("uniform") > rows.index("gru")


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
def test_stopping_says_how_to_go_on(compare, error, capsys):
    assert compare(error=error)[0] == 130
    said = "Stopped and saved. Resume with the same command and --resume.\n"
    assert capsys.readouterr().err == said
