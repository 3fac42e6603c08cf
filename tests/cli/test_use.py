"""`unrolled generate`, `score` and `next`, in this process."""

import io
import json
import re
import sys
from pathlib import Path

import pytest

import unrolled
from unrolled.cli import main

DATA = Path(__file__).parents[1] / "data"
ARTICLE = "我爱吃苹果。\n我爱吃米饭。\n我爱喝茶。\n他爱吃苹果。\n" * 40


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Runs of an n-gram: English characters and words, Chinese characters."""
    folder = tmp_path_factory.mktemp("use")
    (folder / "article.txt").write_text(ARTICLE, "utf-8")
    for name, text, kind in (
        ("char", DATA / "english.txt", "char"),
        ("word", DATA / "english.txt", "word"),
        ("zh", folder / "article.txt", "char"),
    ):
        flags = ["--model", "ngram", "--tokenizer", kind, "--out", str(folder / name)]
        assert main(["train", str(text), *flags]) == 0
    return folder


@pytest.fixture
def run(runs, capsys):
    """Runs a command on one of the runs; returns what it printed."""

    def call(command: str, name: str, *arguments: object) -> str:
        capsys.readouterr()
        assert main([command, str(runs / name), *map(str, arguments)]) == 0
        shown = capsys.readouterr()
        assert shown.err == ""
        return shown.out

    return call


@pytest.fixture
def refused(runs, capsys):
    """Runs a command that has to fail; returns the sentence."""

    def call(command: str, name: str, *arguments: object, code: int = 1) -> str:
        capsys.readouterr()
        assert main([command, str(runs / name), *map(str, arguments)]) == code
        shown = capsys.readouterr()
        assert shown.out == ""
        return shown.err

    return call


@pytest.fixture
def standard_input(monkeypatch):
    """Puts bytes into standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_one_sample_is_written_after_its_prompt(run, runs):
    opened = unrolled.load(runs / "char")
    config = unrolled.SamplingConfig(temperature=0.7, top_k=5, max_tokens=40, seed=3)
    expected = unrolled.generate(opened.model, opened.tokenizer, "The old ", config)[0]
    flags = ["--temperature", 0.7, "--top-k", 5, "--max-tokens", 40, "--seed", 3]
    assert run("generate", "char", "--prompt", "The old ", *flags) == f"The old {expected}\n"


def test_every_filter_reaches_the_sampler(run, runs):
    opened = unrolled.load(runs / "char")
    config = unrolled.SamplingConfig(1.3, 0.9, 9, 0.8, 0.1, 60, ("e", "o"), 4)
    flags = "--repetition-penalty 1.3 --temperature 0.9 --top-k 9 --top-p 0.8 --min-p 0.1"
    flags += " --max-tokens 60 --stop e --stop o --seed 4 -n 3"
    texts = unrolled.generate(opened.model, opened.tokenizer, "It ", config, 3)
    expected = f"\n{'-' * 20}\n".join(f"It {text}" for text in texts) + "\n"
    assert run("generate", "char", "--prompt", "It ", *flags.split()) == expected


def test_the_prompt_comes_from_standard_input(run, standard_input):
    given = run("generate", "word", "--prompt", "The old man", "--max-tokens", 5)
    standard_input(b"The old man\n")
    assert run("generate", "word", "--prompt", "-", "--max-tokens", 5) == given
    assert given.startswith("The old man ")


def test_a_prompt_may_begin_with_a_hyphen(run):
    assert run("generate", "char", "--prompt", "- a", "--max-tokens", 3).startswith("- a")
    assert "next word" in run("next", "char", "- a", "-k", 2)


def test_what_cannot_be_generated(refused, standard_input):
    assert refused("generate", "char", "-n", 0) == (
        "error: num_samples must be 1 or more, got 0. Use for example 1.\n"
    )
    assert refused("generate", "char", "--temperature=-1") == (
        "error: temperature must be 0 or more, got -1.0. Use for example 0.8.\n"
    )
    half = "error: the text has half of a surrogate pair at character 1. Remove it.\n"
    assert refused("generate", "char", "--prompt", "a\udcff") == half
    standard_input(b"fine\n\xff\n")
    assert refused("generate", "char", "--prompt", "-") == (
        "error: line 2 of standard input is not UTF-8. Convert it, or give a file.\n"
    )


def test_a_folder_that_is_no_run(refused, runs):
    for command, arguments in (("generate", []), ("score", []), ("next", ["a"])):
        assert refused(command, "none", *arguments) == (
            f"error: {runs / 'none'} is not a run folder: it has no config.json. "
            "Make one with: unrolled train\n"
        )


def test_scores_of_a_file_and_of_standard_input_are_those_of_the_library(
    run, runs, tmp_path, standard_input
):
    sentences = ["It was a\tman.", "Whose house — is that?"]
    opened = unrolled.load(runs / "char")
    expected = unrolled.score_texts(opened.model, opened.tokenizer, sentences)
    costs = [token for score in expected for token in score.tokens]
    data = f"{sentences[0]}\r\n\n \n{sentences[1]}".encode()
    (tmp_path / "sentences.txt").write_bytes(data)
    table = run("score", "char", tmp_path / "sentences.txt")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    assert [float(row[4]) for row in rows] == pytest.approx([cost.bits for cost in costs], rel=1e-5)
    assert [row[0] for row in rows] == ["1"] * 14 + ["2"] * 23
    assert rows[8] == ["1", "8", "9", r"\t", rows[8][4]]
    standard_input(data)
    assert run("score", "char") == table
    standard_input(data)
    assert run("score", "char", "-", "--format", "tsv") == table


def test_json_has_totals_and_words(run, runs, standard_input):
    standard_input(b"It was zz\xc3\xa9\n")
    values = json.loads(run("score", "word", "--format", "jsonl"))
    assert [word["text"] for word in values["words"]] == ["It", "was", "zzé", "<eos>"]
    assert sum(word["bits"] for word in values["words"]) == pytest.approx(values["bits"])
    assert values["bits_per_byte"] == pytest.approx(values["bits"] / 11)
    assert values["num_unknown"] == 1
    assert len(values["characters"]) == 10


def test_a_heat_map_is_written_whole(run, tmp_path, standard_input):
    target = tmp_path / "new" / "heat.html"
    standard_input("我爱吃<b>。\n".encode())
    assert run("score", "zh", "--format", "html", "--out", target) == f"Wrote {target}.\n"
    page = target.read_text("utf-8")
    (text,) = re.findall("<p>(.*)</p>", page)
    assert re.sub("<[^>]*>", "", text) == "我爱吃&lt;b&gt;。&lt;eos&gt;"
    assert "Surprisal of standard input to " in page
    assert list(target.parent.iterdir()) == [target]


def test_candidates_come_best_first(run, runs, standard_input):
    candidates = ["house a was It", "It was a house", "It saw a house"]
    opened = unrolled.load(runs / "word")
    ranked = unrolled.rank(opened.model, opened.tokenizer, candidates)
    standard_input("\n".join(candidates).encode())
    assert run("score", "word", "-", "--rank") == "".join(
        f"{score.bits:.3f}\t{score.text}\n" for score in ranked
    )
    assert ranked[0].text == "It was a house"


def test_what_cannot_be_scored(refused, tmp_path, standard_input):
    missing, blank = tmp_path / "missing.txt", tmp_path / "blank.txt"
    blank.write_text("\n \n")
    assert (
        refused("score", "char", missing) == f"error: {missing} does not exist. Check the path.\n"
    )
    assert refused("score", "char", blank) == (
        "error: blank.txt holds no sentence. Give one per line.\n"
    )
    standard_input(b"")
    assert refused("score", "char", "--rank") == (
        "error: standard input holds no sentence. Give one per line.\n"
    )
    assert refused("score", "char", blank, "--out", tmp_path) == (
        f"error: out must be a file, got the folder {tmp_path}. Name a file in it.\n"
    )
    assert refused("score", "char", "--rnk", code=2) == (
        "error: Unknown option: --rnk. See --help.\n"
    )


def test_a_text_that_breaks_off_leaves_no_file(runs, capsys, tmp_path, standard_input):
    standard_input(b"It was\n" * 2000 + b"\xff\n")
    target = tmp_path / "scores.tsv"
    assert main(["score", str(runs / "char"), "--out", str(target)]) == 1
    assert capsys.readouterr().err == (
        "error: line 2001 of standard input is not UTF-8. Convert it, or give a file.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_next_shows_tokens_and_words_of_a_chinese_prefix(run, runs):
    opened = unrolled.load(runs / "zh")
    tokens = unrolled.next_tokens(opened.model, opened.tokenizer, "我爱吃", 2)
    table = run("next", "zh", "我爱吃", "-k", 2)
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in table.splitlines()[3:-1]]
    assert [row[0] for row in rows] == [token.text for token in tokens]
    assert [row[1] for row in rows] == [f"{token.probability:.2%}" for token in tokens]
    assert {row[2] for row in rows} == {"苹", "米"}


def test_next_of_words_that_look_like_markup(run):
    table = run("next", "char", "It was [bold]", "-k", 3)
    assert len(table.splitlines()) == 7
    assert "␣" in table


def test_next_needs_something_to_show(refused):
    assert refused("next", "char", "It", "-k", 0) == (
        "error: k must be 1 or more, got 0. Use for example 10.\n"
    )


@pytest.mark.parametrize("command", ["generate", "score", "next"])
def test_help_shows_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"Example: unrolled {command} runs/a" in capsys.readouterr().out


def test_a_neural_run_is_used_in_the_same_way(run, runs, capsys):
    (runs / "text.txt").write_text("the cat sat. the dog ran.\n" * 80)
    size = ["--size", "small", "--hidden-size", "16", "--embedding-size", "16", "--threads", "1"]
    flags = [*size, "--budget", "2ktokens", "--precision", "float32", "--tokenizer", "char"]
    out = ["--out", str(runs / "gru")]
    assert main(["train", str(runs / "text.txt"), "--model", "gru", *flags, *out]) == 0
    assert run("generate", "gru", "--prompt", "the ", "--max-tokens", 9).startswith("the ")
    assert len(run("next", "gru", "the ", "-k", 3).splitlines()) == 7
    values = json.loads(run("score", "gru", runs / "text.txt", "--format", "jsonl").split("\n")[0])
    assert values["text"] == "the cat sat. the dog ran."
