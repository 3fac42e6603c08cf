"""Labelled texts: tables and folders, and what is wrong with them."""

import csv
import gzip
import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unrolled.errors import LabelError, TextError
from unrolled.text.labels import (
    LabelledTexts,
    classes_of,
    doubtful_labels,
    read_labelled,
    read_splits,
)

CHINESE = "这家酒店的房间很小，服务员的态度也不好，我不会再来了。"


def write_csv(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> str:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(rows)
    return str(path)


def test_columns_by_name_and_by_position(tmp_path):
    rows = [["id", "review", "stars"], ["7", 'He said "no", twice', "good"], ["8", CHINESE, "bad"]]
    path = write_csv(tmp_path / "a.csv", rows, "utf-16")
    for columns in (("review", "stars"), ("1", "2")):
        found = read_labelled([path], *columns)
        assert found == LabelledTexts(['He said "no", twice', CHINESE], ["good", "bad"])
    found = read_labelled([path], "review", "stars", "id")
    assert found.groups == ["7", "8"]


def test_usual_names_need_no_mention(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("label\tother\ttext\nx\t1\tone\ny\t2\ttwo\n")
    assert read_labelled([str(path)]) == LabelledTexts(["one", "two"], ["x", "y"])


def test_labels_of_any_type_become_strings(tmp_path):
    table = {"text": ["a", "b", "c"], "label": [0, 1, 12], "score": [1.0, 2.0, 3.0]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    assert read_labelled([str(tmp_path / "a.parquet")]).labels == ["0", "1", "12"]
    assert read_labelled([str(tmp_path / "a.parquet")], "text", "score").labels == ["1", "2", "3"]
    lines = [{"text": "a", "label": True}, {"text": "b", "label": False}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert read_labelled([str(tmp_path / "a.jsonl")]).labels == ["true", "false"]


def test_folders_are_classes(tmp_path):
    for name, text in (("pos/1.txt", "good"), ("neg/deep/2.txt", "bad"), ("unsup/3.txt", "who")):
        (tmp_path / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "train" / name).write_text(text)
    (tmp_path / "train" / "urls.txt").write_text("none of them")
    assert read_labelled([str(tmp_path / "train")]) == LabelledTexts(
        ["bad", "good"], ["neg", "pos"]
    )
    (tmp_path / "test").mkdir()
    with pytest.raises(LabelError, match="has the folders train and test. Give .*--test"):
        read_labelled([str(tmp_path)])


def test_the_only_column_left_is_the_text(tmp_path):
    rows = [["film", "label", "review"], ["7", "x", "one"], ["8", "y", "two"]]
    path = write_csv(tmp_path / "a.csv", [row[1:] for row in rows])
    assert read_labelled([path]) == LabelledTexts(["one", "two"], ["x", "y"])
    path = write_csv(tmp_path / "b.csv", rows)
    assert read_labelled([path], group="film").texts == ["one", "two"]
    assert read_labelled([path], label="0", group="label").texts == ["one", "two"]
    (tmp_path / "c.csv").write_text("text,label\nx,one\n")
    assert read_labelled([str(tmp_path / "c.csv")], "label", "text").texts == ["one"]


def test_several_files_of_any_encoding_one_after_the_other(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(f"text,label\n{CHINESE},差\n".encode()))
    write_csv(tmp_path / "b.csv", [["label", "text"], ["好", "房间大，\n很好"]], "utf-16")
    found = read_labelled([str(tmp_path / "b.csv"), str(tmp_path / "a.csv.gz")])
    assert found == LabelledTexts(["房间大，\n很好", CHINESE], ["好", "差"])


def test_groups_may_have_any_type_and_may_be_missing(tmp_path):
    days = [date(2026, 1, 2), date(2026, 1, 3), None]
    table = {"text": ["a", "b", "c"], "label": [0, 1, 0], "day": days, "film": [7.0, None, 2.5]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    path = str(tmp_path / "a.parquet")
    assert read_labelled([path], group="day").groups == ["2026-01-02", "2026-01-03", ""]
    assert read_labelled([path], group="film").groups == ["7", "", "2.5"]
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": "x", "film": NaN}')
    assert read_labelled([str(tmp_path / "a.jsonl")], group="film").groups == [""]


REMOVE = "Remove these rows, or name another column."
CASES = [
    ("text,label\na,x\n ,y\nb,x\n,z\n", f"has no text in line 3 and 1 more. {REMOVE}"),
    ("text,label\na,x\nb,\n", f"has no label in line 3. {REMOVE}"),
    ("text,stars\na,x\n", "has no column called 'label'. Choose one of: text, stars. (--label)"),
    ("a,b,label\nc,d,x\n", "has no column called 'text'. Choose one of: a, b, label. (--text)"),
    ("text,label\n", "has no rows. Give a table with texts and labels."),
]


@pytest.mark.parametrize(("content", "said"), CASES)
def test_what_is_wrong_with_a_table(tmp_path, content, said):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(TextError) as caught:
        read_labelled([str(tmp_path / "a.csv")])
    assert str(caught.value) == f"{tmp_path / 'a.csv'} {said}"


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        ("null", "no label"),
        ("NaN", "no label"),
        ('" "', "no label"),
        ("2.5", "a label that is neither a string nor a whole number"),
        ("[1]", "a label that is neither a string nor a whole number"),
    ],
)
def test_what_is_no_label(tmp_path, label, fault):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": 1}\n' + f'{{"text": "b", "label": {label}}}\n' * 3)
    with pytest.raises(TextError) as caught:
        read_labelled([str(path)])
    assert str(caught.value) == f"{path} has {fault} in line 2 and 2 more. {REMOVE}"


def test_blank_files_of_a_class_are_named(tmp_path):
    for name, text in (("pos/1.txt", "good"), ("pos/2.txt", "\n "), ("neg/1.txt", " ")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(TextError) as caught:
        read_labelled([str(tmp_path)])
    said = f"has no text in {Path('neg/1.txt')} and 1 more. Remove such files."
    assert str(caught.value) == f"{tmp_path} {said}"


def test_what_has_no_labels(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(LabelError, match="is not a table, so it has no labels"):
        read_labelled([str(tmp_path / "a.txt")])
    with pytest.raises(LabelError, match="has no folder for each of two classes or more"):
        read_labelled([str(tmp_path)])
    with pytest.raises(TextError, match="does not exist"):
        read_labelled([str(tmp_path / "b.csv")])
    (tmp_path / "a.csv").write_text("text,label\na,x\n")
    with pytest.raises(TextError, match="has one column 'text' for text and label"):
        read_labelled([str(tmp_path / "a.csv")], "text", "text")


def test_a_column_says_the_split(tmp_path):
    rows = [["text", "label", "part"], ["a", "x", "train"], ["b", "y", "dev"], ["c", "x", "Test"]]
    path = write_csv(tmp_path / "a.csv", rows)
    found = read_splits([path], None, None, None, "part")
    assert list(found) == ["train", "valid", "test"]
    assert [part.texts for part in found.values()] == [["a"], ["b"], ["c"]]
    path = write_csv(tmp_path / "b.csv", [*rows, ["d", "x", "7"]])
    with pytest.raises(TextError, match="has '7' in the column of splits. Write train, valid or"):
        read_splits([path], None, None, None, "part")


def test_folders_have_no_groups(tmp_path):
    with pytest.raises(LabelError, match="is a folder, which has no columns to group by. Leave"):
        read_labelled([str(tmp_path)], group="film")


def test_classes_are_sorted_as_people_count():
    assert classes_of(["10", "1", "2", "-3", "1"]) == [-3, 1, 2, 10]
    assert classes_of(["star 10", "star 2", "b"]) == ["b", "star 2", "star 10"]
    assert classes_of(["10", "x", "9"]) == ["9", "10", "x"]
    assert classes_of(["01", "1", "007"]) == ["01", "1", "007"]  # no number is written so
    assert classes_of(["1" * 30, "2"]) == ["2", "1" * 30]


def test_labels_that_may_not_be_meant_as_classes_are_said_once():
    labels = ["nan", "nan", "None", "null", "True", "true", "TRUE", "good", "good"]
    assert doubtful_labels(labels) == [
        "The label 'None' (1 text) looks like a missing value: it is taken as a class.",
        "The label 'nan' (2 texts) looks like a missing value: it is taken as a class.",
        "The label 'null' (1 text) looks like a missing value: it is taken as a class.",
        "The labels 'TRUE', 'True', 'true' differ in case only: each is taken as a class.",
    ]
    assert doubtful_labels(["good", "bad"]) == []
