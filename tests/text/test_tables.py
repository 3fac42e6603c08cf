"""Rows of tables, and one sentence for each thing that can be wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unrolled.errors import MissingExtra, TextError
from unrolled.text.documents import read_documents


def documents(path: Path, column: str | None = None) -> list[str]:
    return list(read_documents([path], column))


def refusal(act: Callable[[], object], path: Path) -> str:
    with pytest.raises(TextError) as error:
        act()
    return str(error.value).removeprefix(f"{path} ")


COLUMN = "Choose one of: id, body. (--column)"


JSON_CASES = [
    ('{"t":"a"}\n{"t":\n', "is not JSON in line 2 (Expecting value). Write one object per line."),
    ("[" * 100_000, "is not JSON in line 1 ({recursion}). Write one object per line."),
    ('"a"\n', "has no object in line 1. Write one object per line."),
    ('{"t":"a"}\n{"u":"b"}\n', "has no 't' in line 2. There is: u."),
    ('{"id":1,"body":"b"}\n', f'has several columns and none called "text". {COLUMN}'),
    (
        '{"t":"\\ud800"}\n',
        "has no proper text as 't' in line 1. Name a column that holds strings with --column.",
    ),
    (
        '{"t":7}\n',
        "has no proper text as 't' in line 1. Name a column that holds strings with --column.",
    ),
    (
        '{"t":"b"}\n{"t":"a","u":1,"t":"b"}\n',
        "has two values of 't' in line 2. Rename or remove one.",
    ),
    ('{"t":"a\\u0000b"}\n', "has a NUL character in line 1. Remove it."),
    ('{"t":""}\n', "has no text in the column to read. Name another with --column."),
]


@pytest.mark.parametrize(("text", "problem"), JSON_CASES)
def test_what_is_wrong_with_json(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    said = refusal(lambda: documents(path), path)
    if "{recursion}" in problem:
        assert said.startswith("is not JSON in line 1 (") and said.count("\n") == 0
    else:
        assert said == problem


CSV_CASES = [
    (
        "id,text\n1,a\n2,b,c\n",
        None,
        "has 3 cells in line 3, but 2 columns. "
        "Correct the line, quote the cell, or name another --delimiter.",
    ),
    ("id,body\n1,a\n", None, f'has several columns and none called "text". {COLUMN}'),
    ("id,body\n1,a\n", "x", "has no column 'x'. Choose one of: id, body. (--column)"),
    ("id,body\n1,a\n", "2", "has no column '2'. Choose one of: id, body. (--column)"),
    ("id,text\n1,\n2, \n", None, "has no text in the column to read. Name another with --column."),
    ("\n", None, "has no header line. Name the columns in the first line."),
    (
        'id,text\n1,"a\n',
        None,
        "is ill-formed in the row that begins in line 2 (unexpected end of data). "
        "Close its quotation marks, and double those within a cell.",
    ),
]


@pytest.mark.parametrize(("text", "column", "problem"), CSV_CASES)
def test_what_is_wrong_with_csv(
    tmp_path: Path, text: str, column: str | None, problem: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert refusal(lambda: documents(path, column), path) == problem


def test_what_is_wrong_with_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": [1, 2]}), path)
    problem = "has no proper text as 'n' in row 1. Name a column that holds strings with --column."
    assert refusal(lambda: documents(path), path) == problem
    path.write_bytes(b"PAR1 nothing else")
    said = refusal(lambda: documents(path), path)
    assert said.startswith("is damaged or not parquet (")
    assert said.endswith("). Make or fetch the file again.")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra) as error:
        documents(path)
    expected = f"Reading {path} needs an extra: pip install 'unrolled[data]'."
    assert str(error.value) == expected


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(table, path)
    said = "has two columns called 'text'. Rename one, or give its position, from 0."
    assert refusal(lambda: documents(path), path) == said
    assert refusal(lambda: documents(path, "1"), path) == (
        "has two columns called 'text'. Rename one."
    )
    pq.write_table(pa.table({"text": ["a\0b"]}), path)
    assert refusal(lambda: documents(path), path) == "has a NUL character in row 1. Remove it."


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_json_that_holds_rows_is_a_table(tmp_path: Path, mark: bytes) -> None:
    path, rows = tmp_path / "a.json", [{"id": 1, "text": "a b"}, {"id": 2, "text": "c"}]
    lines = "\n".join(map(json.dumps, rows))
    for content in (json.dumps(rows), json.dumps(rows, indent=1), lines):
        path.write_bytes(mark + content.encode())
        assert documents(path) == ["a b", "c"]
    for prose in ('{"name": 1}\n', "[1, 2]", "[intro]\n"):
        path.write_text(prose)
        assert documents(path) == [prose]


def test_what_is_wrong_with_an_array(tmp_path: Path) -> None:
    path, remedy = tmp_path / "a.json", "Write an array of objects."
    path.write_text('[{"t":"a"}, 7]')
    assert refusal(lambda: documents(path), path) == f"has no object in item 2. {remedy}"
    path.write_text('[{"t":"a"},')
    said = refusal(lambda: documents(path), path)
    assert said.startswith("is not JSON in the array (") and said.endswith(remedy)


def test_dictionary_columns_of_parquet(tmp_path: Path) -> None:
    column = pa.array(["a", "b", "a", None]).dictionary_encode()
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    assert documents(tmp_path / "a.parquet") == ["a", "b", "a"]
