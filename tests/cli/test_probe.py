"""`unrolled probe`, in this process."""

import json

import pytest

from unrolled.cli import main

FLAGS = ["--tasks", "adding", "--models", "gru", "rnn", "--parameters", "2000"]
FLAGS += ["--batch-size", "8", "--budget", "500tokens"]


def test_a_table_a_page_and_results(tmp_path, capsys):
    out = tmp_path / "probe"
    assert main(["probe", *FLAGS, "--lengths", "5", "9", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    trials = json.loads((out / "results.json").read_text())["trials"]
    assert [(row["length"], row["model"]) for row in trials] == [(5, "gru"), (5, "rnn")]
    assert "adding (loss, less is better; solved in bold)" in shown.out
    assert shown.out.count("failed before") == 2
    assert f"{trials[0]['score']:.2g}" in shown.out
    assert shown.out.endswith(f"Pictures and conditions: {out / 'report.html'}\n")
    assert f"adding 5 gru: not solved, {trials[0]['score']:.2g} after " in shown.err
    assert "No model solves adding at length 5." in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--models", "lsmt"], "models must be among rnn, "),
        (["--lengths", "1"], "lengths must be 2 or more for adding, got 1. "),
        (["--budget", "3epochs"], "budget must be a time or tokens for probes, got 3 epochs. "),
        (["--budget", "soon"], "budget must be a time, tokens or epochs above zero, got 'soon'. "),
        (["--parameters", "10"], "num_parameters must be 2000 or more, got 10. "),
    ],
)
def test_bad_flags_are_one_sentence(tmp_path, capsys, flags, said):
    given = ["probe", "--tasks", "adding", "--out", str(tmp_path / "out"), *flags]
    assert main(given) == 1
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith(f"error: {said}")
    assert not (tmp_path / "out").exists()
