"""Texts, tables and ARPA files in damaged or random bytes."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.ngram.arpa import read_arpa
from unrolled.text.documents import read_documents
from unrolled.text.files import find_files
from unrolled.text.labels import read_labelled

from .mutations import FUZZ, mutated

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


@pytest.mark.parametrize("kind", TABLES)
@FUZZ
@given(data=st.data())
def test_tables(tmp_path_factory, kind, survives, data):
    path = tmp_path_factory.getbasetemp() / f"table.{kind}"
    path.write_bytes(data.draw(mutated(TABLES[kind])))
    survives(lambda: list(read_documents(find_files([str(path)]), "text", "line")))
    survives(lambda: read_labelled([str(path)], "text", "label"))


@FUZZ
@given(text=st.one_of(st.binary(max_size=300), mutated("\ufeff春眠 and more.\r\n".encode() * 5)))
def test_texts(tmp_path_factory, survives, text):
    path = tmp_path_factory.getbasetemp() / "text.txt"
    path.write_bytes(text)
    survives(lambda: list(read_documents(find_files([str(path)]), None, "line")))


@FUZZ
@given(text=mutated(ARPA))
def test_arpa(tmp_path_factory, survives, text):
    path = tmp_path_factory.getbasetemp() / "model.arpa"
    path.write_bytes(text)
    survives(lambda: read_arpa(path))
