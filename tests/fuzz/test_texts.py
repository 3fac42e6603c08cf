"""Texts, tables and ARPA files in damaged or random bytes."""

import csv
import gzip
import io
import json
import sys
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unrolled.ngram.arpa import read_arpa
from unrolled.text.documents import read_documents
from unrolled.text.files import find_files
from unrolled.text.labels import read_labelled

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.filterwarnings("ignore::unrolled.errors.TextWarning")
ROWS = [("good, really", "yes"), ('a "bad" one\nwith lines', "no"), ("春眠不觉晓", "yes")] * 3
ARPA = (Path(__file__).parents[1] / "ngram" / "arpa" / "plain.arpa").read_bytes()


def _csv() -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("text", "label"), *ROWS])
    return text.getvalue().encode()


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    text, label = zip(*ROWS, strict=True)
    pq.write_table(pa.table({"text": list(text), "label": list(label)}), sink)
    return sink.getvalue().to_pybytes()


OBJECTS = [{"text": text, "label": label} for text, label in ROWS]
TABLES = {
    "csv": _csv(),
    "jsonl": "\n".join(map(json.dumps, OBJECTS)).encode(),
    "json": json.dumps(OBJECTS, ensure_ascii=False).encode(),
    "parquet": _parquet(),
}


def _read(path: Path, column: str | None = None) -> None:
    list(read_documents(find_files([str(path)]), column, "line"))


@pytest.mark.parametrize("kind", TABLES)
def test_tables(tmp_path, kind, damage):
    path = tmp_path / f"table.{kind}"
    path.write_bytes(TABLES[kind])
    damage(path, lambda: _read(path, "text"))
    damage(path, lambda: read_labelled([str(path)], "text", "label"))


TEXT = "\ufeff春眠 and more.\r\n".encode() * 5
TEXTS = {"txt": TEXT, "txt.gz": gzip.compress(TEXT), "txt.zst": zstd.compress(TEXT)}


@pytest.mark.parametrize("ending", TEXTS)
def test_texts(tmp_path, ending, damage):
    path = tmp_path / f"text.{ending}"
    path.write_bytes(TEXTS[ending])
    damage(path, lambda: _read(path), times=2)


def test_random_bytes(tmp_path, damage):
    path = tmp_path / "text.txt"
    path.write_bytes(Random(0).randbytes(300))
    damage(path, lambda: _read(path), times=4)


def test_arpa(tmp_path, damage):
    path = tmp_path / "model.arpa"
    path.write_bytes(ARPA)
    damage(path, lambda: read_arpa(path), times=4)
