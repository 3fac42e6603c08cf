"""`unrolled compare`: flags to a request, and a comparison to the terminal."""

import csv
import io
import re
from pathlib import Path

import pytest

from unrolled.cli import main
from unrolled.comparison import comparison
from unrolled.results.comparison import Comparison
from unrolled.results.events import Interrupted
from unrolled.system.files import write_json

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


@pytest.fixture
def written(tmp_path):
    """Puts a finished comparison into the folder; its second model ties with the first."""
    result = fake_comparison()
    result["models"][1]["behind"] = {"bits_per_byte": 0.019, "margin": 0.02}
    result["models"][2]["behind"] = {"bits_per_byte": 0.092, "margin": 0.01}
    result = Comparison.from_json(result)
    write_json(tmp_path / "comparison.json", result.to_json())
    return result


def printed(capsys, *flags: str) -> str:
    capsys.readouterr()
    assert main(["compare", *flags]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


def test_without_texts_what_was_found_is_printed(written, tmp_path, capsys):
    shown = printed(capsys, "--out", str(tmp_path))
    assert "Use the best: unrolled generate runs/shakespeare/lstm" in shown
    assert "质量" in printed(capsys, "--out", str(tmp_path), "--language", "zh")
    assert {path.name for path in tmp_path.iterdir()} == {"comparison.json"}


@pytest.mark.parametrize("flags", [("--resume",), ("--budget", "10m")])
def test_nothing_is_trained_without_texts(written, flags, tmp_path, capsys):
    assert main(["compare", "--out", str(tmp_path), *flags]) == 1
    said = "error: TEXT must be given, got none. Name files or folders, or - for stdin.\n"
    assert capsys.readouterr().err == said
    assert main(["compare", "--out", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == said


def test_csv_has_every_figure_exactly(written, tmp_path, capsys):
    shown = printed(capsys, "--out", str(tmp_path), "--format", "csv")
    read = list(csv.DictReader(io.StringIO(shown)))
    rows = written.rows()
    assert [list(row) for row in read] == [list(row) for row in rows]
    assert read == [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    assert [row["num_seeds"] for row in read] == ["2", "2", "2", "2", "1", "", "", ""]


def test_json_is_the_file(written, tmp_path, capsys):
    shown = printed(capsys, "--out", str(tmp_path), "--format", "json")
    assert shown == (tmp_path / "comparison.json").read_text("utf-8")


def test_latex_and_markdown_are_the_ranking_with_margins(written, tmp_path, capsys):
    lines = printed(capsys, "--out", str(tmp_path), "--format", "latex").splitlines()
    assert lines[0] == r"% tinyshakespeare, test. Needs \usepackage{booktabs}."
    assert lines[3].startswith("model & bits per byte & behind best & perplexity per token &")
    assert [line.split(" & ")[:3] for line in lines[5:8]] == [
        ["lstm", r"\textbf{2.112}", ""],
        ["gru", r"\textbf{2.131}", r"tie, 0.019 $\pm$ 0.020"],
        ["transformer", "2.204", r"+0.092 $\pm$ 0.010"],
    ]
    lines = printed(capsys, "--out", str(tmp_path), "--format", "markdown").splitlines()
    assert lines[2].startswith("| lstm | **2.112** |  | **4.32** |")
    assert lines[-1].startswith("| uniform | 6.022 |")
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    shown = printed(capsys, "--out", str(tmp_path), "--format", "markdown", "--language", "zh")
    assert shown.startswith("| 模型 | 每字节比特数 | 与最佳之差 |")


def test_a_fresh_comparison_prints_in_the_format_and_warns_beside_it(compare, capsys):
    result = fake_comparison()
    result["models"][0] |= {"doubt": "hardly trained", "num_updates": 3}
    assert compare("--format", "markdown", result=result)[0] == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("note: Not ranked, since their figures say nothing")
    lines = shown.out.splitlines()
    assert lines[-1].startswith("| lstm (hardly trained, 3 updates) | 2.112 |")
    assert lines[2].startswith("| gru | **2.131** |")
    assert all(line.startswith("| ") for line in lines)


def test_a_baseline_that_no_model_beats_is_bold(compare, capsys):
    result = fake_comparison()
    result["baselines"][2]["bits_per_byte"] = 1.5
    assert compare("--format", "markdown", result=result)[0] == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| xz | **1.500** |") and lines[3].startswith("| lstm | 2.112 |")


def test_the_page_names_every_column(written):
    page = Path(__file__).parents[2] / "docs" / "compare.md"
    table = page.read_text("utf-8").split("| column | content |")[1].split("\n\n")[0]
    named = [
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row[: row.find("|", 1)])
    ]
    assert sorted(named) == sorted(written.rows()[0])
