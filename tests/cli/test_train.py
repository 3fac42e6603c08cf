"""`unrolled train`, in this process."""

import json
from pathlib import Path

import pytest

from unrolled.cli import main
from unrolled.runs.folder import load, load_config


def refused(capsys, *arguments: object, code: int = 1) -> str:
    """What a command says that does nothing."""
    assert main(["train", *map(str, arguments)]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err


def test_ngram(tmp_path, english, capsys):
    run = tmp_path / "run"
    assert main(["train", english, "--model", "ngram", "--order", "3", "--out", str(run)]) == 0
    shown = capsys.readouterr()
    config = load_config(run).to_json()
    assert config["model"] == {"kind": "ngram", "order": 3}
    results = config["results"]
    assert f"{results['bits_per_byte']:.3f}" in shown.out
    assert f"test: {results['num_tokens']:,} tokens, {results['num_bytes']:,} bytes" in shown.out
    for name in ("uniform", "unigram", "5-gram", "xz"):
        assert name in shown.out
    assert shown.out.endswith(f"Use it: unrolled generate {run}\n")
    assert "Counting n-grams of order 1 to 3.\n" in shown.err
    assert {path.name for path in run.iterdir()} == {
        "baselines",
        "config.json",
        "log.jsonl",
        "model.safetensors",
        "tokenizer.json",
    }
    assert load(run).model.order == 3


def test_given_splits_and_flags_reach_the_run(tmp_path, english, capsys):
    valid, test, run = tmp_path / "valid.txt", tmp_path / "test.txt", tmp_path / "run"
    valid.write_text("To ride or drive within sight.\n")
    test.write_text("It forms, indeed.\n")
    flags = ["--valid", valid, "--test", test, "--tokenizer", "byte", "--documents", "line"]
    assert main(["train", english, "--model=ngram", *map(str, flags), "--out", str(run)]) == 0
    config = json.loads((run / "config.json").read_text("utf-8"))
    assert config["data"]["valid"] == [str(valid)]
    assert config["data"]["documents"] == "line"
    assert (config["tokenizer"]["kind"], config["vocab_size"]) == ("byte", 257)
    assert config["results"]["num_bytes"] == 18
    assert config["results"]["split"] == "test"


def test_a_run_is_not_overwritten(tmp_path, english, capsys):
    arguments = ["train", english, "--model", "ngram", "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    capsys.readouterr()
    assert refused(capsys, *arguments[1:]) == (
        f"error: {tmp_path / 'run'} already holds a run. Choose another --out, or add --resume.\n"
    )
    assert {path: path.read_bytes() for path in (tmp_path / "run").glob("*.*")} == before
    assert refused(capsys, "--resume", "--out", tmp_path / "run") == (
        f"error: {tmp_path / 'run'} has nothing to resume: it is finished. Use it as it is.\n"
    )


def test_out_is_a_file(tmp_path, english, capsys):
    out = tmp_path / "notes.txt"
    out.write_text("mine")
    assert refused(capsys, english, "--out", out) == (
        f"error: {out} is not a folder. Choose another --out.\n"
    )
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["other.txt"], "TEXT must be left out with --resume, got other.txt"),
        (["--budget", "10m"], "budget must be left out with --resume, got 10m"),
        (["--seed", "0"], "seed must be left out with --resume, got 0"),
        (["--batch-size", "3"], "batch_size must be left out with --resume, got 3"),
        (["--documents", "line"], "documents must be left out with --resume, got line"),
    ],
)
def test_resume_takes_no_other_settings(tmp_path, capsys, arguments, named):
    remedy = "The run goes on with its own text and settings."
    found = refused(capsys, *arguments, "--resume", "--out", tmp_path / "run")
    assert found == f"error: {named}. {remedy}\n"


def test_a_model_that_does_not_fit_into_memory_leaves_nothing(tmp_path, english, capsys):
    found = refused(capsys, english, "--hidden-size", "4000000", "--out", tmp_path / "run")
    assert found.startswith("error: This takes more memory than there is. ")
    assert not (tmp_path / "run").exists()


def test_missing_text(tmp_path, capsys):
    found = refused(capsys, tmp_path / "none.txt", "--out", tmp_path / "run")
    assert found == f"error: {tmp_path / 'none.txt'} does not exist. Check the path.\n"


def test_no_text(tmp_path, capsys):
    assert refused(capsys, "--out", tmp_path / "run") == (
        "error: TEXT must be given, got none. Name files or folders, or - for stdin.\n"
    )


@pytest.mark.parametrize("text", ["", "Too short."])
def test_too_little_text(tmp_path, capsys, text):
    path = tmp_path / "short.txt"
    path.write_text(text)
    found = refused(capsys, path, "--out", tmp_path / "run")
    assert found.startswith("error: ") and found.count("\n") == 1
    assert not (tmp_path / "run" / "config.json").exists()


def test_unknown_flag(tmp_path, english, capsys):
    found = refused(capsys, english, "--out", tmp_path / "run", "--speed", "9", code=2)
    assert found == "error: Unknown option: --speed. Did you mean --seed?\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "flags", [["--model", "mamba"], ["--size", "huge"], ["--hidden-size", "wide"]]
)
def test_values_that_a_flag_does_not_have(tmp_path, english, capsys, flags):
    found = refused(capsys, english, "--out", tmp_path / "run", *flags, code=2)
    assert found.startswith("error: ") and flags[1] in found


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--model", "lstm", "--order", "3"],
            "order must be left out for lstm, got 3. Leave --order out.",
        ),
        (
            ["--model", "ngram", "--learning-rate", "0.1"],
            "learning_rate must be left out for ngram, got 0.1. Leave --learning-rate out.",
        ),
        (
            ["--model", "ngram", "--hidden-size", "9"],
            "hidden_size must be left out for ngram, got 9. Leave --hidden-size out.",
        ),
        (
            ["--model", "gru", "--nonlinearity", "relu"],
            "nonlinearity must be left out for gru, got relu. Leave --nonlinearity out.",
        ),
        (
            ["--sequence-length", "0"],
            "sequence_length must be 1 or more, got 0. Use for example 64.",
        ),
        (["--seed=-1"], "seed must be from 0 to 4294967295, got -1. Use for example 0."),
        (
            ["--budget", "soon"],
            "budget must be a time, tokens or epochs above zero, got 'soon'. "
            'Write for example "90s", "10m", "1h", "2Mtokens" or "3epochs".',
        ),
    ],
)
def test_settings_that_do_not_fit(tmp_path, english, capsys, flags, sentence):
    assert refused(capsys, english, "--out", tmp_path / "run", *flags) == f"error: {sentence}\n"
    assert not (tmp_path / "run").exists()  # refused before the text was read


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--model", "ngram", "--order", "9"],
            "order must be from 1 to 8, got 9. Use for example 5.",
        ),
        (["--hidden-size", "0"], "hidden_size must be 1 or more, got 0. Use for example 512."),
        (
            ["--weight-dropout", "1"],
            "weight_dropout must be at least 0 and below 1, got 1.0. Use for example 0.3.",
        ),
    ],
)
def test_settings_that_the_model_refuses(tmp_path, english, capsys, flags, sentence):
    found = refused(capsys, english, "--out", tmp_path / "run", *flags)
    assert found.endswith(f"error: {sentence}\n")
    assert not (tmp_path / "run" / "config.json").exists()


def test_nothing_to_resume(tmp_path, capsys):
    run = tmp_path / "run"
    assert refused(capsys, "--resume", "--out", run) == (
        f"error: {run} is not a run folder: it has no config.json. Make one with: unrolled train\n"
    )


def test_a_second_text_is_no_flag_value(tmp_path, english, capsys):
    chinese = Path(english).with_name("chinese.txt")
    run = tmp_path / "run"
    arguments = [english, str(chinese), "--model", "ngram", "--out", str(run)]
    assert main(["train", *arguments]) == 0
    assert load_config(run).data.texts == (english, str(chinese))
