"""Formats, document boundaries, and pieces that are bounded."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unrolled.errors import TextWarning
from unrolled.settings.data import DocumentKind
from unrolled.text import documents as module
from unrolled.text.documents import read_documents, read_pieces
from unrolled.text.files import zstd

ROWS = ["one, two", 'say "no"\r\nline', "我爱吃"]


def documents(path: Path, column: str | None = None, kind: DocumentKind = "file") -> list[str]:
    return list(read_documents([path], column, kind))


def csv_text(rows: list[str]) -> str:
    cells = ['"' + row.replace('"', '""') + '"' for row in rows]
    return "id,text\r\n" + "".join(f"{i},{cell}\r\n" for i, cell in enumerate(cells))


def jsonl_text(rows: list[str]) -> str:
    return "".join(json.dumps({"id": i, "text": row}) + "\n" for i, row in enumerate(rows))


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
    with pytest.warns(TextWarning, match="a.csv is read with ';' between its cells. Name another"):
        assert documents(tmp_path / "a.csv") == ["a,b"]


def test_blank_cells_are_no_documents(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"t":"a"}\n\n{"t":null}\n{"t":" "}\n{"t":"b"}')
    assert documents(tmp_path / "a.jsonl") == ["a", "b"]


def test_lines_are_cut_at_line_feeds_only_and_every_byte_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = "\n one \r\r\n\n \ntwo\u0085\u2028x\n\nlast"
    path.write_bytes(text.encode())
    assert documents(path, kind="line") == [" one ", "two\u0085\u2028x", "last"]
    pieces = list(read_pieces([path], documents="line"))
    whole = text.replace("\r\r\n", "\n")  # a line end is one byte, however it is written
    assert "".join(piece.text + piece.after for piece in pieces) == whole


@pytest.mark.parametrize("line", ["x" * 1_000, "xy " * 333])
def test_pieces_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(module, "PIECE_CHARS", 10)
    monkeypatch.setattr("unrolled.text.encodings.CHUNK", 7)
    (tmp_path / "a.txt").write_text(f"{line}\nb\n\n{line}")
    (tmp_path / "a.csv").write_text(f"text\n{line}\nb\n")
    assert documents(tmp_path / "a.txt", kind="line") == [line, "b", line]
    assert documents(tmp_path / "a.txt") == [f"{line}\nb\n\n{line}"]
    assert documents(tmp_path / "a.csv") == [line, "b"]
    for name in ("a.txt", "a.csv"):
        pieces = read_pieces([tmp_path / name], documents="line")
        assert max(len(piece.text) for piece in pieces) < 20


def test_blanks_without_an_end_are_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE_CHARS", 10)
    monkeypatch.setattr("unrolled.text.encodings.CHUNK", 7)
    (tmp_path / "a.txt").write_text("a\n" + " " * 100 + "b\n")
    pieces = list(read_pieces([tmp_path / "a.txt"], documents="line"))
    assert max(len(piece.text + piece.after) for piece in pieces) < 20
    assert documents(tmp_path / "a.txt", kind="line")[1].strip() == "b"
