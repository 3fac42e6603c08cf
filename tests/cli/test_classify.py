"""`unrolled classify`: from a table to a file that predicts, measures and explains."""

import csv
import io
import json
import re
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest

from unrolled.classification import pretraining, run
from unrolled.classification.classifier import load_classifier
from unrolled.classification.pretraining import Pretrained
from unrolled.cli import main
from unrolled.results.events import Interrupted
from unrolled.runs.folder import TRAIN_STATE, read_log
from unrolled.system.files import TEMPORARY, locked

REVIEWS = Path(__file__).parents[1] / "data" / "reviews.csv"
COLUMNS = ["--text", "review", "--label", "opinion"]
WRITTEN = {"classifier.safetensors", "report.html", "results.json", "log.jsonl"}
QUICK = ["--hidden-sizes", "16", "--embedding-size", "16", "--threads", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained classifier."""
    out = tmp_path_factory.mktemp("classify") / "reviews"
    arguments = ["classify", "train", str(REVIEWS), *COLUMNS, *QUICK, "--budget", "20epochs"]
    assert main([*arguments, "--learning-rate", "0.01", "--out", str(out)]) == 0
    return out


def test_training_writes_file_figures_and_report(folder):
    assert {path.name for path in folder.iterdir()} == WRITTEN
    results = json.loads((folder / "results.json").read_text("utf-8"))
    assert results["num_texts_of"] == {"train": 360, "valid": 40}
    assert results["classes"] == ["bad", "good"]
    assert results["chosen"]["accuracy"] > 0.7
    assert results["request"]["seed"] == 0
    assert set(results["texts_per_second"]) - {"characters"} == {"linear", "gru"}
    assert "a little too good" in " ".join(results["notes"])  # no test part
    assert set(results["saved"]) == set(results["texts_per_second"])
    assert "reviews.csv" in (folder / "report.html").read_text("utf-8")


def test_the_log_and_the_boards_have_the_curve(folder, tmp_path, capsys):
    results = json.loads((folder / "results.json").read_text("utf-8"))
    looks = [event for event in read_log(folder) if event.kind == "valid"]
    assert [look.valid for look in looks] == [row["valid_loss"] for row in results["curves"]["gru"]]
    assert {look.run for look in looks} == {""}  # a log is of one training
    arguments = ["classify", "train", str(REVIEWS), *COLUMNS, *QUICK, "--budget", "1epoch"]
    out, boards = tmp_path / "out", tmp_path / "boards"
    assert main([*arguments, "--out", str(out), "--tensorboard", str(boards)]) == 0
    assert [path.name for path in (boards / "out").iterdir()] == ["gru"]
    shown = capsys.readouterr().err
    assert "gru: " in shown and "parameters; " in shown and " nats/text " in shown


def test_predicting_lines_and_tables(folder, capsys, monkeypatch, tmp_path):
    lines = b"What a tedious film!\n\nThe music is charming.\tTruly\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines), "utf-8"))
    assert main(["classify", "predict", str(folder)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "row\tclass\tprobability\ttext"
    cells = [row.split("\t") for row in rows]
    assert [row[:2] for row in cells] == [["1", "bad"], ["2", ""], ["3", "good"]]
    assert rows[2].endswith(r"The music is charming.\tTruly")
    path = tmp_path / "a.csv"
    path.write_text("id,words\n1,What a tedious film!\n")
    file = str(folder / "classifier.safetensors")
    arguments = ["classify", "predict", file, str(path), "--text", "words", "--format", "jsonl"]
    assert main(arguments) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["row"] == 1 and row["class"] == "bad" and row["text"] == "What a tedious film!"
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_predictions_stay_beside_the_columns_they_belong_to(folder, capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,words\n7,What a tedious film!\n8, \n9,The music is charming.\n")
    arguments = ["classify", "predict", str(folder), str(path), "--text", "words"]
    assert main([*arguments, "--keep", "id"]) == 0
    head, *rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert head == ["row", "class", "probability", "text", "id"]
    assert [(row[0], row[1], row[4]) for row in rows] == [
        ("1", "bad", "7"),
        ("2", "", "8"),
        ("3", "good", "9"),
    ]
    assert main([*arguments[:-1], "nothing"]) == 1
    assert capsys.readouterr().err == (
        f"error: {path} has no column 'nothing'. Choose one of: id, words. (--text)\n"
    )
    assert main([*arguments, "--keep", "nothing"]) == 1
    assert capsys.readouterr().err.endswith("Choose one of: id, words. (--keep)\n")


def test_abstaining(folder, capsys, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("What a tedious film!\nzzz\n")
    arguments = ["classify", "predict", str(folder), str(path), "--abstain-below"]
    assert main([*arguments, "1"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split("\t")[1] for row in rows] == ["?", "?"]
    assert main([*arguments, "0"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert "?" not in [row.split("\t")[1] for row in rows]
    assert main([*arguments, "2"]) == 1
    assert "abstain_below must be from 0 to 1, got 2" in capsys.readouterr().err


def test_evaluating(folder, capsys):
    assert main(["classify", "evaluate", str(folder), str(REVIEWS), *COLUMNS, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["num_texts"] == 400 and found["chosen"]["accuracy"] > 0.85
    assert main(["classify", "evaluate", str(folder), str(REVIEWS), *COLUMNS]) == 0
    assert "400 texts, 2 classes" in capsys.readouterr().out


def test_explaining(folder, capsys, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\nWhat a <tedious> film!\n")
    assert main(["classify", "explain", str(folder), str(path)]) == 0
    head, blank, *rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert (head[0], blank) == ("row", ["1", "", "", "", ""])
    assert "".join(row[3] for row in rows) == "What a <tedious> film!"
    assert {(row[0], row[1]) for row in rows} == {("2", "bad")}
    heaviest = max(rows, key=lambda row: float(row[4]))
    assert heaviest[3].startswith("tedious")
    page = tmp_path / "a.html"
    assert main(["classify", "explain", str(folder), str(path), "--out", str(page)]) == 0
    assert re.search(r"&lt;.*tedious.*&gt;", page.read_text("utf-8"))


def test_linear_alone_with_a_test_file_and_a_split_column(tmp_path, capsys):
    with REVIEWS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    path, test = tmp_path / "all.csv", tmp_path / "test.csv"
    for target, chosen in ((path, rows), (test, rows[:50])):
        with target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["review", "opinion", "part"])
            for place, row in enumerate(chosen):
                part = "valid" if place % 5 == 0 else "train"
                writer.writerow([row["review"], row["opinion"], part])
    out = tmp_path / "linear"
    arguments = ["classify", "train", str(path), *COLUMNS, "--kind", "linear", "--out", str(out)]
    arguments += ["--split", "part", "--test", str(test), "--language", "zh"]
    assert main(arguments) == 0
    assert "文本分类器" in (out / "report.html").read_text("utf-8")
    results = json.loads((out / "results.json").read_text("utf-8"))
    assert results["split"] == "test" and results["num_texts"] == 50
    shared = len({row["review"] for row in rows[:50]})
    assert results["num_texts_of"]["train"] + results["num_texts_of"]["valid"] <= 400 - shared
    assert "also stand in the test part: left out" in " ".join(results["notes"])
    assert "too good" not in " ".join(results["notes"])
    used = [name for name, weight in results["weights"].items() if weight]
    assert set(results["weights"]) <= {"linear", "characters"} and used
    assert capsys.readouterr().out.count("linear") >= 1


def train_from_unlabelled(tmp_path: Path, *options: str) -> Path:
    """Trains on the reviews, beginning from what a few more sentences teach."""
    out, more = tmp_path / "out", tmp_path / "more.txt"
    more.write_text("The plot is warm.\n" * 30)
    arguments = ["classify", "train", str(REVIEWS), *COLUMNS, *options, "--out", str(out)]
    arguments += ["--unlabelled", str(more), "--pretrain-budget", "2ktokens", "--budget", "1epoch"]
    assert main([*arguments, "--threads", "1"]) == 0
    return out


def test_a_language_model_of_unlabelled_texts_comes_first(tmp_path):
    out = train_from_unlabelled(tmp_path, "--kind", "lstm")
    assert (out / "language-model" / "model.safetensors").exists()
    results = json.loads((out / "results.json").read_text("utf-8"))
    assert [name for name in results["models"] if name != "characters"] == [
        *("linear", "lstm", "mixture"),
    ]
    assert {path.name for path in out.iterdir()} == {*WRITTEN, "language-model"}


def test_two_directions_begin_from_two_language_models(tmp_path):
    out = train_from_unlabelled(tmp_path, "--kind", "gru", "--bidirectional")
    results = json.loads((out / "results.json").read_text("utf-8"))
    names = ["linear", "gru", "gru backward", "mixture"]
    for key in ("models", "num_parameters"):
        assert [name for name in results[key] if name != "characters"] == names
    assert list(results["curves"]) == names[1:3]
    models = {"language-model", "backward-language-model"}
    assert {path.name for path in out.iterdir()} == {*WRITTEN, *models, "backward"}
    assert [path.name for path in (out / "backward").iterdir()] == ["log.jsonl"]
    assert "gru backward" in (out / "report.html").read_text("utf-8")
    assert [name for name in load_classifier(out).members if name != "characters"] == names[:3]


def test_pretraining_is_of_no_test_text_and_goes_on_with_the_same_alone(
    tmp_path, monkeypatch, capsys
):
    tables = {
        "train": [f"The film{number} is warm., good".split(",") for number in range(20)]
        + [[f"The film{number} is cold.", "bad"] for number in range(20)],
        "test": [["The  end<br />is near.", "good"], ["No, never.", "bad"]],
    }
    for name, rows in tables.items():
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["review", "opinion"], *rows])
    (tmp_path / "more.txt").write_text("The end\nis near.\n", "utf-8")
    seen, resumed = [], []

    def interrupted(folder, request, **_):
        seen.append(Path(request.data.texts[0]).read_text("utf-8"))
        folder.mkdir()
        (folder / "config.json").write_text(
            '{"model": {"kind": "ngram"}, "tokenizer": {"kind": "", "fingerprint": ""}, '
            '"vocab_size": 1, "text": "."}'
        )
        raise Interrupted

    def going_on(folder, **_):
        resumed.append(folder.name)
        raise Interrupted

    monkeypatch.setattr(pretraining, "train", interrupted)
    arguments = ["classify", "train", str(tmp_path / "train.csv"), *COLUMNS, "--unlabelled"]
    arguments += [str(tmp_path / "more.txt"), "--test", str(tmp_path / "test.csv")]
    arguments += ["--bidirectional", "--out", str(tmp_path / "out")]
    assert main(arguments) == 130
    assert "film7 is cold" in seen[0] and "end" not in seen[0] and "never" not in seen[0]
    monkeypatch.setattr(pretraining, "resume", going_on)
    assert main([*arguments, "--seed", "1"]) == 1 and not resumed
    assert "was started with other texts or settings. Repeat" in capsys.readouterr().err
    assert main(arguments) == 130 and resumed == ["language-model"]
    monkeypatch.setattr(pretraining, "resume", lambda folder, **_: None)
    monkeypatch.setattr(pretraining, "train", interrupted)
    monkeypatch.setattr(Pretrained, "open", lambda path: None)
    assert main(arguments) == 130
    assert ". warm is film7 The" in seen[1] and "end" not in seen[1] and "film7 is" not in seen[1]
    monkeypatch.setattr(pretraining, "resume", going_on)
    assert main(arguments) == 130 and resumed[1:] == ["language-model"]


def test_a_folder_that_a_kill_left_half_written_is_written_again(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    arguments = ["classify", "train", str(REVIEWS), *COLUMNS, "--kind", "linear"]
    arguments += ["--out", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_text", Mock(side_effect=KeyboardInterrupt))
        assert main(arguments) == 130
    assert capsys.readouterr().err.endswith("Stopped.\n")
    assert [path.name for path in out.iterdir()] == ["results.json"]
    killed = out / f"{TEMPORARY}killed"  # a kill leaves the folder of what is not in place yet
    killed.mkdir()
    (killed / "classifier.safetensors").touch()
    assert main(arguments) == 0
    assert {path.name for path in out.iterdir()} == WRITTEN - {"log.jsonl"}
    results = json.loads((out / "results.json").read_text("utf-8"))
    assert results["file_bytes"] == (out / "classifier.safetensors").stat().st_size
    assert main(arguments) == 1
    assert "already holds a classifier" in capsys.readouterr().err


def test_what_is_said_to_be_saved_is(tmp_path, monkeypatch, capsys):
    """The linear models are fitted first, and leave nothing."""
    out = tmp_path / "out"
    arguments = ["classify", "train", str(REVIEWS), *COLUMNS, *QUICK, "--out", str(out)]

    def stopped(is_time):
        with monkeypatch.context() as patch:
            asked = contextmanager(lambda: (yield is_time))
            patch.setattr("unrolled.system.interrupt.stop_on_interrupt", asked)
            assert main(arguments) == 130
        return capsys.readouterr().err.splitlines()[-1]

    assert stopped(lambda: True) == "Stopped." and not out.exists()
    said = stopped(lambda: (out / TRAIN_STATE).exists())
    assert said == "Stopped and saved. Run the same command to resume."
    assert main(arguments) == 0 and "Resuming at " in capsys.readouterr().err


def test_the_program_of_the_article(tmp_path):
    out = tmp_path / "article"
    arguments = ["classify", "train", str(REVIEWS), *COLUMNS, "--preset", "article", "--max-tokens"]
    arguments += ["40", "--budget", "1epoch", "--threads", "1", "--post-padding-unmasked"]
    assert main([*arguments, "--out", str(out)]) == 0
    member = load_classifier(out).recurrent
    config = member.model.config
    assert (config.kind, config.embedding_size, config.hidden_sizes) == ("lstm", 128, (64, 32))
    assert (config.pooling, config.bidirectional, config.dropout) == ("last", False, 0)
    assert member.config.post_padding_unmasked and member.config.max_tokens == 40


def test_lone_unknown_and_doubtful_labels_are_said_and_do_not_end_it(tmp_path, capsys):
    rows = [f"text {place} {'ab'[place % 2]},{('True', 'true')[place % 2]}" for place in range(30)]
    rows += ["a text,10", "b text,10", "c text,2", "d text,2", "e,alone"]
    rows += [f"nothing {place},nan" for place in range(4)]
    (tmp_path / "train.csv").write_text("\n".join(["review,opinion", *rows]))
    (tmp_path / "test.csv").write_text("review,opinion\nnew a,True\nnew b,true\nc,odd\nd,odd\n")
    out = tmp_path / "out"
    arguments = ["classify", "train", str(tmp_path / "train.csv"), *COLUMNS, "--kind", "linear"]
    arguments += ["--test", str(tmp_path / "test.csv"), "--out", str(out), "--thresholds"]
    assert main([*arguments, "macro-f1", "--class-weight", "balanced"]) == 0
    results = json.loads((out / "results.json").read_text("utf-8"))
    assert results["classes"] == ["2", "10", "True", "nan", "true"]
    assert results["num_texts"] == 2
    error, page = capsys.readouterr().err, (out / "report.html").read_text("utf-8")
    for note in (
        "1 text left out, the only one of the class 'alone'.",
        "2 test texts left out: no training text has their label ('odd').",
        "The label 'nan' (4 texts) looks like a missing value: it is taken as a class.",
        "The labels 'True', 'true' differ in case only: each is taken as a class.",
        "Texts count by the weight of their class (balanced): probabilities are those of texts",
        "these thresholds have the greatest macro-f1 on 38 held-out texts: 2 ",
        "Only 38 held-out texts to calibrate by",
    ):
        assert note in error and any(note in row for row in results["notes"])
        assert note.replace("'", "&#39;") in page
    arguments = ["classify", "evaluate", str(out), str(tmp_path / "test.csv"), *COLUMNS]
    assert main(arguments) == 0
    assert "2 given texts left out: no training text has their label" in capsys.readouterr().err


CASES = [
    (["nowhere.csv"], "nowhere.csv does not exist."),
    ([], "DATA must be given"),
    (["{reviews}", "--kind", "linear", "--language-model", "x"], "kind must be recurrent for a"),
    (["{reviews}", "--language-model", "x", "--vocab-size", "9"], "vocab_size must be that of the"),
    (["{reviews}", "--budget", "soon"], "budget must be a time, tokens or epochs above zero"),
    (["{reviews}", "--post-padding-unmasked"], "max_tokens must be given for padding"),
    (["{reviews}", "--valid-fraction", "0.9"], "valid_fraction must be above 0 and at most 0.5"),
    (["{reviews}", "--word-dropout", "1"], "word_dropout must be at least 0 and below 1"),
    (["{reviews}", "--language-model", "{folder}"], "holds a classifier, not a language model"),
    (
        ["{reviews}", "--test", "{other}"],
        "the test texts have only labels that no training text has, such as 'so-so'. Correct",
    ),
    (["{one}"], "the training texts have one class only, 'good'."),
    (["{reviews}", "--test", "{reviews}"], "the train texts all stand in the test part too."),
    (["{reviews}", "--preset", "article", "--kind", "gru"], "kind must be left out with --preset"),
    (["{reviews}", "--unlabelled", "{one}", "--hidden-sizes", "9"], "hidden_sizes must be that of"),
    (["{reviews}", "--unlabelled", "{one}", "--dropout", "1"], "dropout must be at least 0 and"),
    (["{reviews}", "--vocab-size", "0"], "vocab_size must be"),
]


@pytest.mark.parametrize(("arguments", "said"), CASES)
def test_what_is_wrong_is_said_in_one_sentence(arguments, said, tmp_path, folder, capsys):
    (tmp_path / "other.csv").write_text("review,opinion\nwell,so-so\n")
    (tmp_path / "one.csv").write_text("review,opinion\na,good\nb,good\nc,good\nd,good\n")
    places = {"reviews": REVIEWS, "folder": folder}
    places |= {name: tmp_path / f"{name}.csv" for name in ("other", "one")}
    given = [argument.format(**places) for argument in arguments]
    out = tmp_path / "out"
    assert main(["classify", "train", *given, *COLUMNS, "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.strip().splitlines()[-1].startswith("error: ")
    assert not (out / "classifier.safetensors").exists()


def test_a_classifier_is_not_overwritten(folder, capsys):
    before = (folder / "classifier.safetensors").read_bytes()
    assert main(["classify", "train", str(REVIEWS), *COLUMNS, "--out", str(folder)]) == 1
    assert "already holds a classifier. Choose another --out." in capsys.readouterr().err
    assert (folder / "classifier.safetensors").read_bytes() == before


def test_a_second_training_into_the_same_folder_is_refused(tmp_path, capsys):
    with locked(tmp_path / "out"):
        command = ["classify", "train", str(REVIEWS), *COLUMNS, "--out", str(tmp_path / "out")]
        assert main(command) == 1
    assert "out is being written by another process. Wait for it" in capsys.readouterr().err


def test_diagnosing_shows_how_much_of_the_gradient_arrives_at_each_word(folder, capsys, tmp_path):
    arguments = ["diagnose", str(folder), str(REVIEWS), "--column", "review"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert "Gradients" in capsys.readouterr().out
    result = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    words = result["words"]
    assert len(words["shares"]) == words["length"] == len(words["positions"]) >= 8
    assert max(words["shares"]) == 1 and min(words["shares"]) > 0
    assert words["padded_to"] is None and result["flows"] == []
    assert main(["diagnose", str(folder), "--out", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        "error: TEXT must be given for a classifier, got none. Name files with texts.\n"
    )
    assert not (tmp_path / "none").exists()
