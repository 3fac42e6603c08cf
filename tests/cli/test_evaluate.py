"""`unrolled evaluate`, in this process."""

import json
import math
from pathlib import Path

import pytest

from unrolled.cli import main
from unrolled.runs.folder import load_config

FIGURES = ("bits_per_byte", "perplexity", "loss_nats", "num_tokens", "num_bytes")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """A run, and the text of its test split."""
    folder = tmp_path_factory.mktemp("evaluate")
    english = (Path(__file__).parents[1] / "data" / "english.txt").read_text("utf-8")
    start = english.index("\n", 20_000) + 1
    texts = {"train": english[:start], "test": english[start:]}
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, "utf-8")
    run, test = folder / "run", folder / "test.txt"
    flags = ["--model", "ngram", "--test", str(test), "--tokenizer", "word", "--out", str(run)]
    assert main(["train", str(folder / "train.txt"), *flags]) == 0
    return run, test


def test_json_has_the_figures_of_the_run(trained, capsys):
    run, test = trained
    capsys.readouterr()
    assert main(["evaluate", str(run), str(test), "--json"]) == 0
    shown = capsys.readouterr()
    found, results = json.loads(shown.out), load_config(run).results.to_json()
    assert shown.err == ""
    assert set(FIGURES) < found.keys()
    for name in found.keys() - {"baselines"}:
        assert found[name] == results[name], name
    assert found["num_bytes"] == test.stat().st_size
    names = [row["name"] for row in found["baselines"]]
    assert sorted(names) == ["5-gram", "uniform", "unigram", "xz"]
    assert found["baselines"] == results["baselines"]
    assert found["closed_vocabulary"] is True  # words that the training text does not have


def test_table(trained, capsys):
    run, test = trained
    assert main(["evaluate", str(run), str(test)]) == 0
    shown = capsys.readouterr().out
    results = load_config(run).results.to_json()
    for name in ("ngram", "uniform", "unigram", "5-gram", "xz"):
        assert name in shown
    assert f"{results['bits_per_byte']:.3f}" in shown
    assert f"{results['perplexity_per_word']:.2f}" in shown


def test_any_other_text(trained, tmp_path, capsys):
    run, _ = trained
    (tmp_path / "other.jsonl").write_text('{"body": "Whose house is that?", "id": 1}\n')
    flags = ["--column", "body", "--json"]
    assert main(["evaluate", str(run), str(tmp_path / "other.jsonl"), *flags]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["num_bytes"], found["num_words"]) == (20, 5)


def test_without_its_baselines(trained, tmp_path, capsys):
    run, test = trained
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (moved / name).write_bytes((run / name).read_bytes())
    assert main(["evaluate", str(moved), str(test), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["baselines"]
    assert [row["name"] for row in rows] == ["uniform", "xz"]


def test_missing_run(tmp_path, english, capsys):
    run = tmp_path / "none"
    assert main(["evaluate", str(run), english]) == 1
    assert capsys.readouterr().err == (
        f"error: {run} is not a run folder: it has no config.json. Make one with: unrolled train\n"
    )


def test_missing_text(trained, tmp_path, capsys):
    run, _ = trained
    assert main(["evaluate", str(run), str(tmp_path / "none.txt")]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"error: {tmp_path / 'none.txt'} does not exist. Check the path.\n"


def test_no_text(trained, capsys):
    run, _ = trained
    assert main(["evaluate", str(run)]) == 1
    assert capsys.readouterr().err == (
        "error: TEXT must be given, got none. Name files or folders, or - for stdin.\n"
    )


def test_unknown_flag(trained, english, capsys):
    run, _ = trained
    assert main(["evaluate", str(run), english, "--jsn"]) == 2
    assert capsys.readouterr().err == "error: Unknown option: --jsn. See --help.\n"


def test_text_is_read_as_in_training(tmp_path, capsys):
    """Lines are documents, whatever ends them, and the column is the run's."""
    lines = [f"Sentence {number} of many." for number in range(40)]
    table = "id,body\n" + "".join(f"{n},{line}\n" for n, line in enumerate(lines))
    (tmp_path / "a.csv").write_text(table)
    flags = ["--documents", "line", "--column", "body", "--model", "ngram", "--tokenizer", "char"]
    arguments = ["train", str(tmp_path / "a.csv"), *flags, "--test", str(tmp_path / "a.csv")]
    assert main([*arguments, "--out", str(tmp_path / "run")]) == 0
    expected = load_config(tmp_path / "run").results.to_json()
    (tmp_path / "a.txt").write_bytes("\r\n".join(lines).encode())
    capsys.readouterr()
    for name in ("a.csv", "a.txt"):
        assert main(["evaluate", str(tmp_path / "run"), str(tmp_path / name), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["loss_nats"] == pytest.approx(expected["loss_nats"])
        assert found["num_tokens"] == expected["num_tokens"]
    (tmp_path / "b.txt").write_text("\n".join(lines))
    figures = []
    for name in ("a.txt", "b.txt"):
        assert main(["evaluate", str(tmp_path / "run"), str(tmp_path / name), "--json"]) == 0
        figures.append(json.loads(capsys.readouterr().out))
    assert figures[0] == figures[1]  # whatever ends the lines


def test_the_words_of_chinese_text_are_its_characters(run, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("我爱吃苹果。\n我爱喝茶。\n", "utf-8")
    found = json.loads(run("evaluate", "zh", path, "--json"))
    assert found["num_words"] == 12  # and the end of the file
    bits = (found["loss_nats"] + found["spelling_nats"]) / math.log(2)
    assert found["perplexity_per_word"] == pytest.approx(2 ** (bits / 12))
