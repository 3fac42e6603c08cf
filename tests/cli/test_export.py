"""`unrolled export`: tokens in an ARPA file are what they are in the text."""

import pytest

from unrolled.cli import main
from unrolled.ngram.arpa import read_arpa
from unrolled.runs.folder import load


@pytest.mark.parametrize("tokenizer", ["char", "word", "byte"])
def test_every_token_comes_back_as_it_is(tokenizer, tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("the plot\n is \\n warm, 我爱 \\\\ the\tend\n" * 40, "utf-8")
    flags = ["--model", "ngram", "--order", "2", "--tokenizer", tokenizer]
    assert main(["train", str(text), *flags, "--out", str(tmp_path / "run")]) == 0
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "a.arpa")]) == 0
    _, names = read_arpa(tmp_path / "a.arpa")
    known = load(tmp_path / "run").tokenizer
    expected = {known.symbol(token) for token in range(1, known.vocab_size)}
    assert set(names[1:]) | {"<unk>"} == expected | {"<unk>"}
    assert "\n" in expected and (tokenizer == "byte" or "\\n" in expected or "\\" in expected)
