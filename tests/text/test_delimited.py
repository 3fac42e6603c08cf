"""The shape of a csv or tsv file is found in many rows, and a doubt is one sentence."""

import csv
import io
from pathlib import Path

import pytest

from unrolled.errors import TextError, TextWarning
from unrolled.settings.data import FileFormat
from unrolled.text.delimited import SAMPLE_LINES, delimited_rows

ROWS = [["text", "label"], ["one, two", "x"], ["three", "y"], ['a "b" c', "x"]]


def read(path: Path, **given: object) -> list[list[str]]:
    """All columns of all rows, the names first."""
    names: list[str] = []

    def choose(_: Path, found: list[str]) -> list[int]:
        names.extend(found)
        return list(range(len(found)))

    files = FileFormat(**given)  # type: ignore[arg-type]
    rows = [row for _, row in delimited_rows(path, choose, files)]
    return [names, *rows]


def refusal(path: Path, content: str, **given: object) -> str:
    path.write_text(content)
    with pytest.raises(TextError) as error:
        read(path, **given)
    return str(error.value).removeprefix(f"{path} ")


def written(rows: list[list[str]], **dialect: object) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, **dialect).writerows(rows)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize("before", ["", "\n", "sep={}\n", '"sep={}"\r\n\n'])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_said_and_decided(
    tmp_path: Path, delimiter: str, before: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes((before.format(delimiter) + written(ROWS, delimiter=delimiter)).encode())
    if delimiter == "," or "sep" in before:
        assert read(path) == ROWS
    else:
        with pytest.warns(TextWarning, match="is read with .* Name another with --delimiter."):
            assert read(path) == ROWS
    assert read(path, delimiter=delimiter) == ROWS
    if delimiter == "\t":
        assert read(path, delimiter="\\t") == ROWS


def test_names_with_a_comma_in_them(tmp_path: Path) -> None:
    rows = [["id, number", "text"], ["1", "a"], ["2", "b"]]
    (tmp_path / "a.csv").write_text(written(rows, delimiter=";", quoting=csv.QUOTE_ALL))
    with pytest.warns(TextWarning, match="';'"):
        assert read(tmp_path / "a.csv") == rows


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    for name in ("a.csv", "a.tsv"):
        (tmp_path / name).write_text("text\none; two\nthree\n")
        assert read(tmp_path / name) == [["text"], ["one; two"], ["three"]]


def test_only_carriage_returns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"text,label\ra,x\rb,y\r")
    assert read(tmp_path / "a.csv") == [["text", "label"], ["a", "x"], ["b", "y"]]


def test_line_ends_that_were_translated_twice(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'text,label\r\r\n"a, b",x\r\r\n')
    assert read(tmp_path / "a.csv") == [["text", "label"], ["a, b", "x"]]


def test_quotation_marks_of_tsv_belong_to_the_text_or_to_the_format(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(written(ROWS, delimiter="\t"))  # as pandas writes it
    assert read(path) == ROWS
    path.write_text(written(ROWS, delimiter="\t", quoting=csv.QUOTE_ALL))
    assert read(path) == ROWS
    path.write_text('text\tlabel\n"Oh" he said\tx\n"Well"\ty\n"a ""b"""\tx\n')
    assert read(path)[1:] == [['"Oh" he said', "x"], ['"Well"', "y"], ['"a ""b"""', "x"]]


def test_a_row_may_go_on_beyond_the_sample(tmp_path: Path) -> None:
    rows = [["text", "label"], ["a\n" * (2 * SAMPLE_LINES), "x"], ["b", "y"]]
    (tmp_path / "a.csv").write_text(written(rows, lineterminator="\n"))
    assert read(tmp_path / "a.csv") == rows


def test_without_a_header_columns_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\na,x\nb,x\n")
    assert read(tmp_path / "a.csv", header=False) == [["0", "1"], ["a", "x"], ["b", "x"]]
    (tmp_path / "a.csv").write_text("0,1\na,x\n")  # as pandas writes columns without names
    assert read(tmp_path / "a.csv") == [["0", "1"], ["a", "x"]]


DECIDE = "Decide with --header or --no-header."
DOUBTS = [
    ("good film,pos\nbad film,neg\nfine,pos\n", "'pos' stands in its first line and below"),
    ("7,text\n8,a\n", "it begins with '7'"),
    ("It was a good film. I liked it.,x\na,y\n", "it begins with 'It was a good film. I liked it'"),
    ("这是一部好电影。,好\na,坏\n", "it begins with '这是一部好电影。'"),
]


@pytest.mark.parametrize(("content", "reason"), DOUBTS)
def test_a_first_line_that_may_be_no_header(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "a.csv"
    assert refusal(path, content) == f"may have no header line: {reason}. {DECIDE}"
    rows = [line.split(",") for line in content.splitlines()]
    assert read(path, header=True) == rows
    assert read(path, header=False)[1:] == rows


def test_a_header_that_comes_again(tmp_path: Path) -> None:
    said = refusal(tmp_path / "a.csv", "text,label\na,x\ntext,label\nb,y\n")
    assert said == (
        f"has its first line again as row 3. Remove it where files were joined. {DECIDE}"
    )


def test_two_delimiters_that_both_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    said = refusal(path, "id;text,label\n1;a,x\n2;b,y\n")
    assert said == "may be separated by ',' or by ';'. Name one with --delimiter."
    assert read(path, delimiter=";")[1] == ["1", "a,x"]


def test_mixed_delimiters_name_the_line_and_the_option(tmp_path: Path) -> None:
    said = refusal(tmp_path / "a.csv", "text,label\na,x\nb;y\n")
    assert said == (
        "has 1 cells in line 3, but 2 columns. "
        "Correct the line, quote the cell, or name another --delimiter."
    )


def test_a_quotation_mark_that_is_never_closed_is_named_where_it_opens(tmp_path: Path) -> None:
    content = 'text,label\n"a\nb",x\n"c,y\n' + "d,x\n" * 3 * SAMPLE_LINES
    assert refusal(tmp_path / "a.csv", content) == (
        "is ill-formed in the row that begins in line 4 (unexpected end of data). "
        "Close its quotation marks, and double those within a cell."
    )
