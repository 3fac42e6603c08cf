"""`unrolled score`, in this process."""

import json
import re

import pytest

import unrolled
from unrolled.cli import main


def test_scores_of_a_file_and_of_standard_input_are_those_of_the_library(
    run, runs, tmp_path, standard_input
):
    sentences = ["It was a\tman.", "Whose house — is that?"]
    opened = unrolled.load(runs / "char")
    expected = unrolled.score_texts(opened.model, opened.tokenizer, sentences, opened.boundaries)
    costs = [token for score in expected for token in score.tokens]
    data = f"{sentences[0]}\r\n\n \n{sentences[1]}".encode()
    (tmp_path / "sentences.txt").write_bytes(data)
    table = run("score", "char", tmp_path / "sentences.txt")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    blank = [row for row in rows if row[0] in "23"]
    rows = [row for row in rows if row[0] in "14"]
    assert blank == [["2", "", "", "", ""], ["3", "", "", "", ""]]
    assert [float(row[4]) for row in rows] == pytest.approx([cost.bits for cost in costs], rel=1e-5)
    assert [row[0] for row in rows] == ["1"] * 14 + ["4"] * 23
    assert rows[13][3] == r"\n"
    assert rows[8] == ["1", "8", "9", r"\t", rows[8][4]]
    standard_input(data)
    assert run("score", "char") == table
    standard_input(data)
    assert run("score", "char", "-", "--format", "tsv") == table


def test_json_has_totals_and_words(run, runs, standard_input):
    standard_input(b"It was zz\xc3\xa9\n")
    values = json.loads(run("score", "word", "--format", "jsonl"))
    assert [word["text"] for word in values["words"]] == ["It", "was", "zzé", "\n"]
    assert sum(word["bits"] for word in values["words"]) == pytest.approx(values["bits"])
    assert values["bits_per_byte"] == pytest.approx(values["bits"] / 11)
    assert values["num_unknown"] == 1
    assert len(values["characters"]) == 10


def test_a_heat_map_is_written_whole(run, tmp_path, standard_input):
    target = tmp_path / "new" / "heat.html"
    standard_input("我爱吃<b>。\n".encode())
    assert run("score", "zh", "--format", "html", "--out", target) == f"Wrote {target}.\n"
    page = target.read_text("utf-8")
    (text,) = re.findall(r"<p dir=\"auto\"[^>]*>(.*?)</p>", page, re.S)
    assert re.sub("<[^>]*>", "", text) == "我爱吃&lt;b&gt;。⏎\n"
    assert "Surprisal of standard input to " in page
    assert list(target.parent.iterdir()) == [target]


def test_candidates_come_best_first(run, runs, standard_input):
    candidates = ["house a was It", "It was a house", "", "It saw a house"]
    opened = unrolled.load(runs / "word")
    visible = [text for text in candidates if text]
    ranked = unrolled.rank(opened.model, opened.tokenizer, visible, opened.boundaries)
    rows = [(str(candidates.index(score.text) + 1), score) for score in ranked]
    assert ranked[0].text == "It was a house"
    given = "\n".join(candidates).encode()
    standard_input(given)
    lines = [f"{row}\t{score.bits:.3f}\t{score.text}\n" for row, score in rows]
    assert run("score", "word", "-", "--rank") == "".join(["row\tbits\ttext\n", *lines, "3\t\t\n"])
    standard_input(given)
    lines = run("score", "word", "-", "--rank", "--format", "jsonl").splitlines()
    assert [str(json.loads(line)["row"]) for line in lines] == [*(row for row, _ in rows), "3"]
    standard_input(given)
    page = run("score", "word", "-", "--rank", "--format", "html")
    assert re.findall(r"<small>(\d) ·", page) == [*(row for row, _ in rows), "3"]
    assert "3 · no text" in page


def test_context_and_end_are_as_asked_for(run, runs, standard_input):
    opened = unrolled.load(runs / "char")
    arguments = opened.model, opened.tokenizer, "man.", opened.boundaries
    for flags, settings in (
        (["--no-end"], {"end": False}),
        (["--context", "It was a "], {"context": "It was a "}),
    ):
        standard_input(b"man.\n")
        values = json.loads(run("score", "char", "-", "--format", "jsonl", *flags))
        expected = unrolled.score_text(*arguments, **settings)
        assert values["bits"] == pytest.approx(expected.bits)
        assert len(values["tokens"]) == len(expected.tokens)


def test_columns_of_a_table_stay_beside_their_scores(run, refused, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,said\n7,It was\n8,\n9,a man\n")
    lines = run("score", "char", path, "--column", "said", "--keep", "id", "--format", "jsonl")
    rows = [json.loads(line) for line in lines.splitlines()]
    assert [(row["row"], row["columns"], row["text"]) for row in rows] == [
        (1, {"id": "7"}, "It was"),
        (2, {"id": "8"}, ""),
        (3, {"id": "9"}, "a man"),
    ]
    assert rows[1]["bits"] is None
    assert refused("score", "char", path) == (
        f'error: {path} has several columns and none called "text". '
        "Choose one of: id, said. (--column)\n"
    )
    text = tmp_path / "a.txt"
    text.write_text("It was\n")
    assert refused("score", "char", text, "--keep", "id") == (
        "error: keep must be left out for a text, got id. A table has columns to keep.\n"
    )


def test_a_run_of_few_documents_says_so_once(tmp_path, capsys):
    text, out = tmp_path / "a.txt", tmp_path / "run"
    text.write_text("It was a man. " * 200)
    flags = ["--model", "ngram", "--tokenizer", "char", "--out", str(out)]
    assert main(["train", str(text), *flags]) == 0
    (tmp_path / "b.txt").write_text("It was\na man\n")
    capsys.readouterr()
    assert main(["score", str(out), str(tmp_path / "b.txt")]) == 0
    assert capsys.readouterr().err == (
        f"note: {out} has seen 1 document boundary in training: what it says of the beginning and "
        "end of a sentence is a guess. Leave the end out with --no-end, give a --context, or train "
        "with --documents line.\n"
    )


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
        "error: standard input is empty. Give a file with text.\n"
    )
    assert refused("score", "char", blank, "--out", tmp_path) == (
        f"error: out must be a file, got the folder {tmp_path}. Name a file in it.\n"
    )
    assert refused("score", "char", "--rnk", code=2) == (
        "error: Unknown option: --rnk. See --help.\n"
    )


def test_a_text_that_breaks_off_leaves_no_file(runs, capsys, tmp_path, standard_input):
    standard_input("It wäs\n".encode() * 2000 + b"\xff\n")
    target = tmp_path / "scores.tsv"
    assert main(["score", str(runs / "char"), "--out", str(target)]) == 1
    assert capsys.readouterr().err == (
        "error: standard input cannot be read as utf-8 at byte 16000. Convert it to UTF-8, mend it "
        "there, or name its encoding with --encoding.\n"
    )
    assert list(tmp_path.iterdir()) == []
