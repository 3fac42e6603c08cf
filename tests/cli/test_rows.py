"""Results stand beside the rows they belong to, however far an answer reads ahead."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.cli.rows import Row, input_rows, with_results


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
