"""Labelled texts: tables and folders, what is wrong with them, and how they are divided."""

import csv
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unrolled.errors import ConfigError, LabelError, TextError, UnrolledError
from unrolled.text.labelled import (
    LabelledTexts,
    count_shared,
    read_labelled,
    read_splits,
    split_labelled,
    without_shared,
)

CHINESE = "这家酒店的房间很小，服务员的态度也不好，我不会再来了。"


def write_csv(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> str:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(rows)
    return str(path)


def test_columns_by_name_and_by_position(tmp_path):
    rows = [["id", "review", "stars"], ["7", 'He said "no", twice', "good"], ["8", CHINESE, "bad"]]
    path = write_csv(tmp_path / "a.csv", rows, "gb18030")
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


CASES = [
    ("text,label\na,x\n ,y\nb,x\n,z\n", "has no text in line 3 and 1 more. Remove these rows"),
    ("text,label\na,x\nb,\n", "has no label in line 3. Remove these rows"),
    ("text,stars\na,x\n", "has no column called 'label'. Choose one of: text, stars. (--label)"),
    ("a,label\na,x\n", "has no column called 'text'. Choose one of: a, label. (--text)"),
    ("text,label\n", "has no rows. Give a table with texts and labels."),
]


@pytest.mark.parametrize(("content", "said"), CASES)
def test_what_is_wrong_with_a_table(tmp_path, content, said):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(TextError) as caught:
        read_labelled([str(tmp_path / "a.csv")])
    assert str(caught.value).startswith(f"{tmp_path / 'a.csv'} {said}")


def test_what_has_no_labels(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(LabelError, match="is no table, so that it has no labels"):
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


def test_shared_texts_are_found_whatever_their_white_space():
    data = LabelledTexts(["a  b", "c", "a b"], ["x", "y", "z"], ["1", "2", "3"])
    assert count_shared(data.texts, ["a\nb ", "d"]) == 2
    assert without_shared(data, ["a\nb "]) == LabelledTexts(["c"], ["y"], ["2"])


def make(number: int) -> LabelledTexts:
    texts = [f"text {place // 3}" for place in range(number)]  # three times each
    labels = ["rare" if place // 3 % 5 == 0 else "common" for place in range(number)]
    return LabelledTexts(texts, labels)


@pytest.mark.parametrize("seed", range(3))
def test_a_split_keeps_proportions_and_equal_texts_together(seed):
    data = make(600)
    train, valid = split_labelled(data, 0.2, seed)
    assert Counter(train.texts + valid.texts) == Counter(data.texts)
    assert len(valid) == pytest.approx(120, abs=6)
    assert Counter(valid.labels)["rare"] == pytest.approx(24, abs=4)
    assert not set(train.texts) & set(valid.texts)
    assert split_labelled(data, 0.2, seed)[1] == valid
    assert split_labelled(data, 0.2, seed + 1)[1] != valid


def test_groups_stay_together_and_join_through_equal_texts():
    texts = [f"t{place}" for place in range(100)]
    texts[10] = texts[50]  # group 1 and group 5 share a text
    groups = [str(place // 10) for place in range(100)]
    labels = ["x", "y"] * 50
    for seed in range(5):
        train, valid = split_labelled(LabelledTexts(texts, labels, groups), 0.3, seed)
        assert train.groups and valid.groups
        assert not set(train.groups) & set(valid.groups)
        assert len({"1", "5"} & set(train.groups)) != 1


def refusal(data: LabelledTexts, fraction: float = 0.2) -> UnrolledError:
    with pytest.raises((LabelError, ConfigError)) as caught:
        split_labelled(data, fraction, 0)
    return caught.value


def test_what_cannot_be_split():
    said = refusal(LabelledTexts(["a", "b", "c"], ["x", "x", "y"]))
    assert str(said).startswith("the class 'y' has 1 text only. Give more texts of it")
    said = refusal(LabelledTexts(["a", "b", "c", "d"], ["x", "x", "y", "y"], ["g"] * 4))
    assert str(said).startswith("the texts are all of one group")
    said = refusal(make(60), 0.9)
    assert str(said).startswith("valid_fraction must be above 0 and at most 0.5, got 0.9")
