"""Results stand beside the rows they belong to, however far an answer reads ahead."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.cli.rows import Row, input_rows, with_results
from unrolled.errors import TextError, TextWarning
from unrolled.settings.data import FileFormat


@given(texts=st.lists(st.sampled_from(["", "a", "b"])), ahead=st.integers(1, 4))
def test_every_row_has_its_own_result(texts: list[str], ahead: int) -> None:
    def answer(read: Iterator[str]) -> Iterator[str]:
        while piece := list(islice(read, ahead)):
            yield from (text.upper() for text in piece)

    rows = [Row(number, text, {}) for number, text in enumerate(texts, 1)]
    assert list(with_results(rows, answer)) == [(row, row.text.upper() or None) for row in rows]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_numbered_as_they_stand(tmp_path: Path, standard_input, end: str) -> None:
    path, data = tmp_path / "a.txt", end.join(["", " one ", " ", "two"])
    path.write_bytes(data.encode())
    expected = [Row(1, "", {}), Row(2, " one ", {}), Row(3, "", {}), Row(4, "two", {})]
    assert list(input_rows(str(path))) == expected
    standard_input(data.encode())
    assert list(input_rows("-")) == expected


def test_the_rows_of_a_folder_are_numbered_through(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\n")
    (tmp_path / "b.jsonl").write_text('{"text": "two", "n": 1}\n{"text": null, "n": 2}\n')
    rows = list(input_rows(str(tmp_path)))
    assert [(row.number, row.text) for row in rows] == [(1, "one"), (2, ""), (3, "two"), (4, "")]
    table = list(input_rows(str(tmp_path / "b.jsonl"), keep=["n"]))
    assert table == [Row(1, "two", {"n": 1}), Row(2, "", {"n": 2})]


LINES = ["Привет, как дела", "сегодня утром", "Все люди рождаются свободными"]


def texts(file: str, encoding: str | None = None) -> list[str]:
    return [row.text for row in input_rows(file, files=FileFormat(encoding=encoding)) if row.text]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1251"])
@pytest.mark.filterwarnings("ignore::unrolled.errors.TextWarning")
def test_rows_of_a_pipe_are_those_of_the_file(
    tmp_path: Path, standard_input, encoding: str, end: str
) -> None:
    data = end.join([*LINES, "", ""]).encode(encoding)
    (tmp_path / "a.txt").write_bytes(data)
    standard_input(data)
    assert texts("-") == LINES
    assert texts(str(tmp_path / "a.txt")) == LINES


def test_the_encoding_of_a_pipe_is_said_or_named(standard_input) -> None:
    data = "\n".join(LINES).encode("koi8-r")
    standard_input(data)
    with pytest.warns(TextWarning, match="standard input is read as koi8-r, guessed from its byte"):
        assert texts("-") == LINES
    standard_input(data)
    assert texts("-", "koi8-r") == LINES


def test_a_row_may_be_too_long(standard_input, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.cli.rows.MAX_CHARS", 1_000)
    standard_input(b"short\n" + b"x" * 3_000_000)
    with pytest.raises(TextError, match="has a text of more than 1,000 characters in row 2. Cut"):
        texts("-")
