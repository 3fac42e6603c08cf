"""Splits are where they are said to be: of a corpus, and of labelled texts."""

import hashlib
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.errors import ConfigError, LabelError, TextError, UnrolledError
from unrolled.text.corpus import Corpus
from unrolled.text.documents import read_pieces
from unrolled.text.labels import LabelledTexts
from unrolled.text.splitting import (
    deal,
    split_corpus,
    split_labelled,
    spread,
    without_lone,
    without_shared,
)

from .corpora import read, write

ENGLISH = (Path(__file__).parents[1] / "data" / "english.txt").read_text("utf-8")
DOCUMENTS = [f"document {number}: " + "word " * (number % 5 + 4) for number in range(200)]
TOO_SHORT = "Give more text, or files for validation and test of their own."


# A corpus


def write_lines(folder: Path, text: str) -> Corpus:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.txt").write_bytes(text.encode())
    return Corpus.write(read_pieces([folder / "a.txt"], documents="line"), folder / "corpus")


def test_one_text_is_split_as_nanogpt_splits_it(tmp_path: Path) -> None:
    text = ENGLISH.encode("ascii", "ignore").decode()
    splits = split_corpus(write(tmp_path, [text]), 0.1, 0)
    place = int(len(text) * 0.9)
    found = {name: read(part) for name, part in splits.items()}
    assert found == {"train": [text[:place]], "valid": [text[place:]]}


@given(
    documents=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=30), min_size=1, max_size=19
    )
)
def test_few_documents_are_cut_between_characters(
    tmp_path_factory: pytest.TempPathFactory, documents: list[str]
) -> None:
    splits = split_corpus(write(tmp_path_factory.mktemp("corpus"), documents), 0.2, 0.3)
    parts = [read(splits[name]) for name in ("train", "valid", "test")]
    assert ["".join(document) for document in zip(*parts, strict=True)] == documents
    for whole, *cut in zip(documents, *parts, strict=True):
        size = len(whole.encode())
        for part, fraction in zip(cut, (0.5, 0.2, 0.3), strict=True):
            assert abs(len(part.encode()) - fraction * size) <= 5


def test_documents_are_split_by_their_hash(tmp_path: Path) -> None:
    splits = split_corpus(write(tmp_path / "a", DOCUMENTS), 0.1, 0.2)
    found = {name: read(part) for name, part in splits.items()}
    assert sorted(sum(found.values(), [])) == sorted(DOCUMENTS)
    num_bytes = sum(map(len, DOCUMENTS))
    for name, fraction in (("valid", 0.1), ("test", 0.2)):
        assert abs(splits[name].num_bytes - fraction * num_bytes) <= max(map(len, DOCUMENTS))
    turned = split_corpus(write(tmp_path / "b", DOCUMENTS[::-1]), 0.1, 0.2)
    assert {name: read(part)[::-1] for name, part in turned.items()} == found
    # The order is that of the first 8 bytes of SHA-256, as a signed little-endian number.
    keys = [hashlib.sha256(text.encode()).digest()[:8] for text in DOCUMENTS]
    order = np.argsort([int.from_bytes(key, "little", signed=True) for key in keys])
    assert DOCUMENTS[order[0]] in found["valid"]
    assert DOCUMENTS[order[100]] in found["train"]
    assert DOCUMENTS[order[-1]] in found["test"]


def test_documents_stay_where_they_are_when_others_come(tmp_path: Path) -> None:
    more = [*DOCUMENTS, *(f"another document {number}" for number in range(40))]
    before = split_corpus(write(tmp_path / "a", DOCUMENTS), 0.1, 0.1)
    after = split_corpus(write(tmp_path / "b", more), 0.1, 0.1)
    assert not {*read(before["valid"])} & {*read(after["test"])}
    assert not {*read(before["test"])} & {*read(after["valid"])}
    for name in ("valid", "test"):
        assert len({*read(before[name])} - {*read(after[name])}) <= 3


def test_equal_documents_stay_together(tmp_path: Path) -> None:
    documents = [text for text in DOCUMENTS for _ in range(3)]
    splits = split_corpus(write(tmp_path, documents), 0.1, 0.1)
    found = [{*read(part)} for part in splits.values()]
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]


def test_every_split_gets_a_document(tmp_path: Path) -> None:
    documents = [letter * 100 for letter in "abcdefghijklmnopqrst"]
    splits = split_corpus(write(tmp_path, documents), 0.01, 0.01)
    assert {name: len(read(part)) for name, part in splits.items()} == {
        "train": 18,
        "valid": 1,
        "test": 1,
    }


def test_lines_are_split_where_they_stand_and_every_byte_counts(tmp_path: Path) -> None:
    lines = [f"line {number:03}" for number in range(100)]
    text = "\n\n" + "\n".join(lines) + "\n \nend"
    splits = split_corpus(write_lines(tmp_path, text), 0.1, 0.2)
    assert read(splits["train"]) == lines[:70]
    assert read(splits["valid"]) == lines[70:80]
    assert read(splits["test"]) == [*lines[80:], "end"]
    assert sum(part.num_bytes for part in splits.values()) == len(text)
    assert splits["valid"].num_bytes == 90


def test_splits_of_no_given_size_are_small(tmp_path: Path) -> None:
    small = split_corpus(write(tmp_path / "small", ["a" * 1_000_000]), None, None)
    assert [part.num_bytes for part in small.values()] == [900_000, 50_000, 50_000]
    large = write(tmp_path / "large", ["a" * 20_000_000])
    sizes = [part.num_bytes for part in split_corpus(large, None, 0.05).values()]
    assert sizes == [18_500_000, 500_000, 1_000_000]
    assert [*split_corpus(large, None, 0)] == ["train", "valid"]


@pytest.mark.parametrize(
    ("documents", "problem"),
    [
        (["ab"], "the text is too short (2 bytes) for a train split"),
        (["abcdefg"], "the text is too short (7 bytes) for a valid split"),
        (["same"] * 20, "the text is too short (80 bytes) for a valid split"),
    ],
)
def test_too_short(tmp_path: Path, documents: list[str], problem: str) -> None:
    fractions = (0.9, 0.05) if len(documents[0]) == 2 else (0.01, 0.01)
    with pytest.raises(TextError) as error:
        split_corpus(write(tmp_path, documents), *fractions)
    assert str(error.value) == f"{problem}. {TOO_SHORT}"


def test_too_few_lines(tmp_path: Path) -> None:
    with pytest.raises(TextError) as error:
        split_corpus(write_lines(tmp_path, "one\ntwo\n"), 0.05, 0.05)
    assert str(error.value) == f"the text is too short (8 bytes) for a test split. {TOO_SHORT}"


@pytest.mark.parametrize(
    ("valid", "test", "message"),
    [
        (
            -0.1,
            0.1,
            "valid_fraction must be at least 0 and below 1, got -0.1. Write for example 0.05.",
        ),
        (
            None,
            1.0,
            "test_fraction must be at least 0 and below 1, got 1.0. Write for example 0.05.",
        ),
        (
            0.1,
            float("nan"),
            "test_fraction must be at least 0 and below 1, got nan. Write for example 0.05.",
        ),
        (
            0.5,
            0.5,
            "valid_fraction and test_fraction must be below 1 in sum, so that something is left "
            "for training, got 1.0. Make one smaller.",
        ),
    ],
)
def test_fractions_that_make_no_sense(
    tmp_path: Path, valid: float, test: float, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        split_corpus(write(tmp_path, [ENGLISH]), valid, test)
    assert str(error.value) == message


# Labelled texts


def test_shared_texts_are_found_whatever_their_white_space():
    data = LabelledTexts(["a  b", "c", "a b"], ["x", "y", "z"], ["1", "2", "3"])
    for other in ("a\nb ", "a<br />b"):
        assert without_shared(data, [other, "d"]) == LabelledTexts(["c"], ["y"], ["2"])


def test_rows_spread_evenly_over_all():
    assert spread("abcdefgh", 3) == ["a", "c", "f"]
    assert spread("ab", 3) == ["a", "b"] and spread([], 3) == []


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


def test_texts_without_a_group_are_no_group():
    texts = [f"t{place}" for place in range(100)]
    groups = [""] * 80 + [str(place // 2) for place in range(20)]
    train, valid = split_labelled(LabelledTexts(texts, ["x", "y"] * 50, groups), 0.2, 0)
    assert len(valid) == pytest.approx(20, abs=2)
    assert train.groups and valid.groups
    assert set(train.groups) & set(valid.groups) == {""}


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.15, 0.3, 1 / 3, 0.4, 0.45, 0.5])
def test_a_split_takes_the_share_that_was_asked_for(fraction):
    data = LabelledTexts([f"t{place}" for place in range(600)], ["x", "x", "y"] * 200)
    _, valid = split_labelled(data, fraction, 0)
    assert len(valid) == pytest.approx(600 * fraction, abs=2)
    assert Counter(valid.labels)["y"] == pytest.approx(200 * fraction, abs=2)


def test_few_texts_and_rare_classes_are_split_without_a_warning():
    few = LabelledTexts([f"t{place}" for place in range(12)], ["x", "y"] * 6)
    rare = LabelledTexts([f"t{place}" for place in range(100)], ["x"] * 97 + ["y"] * 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for data, most in ((few, 2), (rare, 11)):
            train, valid = split_labelled(data, 0.1, 0)
            assert set(train.labels) == {"x", "y"} and 1 <= len(valid) <= most
    assert not caught


@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_one_group_stays_in_training(seed):
    groups = [str(place % 10) for place in range(90)] + ["g"] * 10
    data = LabelledTexts([f"t{place}" for place in range(100)], ["x"] * 90 + ["y"] * 10, groups)
    train, valid = split_labelled(data, 0.1, seed)
    assert Counter(train.labels)["y"] == 10 and set(valid.labels) == {"x"}


def test_a_text_alone_in_its_class_is_left_out_with_a_count():
    data = LabelledTexts(["a", "b", "c", "d"], ["x", "x", "y", "z"])
    kept, notes = without_lone(data)
    assert kept == data.select([0, 1])
    assert notes == ["2 texts left out, each the only one of its class: 'y', 'z'."]
    assert without_lone(kept) == (kept, [])


def test_classes_that_cannot_be_held_out_do_not_end_it():
    """Of two texts each, in as many folds as there are: scikit-learn's leave one without."""
    labels = ["x"] * 40 + [f"rare {place // 2}" for place in range(40)]
    equal = [f"t{place}" for place in range(40)] + [f"r{place // 2}" for place in range(40)]
    for texts in (equal, [f"t{place}" for place in range(80)]):
        train, valid = split_labelled(LabelledTexts(texts, labels), 0.1, 0)
        assert set(train.labels) == set(labels) and 4 <= len(valid) <= 8


@given(st.integers(0, 10**6))
def test_folds_have_each_class_alike_and_groups_whole(seed):
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(0, 3, 60), rng.integers(0, 40, 60)
    fold = deal(labels, groups, 5, seed)
    assert set(fold) == set(range(5))
    for group in range(40):
        assert len(set(fold[groups == group])) <= 1
    single = deal(labels, np.arange(60), 5, seed)
    for label in range(3):
        counts = np.bincount(single[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    sizes = np.bincount(single, minlength=5)
    assert sizes.max() - sizes.min() <= 2


def refusal(data: LabelledTexts, fraction: float = 0.2) -> UnrolledError:
    with pytest.raises((LabelError, ConfigError)) as caught:
        split_labelled(data, fraction, 0)
    return caught.value


def test_what_cannot_be_split():
    said = refusal(LabelledTexts(["a", "b", "c", "d"], ["x", "x", "y", "y"], ["g"] * 4))
    assert str(said).startswith("the texts are all of one group")
    groups = ["g", "g", "h", "h"]
    said = refusal(LabelledTexts(["a", "b", "c", "d"], ["x", "x", "y", "y"], groups))
    assert str(said) == (
        "the class 'x' has texts of one group only, or equal ones, so that none is left for "
        "training. Give more texts of it."
    )
    said = refusal(make(60), 0.9)
    assert str(said).startswith("valid_fraction must be above 0 and at most 0.5, got 0.9")
