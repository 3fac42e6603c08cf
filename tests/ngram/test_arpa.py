"""ARPA files: known numbers, the round trip, what others write, and every way to be malformed."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import ConfigError, TextError
from unrolled.ngram.arpa import escape, read_arpa, unescape, write_arpa
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import KneserNey, estimate

from .streams import STREAMS, random_stream

TINY = Path(__file__).parent / "tiny.arpa"
REMEDY = "Export the model again, or mend the line."
V = 30
NAMES = ["</s>", "<unk>", *(f"w{i}" for i in range(2, V))]


def log10_scores(path: Path, text: str) -> np.ndarray:
    """Scores sentences that are separated by `|`; words that the model does not know are <unk>."""
    model, vocabulary = read_arpa(path)
    ids = {word: i for i, word in enumerate(vocabulary)} | {"|": 0}
    stream = [0, *(ids.get(word, 1) for word in text.split())]
    return model.score_stream(np.array(stream)) / math.log(10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("looking a little |", [-0.25, -0.05, -0.01, -0.65]),
        # back-off: <s> a; a </s> after "<s> a", which is not stored
        ("a |", [-0.5 - 0.6, -0.3 - 0.9]),
        # a weight above one, "a a"; then unknown words
        ("a a little | zebra zebra", [-1.1, -0.75, 0.1 - 0.55, -0.65, -0.5 - 1.0, -1.0]),
        # "little little" is only there as the beginning of "little little </s>"
        ("little little |", [-0.5 - 0.8, -0.2 - 0.8, -0.02]),
        ("little little looking", [-0.5 - 0.8, -0.2 - 0.8, -0.2 - 0.7]),
        ("looking a looking", [-0.25, -0.05, -0.45 - 0.3 - 0.7]),
        ("| |", [-0.5 - 0.9, -0.5 - 0.9]),
    ],
)
def test_the_tiny_file_gives_known_numbers(text, expected):
    np.testing.assert_allclose(log10_scores(TINY, text), expected, rtol=0, atol=1e-6)


def test_the_tiny_file_has_its_vocabulary_and_notes():
    model, vocabulary = read_arpa(TINY)
    assert vocabulary == ["</s>", "<unk>", "looking", "a", "little"]
    assert model.order == 3
    assert model.vocab_size == 5
    assert model.notes == ("Order 2: added 1 n-grams that begin stored ones.",)
    top, log_probs = model.top_words(np.array([0, 2]), 2)
    assert top.tolist() == [3, 2]
    np.testing.assert_allclose(log_probs / math.log(10), [-0.05, -0.15 - 0.4 - 0.7], atol=1e-6)


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "nothing"])
@pytest.mark.parametrize("order", [1, 2, 5, 8])
@pytest.mark.parametrize("suffix", ["arpa", "arpa.gz"])
def test_what_was_written_is_read_again(tmp_path, name, order, suffix):
    model, path = estimate(count_ngrams(STREAMS[name], order, V)), tmp_path / f"model.{suffix}"
    write_arpa(model, path, NAMES)
    found, vocabulary = read_arpa(path)
    assert vocabulary == NAMES
    assert found.notes == ()
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == (suffix == "arpa.gz")
    for one, two in zip(model.levels, found.levels, strict=False):
        np.testing.assert_array_equal(one.keys, two.keys)
    tokens = random_stream(9, 200, V)
    expected = model.score_stream(tokens)
    np.testing.assert_allclose(found.score_stream(tokens), expected, rtol=1e-6, atol=1e-6)


def test_the_written_text_is_as_other_tools_expect_it(tmp_path):
    model = estimate(count_ngrams(np.array([0, 2, 2, 0, 2, 0]), 2, 3))
    write_arpa(model, tmp_path / "a.arpa", ["", "<unk>", "a"])
    write_arpa(model, tmp_path / "a.arpa.gz", ["", "<unk>", "a"])
    text = (tmp_path / "a.arpa").read_text()
    # D = 0.5, 1, 1.5; order 1: a = 1 for </s>, 2 for "a", weight (0.5 + 1) / 3.
    p_end, p_a, p_unk = 0.5 / 3 + 0.5 / 3, 1 / 3 + 0.5 / 3, 0.5 / 3
    start = 0.5 * 1.0 * 2 / 2  # D2 / 2
    after = (0.5 + 1.0) / 3  # "a a" once, "a </s>" twice
    p_start_a = (2 - 1) / 2 + start * p_a
    p_a_end, p_a_a = (2 - 1) / 3 + after * p_end, (1 - 0.5) / 3 + after * p_a
    lines = [
        "\\data\\",
        "ngram 1=4",
        "ngram 2=3",
        "",
        "\\1-grams:",
        f"-99\t<s>\t{math.log10(start):.4f}",
        f"{math.log10(p_end):.4f}\t</s>",
        f"{math.log10(p_unk):.4f}\t<unk>",
        f"{math.log10(p_a):.4f}\ta\t{math.log10(after):.4f}",
        "",
        "\\2-grams:",
        f"{math.log10(p_start_a):.4f}\t<s> a",
        f"{math.log10(p_a_end):.4f}\ta </s>",
        f"{math.log10(p_a_a):.4f}\ta a",
        "",
        "\\end\\",
        "",
    ]
    rounded = [
        "\t".join(f"{float(f):.4f}" if f.startswith("-0.") else f for f in line.split("\t"))
        for line in text.split("\n")
    ]
    assert rounded == lines
    assert gzip.decompress((tmp_path / "a.arpa.gz").read_bytes()).decode() == text


CASES = json.loads((Path(__file__).parent / "arpa" / "cases.json").read_text("utf-8"))
REFUSED = {
    "truncated.arpa": "line 16 is the last, but \\end\\ has not come",
    "few.arpa": "line 12 ends 5 1-grams where the header says 6",
    "comma.arpa": "line 14 has a probability or back-off weight that is not a number",
    "unknown-word.arpa": "line 14 has 'c', which is not among the 1-grams",
    "latin1.arpa": "line 9 has a token that is not UTF-8",
    "nan.arpa": "line 14 has the log probability nan, which is not 0 or below",
}
NOTED = {
    "rounding.arpa": "Order 2: read the log10 probability of 1 n-grams, up to 1e-07, as 0.",
    "minus-inf.arpa": "Order 1: read the log10 probability of 1 n-grams, up to -inf, as -99.",
}


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_files_of_other_tools_have_their_right_values(case):
    path = Path(__file__).parent / "arpa" / case["file"]
    if case["file"] in REFUSED:
        with pytest.raises(TextError) as caught:
            read_arpa(path)
        assert str(caught.value) == f"{path} {REFUSED[case['file']]}. {REMEDY}"
        return
    model, vocabulary = read_arpa(path)
    ids = {word: number for number, word in enumerate(vocabulary)}
    for text, expected in case["log10"].items():
        stream = [0, *(ids.get(word, 1) for word in text.split(" ") if word), 0]
        found = model.score_stream(np.array(stream)).sum() / math.log(10)
        assert found == pytest.approx(expected, abs=2e-5), text
    assert model.notes == ((NOTED[case["file"]],) if case["file"] in NOTED else ())


def test_a_probability_clearly_above_one_is_no_rounding(tmp_path):
    text = (Path(__file__).parent / "arpa" / "rounding.arpa").read_text("utf-8")
    (tmp_path / "a.arpa").write_text(text.replace("0.0000001", "2e-5"))
    with pytest.raises(TextError, match=r"log probability 2e-05, which is not 0 or below\. Export"):
        read_arpa(tmp_path / "a.arpa")


def test_two_spellings_of_one_token_are_refused(tmp_path):
    (tmp_path / "a.arpa").write_text(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-1 A\n-1 \\u{41}\n\n\\end\\\n"
    )
    with pytest.raises(TextError, match="line 8 has the 1-gram 'A' again, in another spelling"):
        read_arpa(tmp_path / "a.arpa")


AWKWARD = [" ", "\n", "\t\u00a0x", "", "\\", "\\u{20}", "<s>", "</s>", "\u3000", "\ud800", "\x00"]
AWKWARD += ["\u2028", "\U0001f600", "我", "é", "\\end\\", "\\2-grams:", "a\\b", "\x85", "ngram"]


def test_any_token_survives(tmp_path):
    names = ["", "first", *AWKWARD]
    tokens = random_stream(3, 300, len(names))
    tokens[4:9] = 1
    model = estimate(count_ngrams(tokens, 3, len(names)))
    write_arpa(model, tmp_path / "a.arpa", names)
    found, vocabulary = read_arpa(tmp_path / "a.arpa")
    # Token 1 is not <unk> here, so the reader puts <unk> before it.
    assert vocabulary == ["</s>", "<unk>", *names[1:]]
    assert found.notes == ("<unk> is not in the file; its log10 probability is set to -99.",)
    shifted = tokens + (tokens > 0)
    expected = model.score_stream(tokens)
    np.testing.assert_allclose(found.score_stream(shifted), expected, rtol=1e-6, atol=1e-6)


@given(st.text(st.characters(codec=None)))
def test_escaping_is_reversible(text):
    escaped = escape(text)
    assert unescape(escaped) == text
    assert escaped.split() == [escaped]
    assert escaped.encode().split() == [escaped.encode()]
    assert escaped not in ("<s>", "</s>", "<unk>")


def test_names_must_fit(tmp_path):
    model = estimate(count_ngrams(STREAMS["text"], 2, V))
    with pytest.raises(ConfigError) as caught:
        write_arpa(model, tmp_path / "a", NAMES[1:])
    assert str(caught.value) == (
        "token_texts must be 30 texts, got 29. Give the vocabulary of the model's own tokenizer."
    )
    with pytest.raises(ConfigError) as caught:
        write_arpa(model, tmp_path / "a", [*NAMES[:-1], "w5"])
    assert str(caught.value) == (
        "token_texts must be all different, got 2 times 'w5'. Give every token a text of its own."
    )
    assert list(tmp_path.iterdir()) == []


def arpa(*sections: str) -> str:
    """A file of the given n-grams, `;` between lines, with a right header."""
    header = [f"ngram {k}={len(s.split(';'))}" for k, s in enumerate(sections, 1)]
    body = [f"\\{k}-grams:\n" + s.replace(";", "\n") for k, s in enumerate(sections, 1)]
    return "\n".join(["\\data\\", *header, "", *body, "\\end\\", ""])


UNIGRAMS = "-1 <unk>;-99 <s> -1;-1 </s>;-0.5 a -0.25"


def test_what_others_write_is_read(tmp_path):
    path = tmp_path / "foreign.arpa"
    # Spaces instead of tabs, other line ends, n-grams across boundaries, a probability of zero.
    text = arpa(
        UNIGRAMS.replace("<unk>", "<UNK>"),
        "-0.5 <s> <s>;-0.1 <s> a;-inf a a",
        "-0.1 <s> <s> a;-0.1 a </s> a;-0.01 <s> a </s>",
    )
    path.write_text(text.replace("\n", "\r\n"))
    model, vocabulary = read_arpa(path)
    assert vocabulary == ["</s>", "<unk>", "a"]
    assert model.notes == (
        "Order 2: read the log10 probability of 1 n-grams, up to -inf, as -99.",
        "Order 2: left out 1 n-grams across a boundary.",
        "Order 3: left out 2 n-grams across a boundary.",
    )
    scores = log10_scores(path, "a | a a")
    np.testing.assert_allclose(scores, [-0.1, -0.01, -0.1, -99], atol=1e-5)
    path.write_text(arpa("-99 <s> -1;-0.5 a -0.25", "-0.1 <s> a"))
    assert log10_scores(path, "a |") == pytest.approx([-0.1, -0.25 - 99], abs=1e-5)
    assert read_arpa(path)[0].notes == (
        "</s> is not in the file; its log10 probability is set to -99.",
        "<unk> is not in the file; its log10 probability is set to -99.",
    )


def test_pruned_prefixes_of_any_order_come_back(tmp_path):
    model = estimate(count_ngrams(STREAMS["long text"], 4, V))
    write_arpa(model, tmp_path / "whole.arpa", NAMES)
    lines = (tmp_path / "whole.arpa").read_text().split("\n")
    begin, end = lines.index("\\2-grams:"), lines.index("\\4-grams:")
    # Only the longest n-grams are left: what is between follows from them and the unigrams.
    kept = [*lines[:begin], "\\2-grams:", "", "\\3-grams:", "", *lines[end:]]
    sizes = {2: "ngram 2=0", 3: "ngram 3=0"}
    kept[2:4] = sizes.values()
    (tmp_path / "pruned.arpa").write_text("\n".join(kept))
    found, _ = read_arpa(tmp_path / "pruned.arpa")
    assert isinstance(found, KneserNey)
    level = model.levels[3]
    assert len(found.levels[3].keys) == len(level.keys)
    np.testing.assert_allclose(found.levels[3].log_probs, level.log_probs, rtol=1e-6)
    added = len(found.levels[1].keys), len(found.levels[2].keys)
    assert found.notes == tuple(
        f"Order {k}: added {n} n-grams that begin stored ones."
        for k, n in zip((2, 3), added, strict=True)
    )
    unigrams = model.levels[0]
    u, w = divmod(found.levels[1].keys, V)
    expected = unigrams.log_backoffs[u] + unigrams.log_probs[w]
    np.testing.assert_allclose(found.levels[1].log_probs, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a\nb\n", 2, r"is the last, but \data\ has not come"),
        ("\\data\\\nngram 1=1\n", 2, r"is the last, but \1-grams: has not come"),
        ("\\data\\\nngram 1=x\n", 2, "is not of the form ngram 1=COUNT"),
        ("\\data\\\nngram 2=1\n", 2, "is not of the form ngram 1=COUNT"),
        ("\\data\\\n\\1-grams:\n", 2, "ends a header of 0 orders, not 1 to 8"),
        (arpa(*[UNIGRAMS] * 9), 12, "ends a header of 9 orders, not 1 to 8"),
        ("\\data\\\nngram 1=1\n\\2-grams:\n", 3, r"is not \1-grams:"),
        (arpa(UNIGRAMS).replace("1=4", "1=3"), 9, "ends 4 1-grams where the header says 3"),
        (arpa(UNIGRAMS).replace("\\end\\", ""), 9, r"is the last, but \end\ has not come"),
        (arpa(UNIGRAMS).replace("end", "fin"), 9, r"is not \end\ "),
        (arpa("-1"), 5, "has 1 fields, not 2 or 3"),
        (arpa("-1 a b c"), 5, "has 4 fields, not 2 or 3"),
        (arpa("x a"), 5, "has a probability or back-off weight that is not a number"),
        (arpa("-1 a x"), 5, "has a probability or back-off weight that is not a number"),
        (arpa("0.5 a"), 5, "has the log probability 0.5, which is not 0 or below"),
        (arpa("nan a"), 5, "has the log probability nan, which is not 0 or below"),
        (arpa("-1 a inf"), 5, "has the back-off weight inf, which is not finite"),
        (arpa("-1 a;-2 a"), 6, "has the 1-gram 'a' again"),
        (arpa("-1 <unk>;-2 <UNK>"), 6, "has the 1-gram '<UNK>' again"),
        (arpa("-1 <s>;-1 a;-2 <s>"), 7, "has the 1-gram '<s>' again"),
        (arpa("-1 a", "-1 a b"), 8, "has 'b', which is not among the 1-grams"),
        (arpa("-1 a;-1 b", "-1 a b;-1 b b;-1 a b"), 11, "has a 2-gram again"),
        (arpa("-1 a\udcff"), 5, "has a token that is not UTF-8"),
        (arpa("-1 \\u{ffffff}"), 5, r"has a token that is not UTF-8"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path, text, line, problem):
    path = tmp_path / "bad.arpa"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(TextError) as caught:
        read_arpa(path)
    assert str(caught.value) == f"{path} line {line} {problem.strip()}. {REMEDY}"


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(TextError) as caught:
        read_arpa(tmp_path / "none")
    assert str(caught.value) == (
        f"{tmp_path / 'none'} cannot be read: No such file or directory. Check the file."
    )
    with pytest.raises(TextError) as caught:
        read_arpa(tmp_path)
    assert str(caught.value) == f"{tmp_path} cannot be read: Is a directory. Check the file."
    (tmp_path / "empty").touch()
    with pytest.raises(TextError) as caught:
        read_arpa(tmp_path / "empty")
    assert str(caught.value) == f"{tmp_path / 'empty'} is empty. Export the model again."
    packed = gzip.compress(TINY.read_bytes())
    for damaged in (packed[:-20], packed[:40] + b"\xff\xff\xff" + packed[43:]):
        (tmp_path / "cut.gz").write_bytes(damaged)
        with pytest.raises(
            TextError, match=f"^{tmp_path / 'cut.gz'} (is a damaged gzip file|cann)"
        ):
            read_arpa(tmp_path / "cut.gz")


@pytest.mark.parametrize("wound", [b"\x00", b"\x00\xd8a\x00"])
def test_damaged_utf16_is_named_and_its_file_closed(tmp_path, wound):
    path = tmp_path / "model.arpa"
    path.write_bytes(b"\xff\xfe" + TINY.read_text("utf-8")[:40].encode("utf-16-le") + wound)
    with pytest.raises(TextError) as caught:
        read_arpa(path)
    assert str(caught.value) == f"{path} is damaged UTF-16. Copy or export it again."
