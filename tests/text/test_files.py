"""Formats, columns, document boundaries, and one sentence for each thing that can be wrong."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unrolled.errors import MissingExtra, TextError
from unrolled.text import files
from unrolled.text.files import find_files, read_pieces, zstd

ROWS = ["one, two", 'say "no"\r\nline', "我爱吃"]


def documents(path: Path, column: str | None = None, kind: str = "file") -> list[str]:
    """The text of each document, joined from its pieces."""
    found, held = [], ""
    for piece in read_pieces([path], column, kind):  # type: ignore[arg-type]
        held += piece.text
        if piece.ends_document:
            found, held = [*found, held], ""
    assert not held
    return found


def refusal(act: Callable[[], object], path: Path) -> str:
    with pytest.raises(TextError) as error:
        act()
    return str(error.value).removeprefix(f"{path} ")


def csv_text(rows: list[str]) -> str:
    cells = ['"' + row.replace('"', '""') + '"' for row in rows]
    return "id,text\r\n" + "".join(f"{i},{cell}\r\n" for i, cell in enumerate(cells))


def jsonl_text(rows: list[str]) -> str:
    return "".join(json.dumps({"id": i, "text": row}) + "\n" for i, row in enumerate(rows))


def test_folders_in_order_without_hidden_and_binary_files(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/.hidden.txt", ".git/c.txt", "a/y.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "image.png").write_bytes(b"\x89PNG\0\0\0")
    found = find_files([str(tmp_path), str(tmp_path / "b.txt")])
    assert [str(path.relative_to(tmp_path)) for path in found] == ["b.txt", "a/y.txt", "a/z.md"]


def test_paths_that_give_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "no.txt"
    assert refusal(lambda: find_files([str(missing)]), missing) == "does not exist. Check the path."
    problem = "holds no readable text. Give a folder with text files."
    assert refusal(lambda: find_files([str(tmp_path)]), tmp_path) == problem
    empty = tmp_path / "empty.txt"
    empty.touch()
    assert refusal(lambda: documents(empty), empty) == "is empty. Give a file with text."


@pytest.mark.parametrize("compress", [None, gzip.compress, zstd.compress])
def test_formats(tmp_path: Path, compress: Callable[[bytes], bytes] | None) -> None:
    suffix = "" if compress is None else (".gz" if compress is gzip.compress else ".zst")
    pq.write_table(pa.table({"id": [0, 1, 2], "text": ROWS}), tmp_path / "plain.parquet")
    contents = {
        "a.csv": csv_text(ROWS).encode(),
        "a.jsonl": jsonl_text(ROWS).encode(),
        "a.NDJSON": jsonl_text(ROWS).encode("utf-16"),
        "a.parquet": (tmp_path / "plain.parquet").read_bytes(),
    }
    for name, data in contents.items():
        path = tmp_path / (name + suffix)
        path.write_bytes(compress(data) if compress else data)
        assert documents(path) == ROWS, name
        assert documents(path, "1") == ROWS, name
    path = tmp_path / f"a.txt{suffix}"
    data = "".join(ROWS).encode()
    path.write_bytes(compress(data) if compress else data)
    assert documents(path) == ["".join(ROWS)]


def test_tsv_has_no_quotes_and_a_semicolon_separates_too(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('text\tlabel\n"Oh" he said\t1\n\nplain\t0\n')
    assert documents(tmp_path / "a.tsv") == ['"Oh" he said', "plain"]
    (tmp_path / "a.csv").write_text("n;text\n1;a,b\n")
    assert documents(tmp_path / "a.csv") == ["a,b"]


def test_blank_cells_are_no_documents(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"t":"a"}\n\n{"t":null}\n{"t":" "}\n{"t":"b"}')
    assert documents(tmp_path / "a.jsonl") == ["a", "b"]


def test_lines_are_cut_at_line_feeds_only_and_every_byte_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = "\n one \r\n\n \ntwo\u0085\u2028x\n\nlast"
    path.write_bytes(text.encode())
    assert documents(path, kind="line") == [" one ", "two\u0085\u2028x", "last"]
    pieces = list(read_pieces([path], documents="line"))
    whole = text.replace("\r\n", "\n")  # a line end is one byte, however it is written
    assert "".join(piece.text + piece.after for piece in pieces) == whole


def test_text_that_is_damaged_is_named_inside_a_folder_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine\n")
    (tmp_path / "b.txt").write_bytes("é".encode() * 40 + b"\xff" + "é".encode() * 40)
    with pytest.raises(TextError, match=r"b\.txt is UTF-8 with a damaged byte at position 80"):
        find_files([str(tmp_path)])
    with gzip.open(tmp_path / "empty.txt.gz", "wb"):
        pass
    with pytest.raises(TextError, match=r"b\.txt is UTF-8"):  # an empty file is passed over
        find_files([str(tmp_path)])
    (tmp_path / "b.txt").rename(tmp_path / "b.gz")
    with pytest.raises(TextError, match=r"b\.gz is damaged or not gz at all"):
        find_files([str(tmp_path)])


@pytest.mark.parametrize("line", ["x" * 1_000, "xy " * 333])
def test_pieces_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(files, "PIECE_CHARS", 10)
    monkeypatch.setattr("unrolled.text.encodings.CHUNK", 7)
    (tmp_path / "a.txt").write_text(f"{line}\nb\n\n{line}")
    (tmp_path / "a.csv").write_text(f"text\n{line}\nb\n")
    assert documents(tmp_path / "a.txt", kind="line") == [line, "b", line]
    assert documents(tmp_path / "a.txt") == [f"{line}\nb\n\n{line}"]
    assert documents(tmp_path / "a.csv") == [line, "b"]
    for name in ("a.txt", "a.csv"):
        pieces = read_pieces([tmp_path / name], documents="line")
        assert max(len(piece.text) for piece in pieces) < 20


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
        "has 3 cells in line 3, but 2 columns. Mend the line, or quote the cell.",
    ),
    ("id,body\n1,a\n", None, f'has several columns and none called "text". {COLUMN}'),
    ("id,body\n1,a\n", "x", "has no column 'x'. Choose one of: id, body. (--column)"),
    ("id,body\n1,a\n", "2", "has no column '2'. Choose one of: id, body. (--column)"),
    ("id,text\n1,\n2, \n", None, "has no text in the column to read. Name another with --column."),
    ("\n", None, "has no header line. Name the columns in the first line."),
    (
        'id,text\n1,"a\n',
        None,
        "is ill-formed at line 2 (unexpected end of data). Mend the line, or its quotation marks.",
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


def test_dictionary_columns_of_parquet(tmp_path: Path) -> None:
    column = pa.array(["a", "b", "a", None]).dictionary_encode()
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    assert documents(tmp_path / "a.parquet") == ["a", "b", "a"]


@pytest.mark.parametrize(("name", "compress"), [("gz", gzip.compress), ("zst", zstd.compress)])
def test_damaged_compression(tmp_path: Path, name: str, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"a.txt.{name}"
    noise = bytes(range(32, 127)) * 3 + json.dumps(list(range(20_000))).encode()
    for data in (compress(noise)[:-500], b"this is no archive"):
        path.write_bytes(data)
        said = refusal(lambda: documents(path), path)
        assert said.startswith(f"is damaged or not {name} at all (")
        assert said.endswith("). Make or fetch the file again.")
