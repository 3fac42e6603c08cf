"""`unrolled generate`, in this process."""

import json

import unrolled
from unrolled.cli import main


def test_one_sample_is_written_after_its_prompt(run, runs):
    opened = unrolled.load(runs / "char")
    config = unrolled.SamplingConfig(temperature=0.7, top_k=5, max_tokens=40, seed=3)
    expected = unrolled.generate(
        opened.model, opened.tokenizer, "The old ", config, 1, opened.boundaries
    )[0]
    flags = ["--temperature", 0.7, "--top-k", 5, "--max-tokens", 40, "--seed", 3]
    assert run("generate", "char", "--prompt", "The old ", *flags) == f"The old {expected}\n"


def test_every_filter_reaches_the_sampler(run, runs):
    opened = unrolled.load(runs / "char")
    config = unrolled.SamplingConfig(1.3, 0.9, 9, 0.8, 0.1, 60, ("e", "o"), 4)
    flags = "--repetition-penalty 1.3 --temperature 0.9 --top-k 9 --top-p 0.8 --min-p 0.1"
    flags += " --max-tokens 60 --stop e --stop o --seed 4 -n 3"
    texts = unrolled.generate(opened.model, opened.tokenizer, "It ", config, 3, opened.boundaries)
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
        "error: temperature must be from 0 to 1000000, got -1.0. Use for example 0.8.\n"
    )
    half = "error: the text has half of a surrogate pair at character 1. Remove it.\n"
    assert refused("generate", "char", "--prompt", "a\udcff") == half
    standard_input("né\n".encode() * 9 + b"\xff\n")
    assert refused("generate", "char", "--prompt", "-") == (
        "error: standard input cannot be read as utf-8 at byte 36. Convert it to UTF-8, mend it "
        "there, or name its encoding with --encoding.\n"
    )


def test_a_folder_that_is_no_run(refused, runs):
    for command, arguments in (("generate", []), ("score", []), ("next", ["a"])):
        assert refused(command, "none", *arguments) == (
            f"error: {runs / 'none'} is not a run folder: it has no config.json. "
            "Make one with: unrolled train\n"
        )


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
