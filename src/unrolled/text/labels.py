"""Texts with labels: from tables, or from folders with one folder per class."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabelError, TextError
from ..settings.data import FileFormat
from .documents import read_pieces
from .files import find_files
from .tables import choose_column, is_table, is_text, read_rows

LINE_BREAKS = re.compile(r"(?:\s*<br\s*/?>\s*)+", re.IGNORECASE)
UNLABELLED = "unsup"
"""The folder of unlabelled texts in the layout of the Large Movie Review Dataset."""
SPLITS = {"train": "train", "test": "test"} | dict.fromkeys(
    ("valid", "validation", "val", "dev"), "valid"
)


@dataclass(frozen=True)
class LabelledTexts:
    """N texts, the label of each, and maybe a group whose texts belong together.

    A text whose group is empty belongs to none.
    """

    texts: list[str]
    labels: list[str]
    groups: list[str] | None = None
    weights: list[float] | None = None
    """How much each counts."""

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, places: Iterable[int]) -> "LabelledTexts":
        """The texts at some places, in that order."""
        places = list(places)
        groups = self.groups and [self.groups[place] for place in places]
        weights = self.weights and [self.weights[place] for place in places]
        texts, labels = (
            [column[place] for place in places] for column in (self.texts, self.labels)
        )
        return LabelledTexts(texts, labels, groups, weights)


def read_labelled(
    paths: Sequence[str],
    text: str | None = None,
    label: str | None = None,
    group: str | None = None,
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> LabelledTexts:
    """Reads labelled texts.

    Args:
        paths: Tables (csv, tsv, jsonl, ndjson, json, parquet, each also as .gz or .zst), or
            folders in which each folder is a class and each file in it a text.
        text, label, group: Columns by name or position from 0; by default those called "text" and
            "label", and for the text the only one left if none is called so. Labels may be
            strings, whole numbers or truth values.
        files: What the files do not say of themselves.

    Raises:
        TextError: a file cannot be read, lacks a column, has no text in it, or has rows without
            text or label.
        LabelError: a folder or file has no labels.
    """
    rows = [row for path in paths for row in _rows(Path(path), text, label, group, files)]
    texts, labels, groups = zip(*rows, strict=True)
    return LabelledTexts(list(texts), list(labels), list(groups) if group is not None else None)


def read_splits(
    paths: Sequence[str],
    text: str | None,
    label: str | None,
    group: str | None,
    split: str,
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> dict[str, LabelledTexts]:
    """Reads tables whose column `split` says train, valid (or validation, val, dev) or test.

    Raises:
        TextError, LabelError: as `read_labelled`, or the column says something else.
    """
    parts: dict[str, list[tuple[str, str, str]]] = {}
    for path in paths:
        for *row, part in _table_rows(Path(path), text, label, group, split, files):
            parts.setdefault(_split(path, part), []).append((row[0], row[1], row[2]))
    found = {}
    for name in sorted(parts, key=["train", "valid", "test"].index):
        texts, labels, groups = (list(column) for column in zip(*parts[name], strict=True))
        found[name] = LabelledTexts(texts, labels, groups if group is not None else None)
    return found


def _split(path: object, name: str) -> str:
    if name.lower() not in SPLITS:
        problem = f"has {name!r} in the column of splits"
        raise TextError(path, problem, "Write train, valid or test.")
    return SPLITS[name.lower()]


def _rows(
    path: Path, text: str | None, label: str | None, group: str | None, files: FileFormat
) -> Iterator[tuple[str, str, str]]:
    if path.is_dir():
        if group is not None:
            remedy = "Leave --group out, or give a table."
            raise LabelError(str(path), "is a folder, which has no columns to group by", remedy)
        yield from _folder_rows(path, files)
    else:
        for row in _table_rows(path, text, label, group, None, files):
            yield row[0], row[1], row[2]


def _folder_rows(folder: Path, files: FileFormat) -> Iterator[tuple[str, str, str]]:
    """One class per folder; files beside the folders are passed over."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    classes = [path for path in classes if path.name[0] != "." and path.name != UNLABELLED]
    if {"train", "test"} <= {path.name for path in classes}:
        remedy = f"Give {folder / 'train'} --test {folder / 'test'}."
        raise LabelError(str(folder), "has the folders train and test", remedy)
    if len(classes) < 2:
        remedy = "Make one folder for each class, or give a table."
        raise LabelError(str(folder), "has no folder for each of two classes or more", remedy)
    blank = []
    for path in classes:
        begun = ""
        for piece in read_pieces(find_files([str(path)], files.encoding), files=files):
            begun += piece.text
            if piece.ends_document:
                if begun.strip():
                    yield begun, path.name, ""
                else:
                    blank.append(str(Path(piece.source).relative_to(folder)))
                begun = ""
    if blank:
        raise TextError(folder, f"has no text in {_count(blank)}", "Remove such files.")


def _table_rows(
    path: Path,
    text: str | None,
    label: str | None,
    group: str | None,
    split: str | None,
    files: FileFormat,
) -> Iterator[tuple[str, str, str, str]]:
    """Text, label, group and split of each row; what was not asked for is empty."""
    find_files([str(path)])
    if not is_table(path):
        remedy = "Give csv, tsv, jsonl, json or parquet, or a folder with one folder per class."
        raise LabelError(str(path), "is not a table, so it has no labels", remedy)
    more = [column for column in (group, split) if column is not None]

    def choose(path: Path, names: Sequence[str]) -> list[int]:
        others = [_choose(path, names, label, "label")]
        others += [choose_column(path, names, column) for column in more]
        left = [name for place, name in enumerate(names) if place not in others]
        only = left[0] if len(left) == 1 and "text" not in names else None
        place = _choose(path, names, only if text is None else text, "text")
        if place == others[0]:
            problem = f"has one column {names[place]!r} for text and label"
            raise TextError(path, problem, "Name two with --text and --label.")
        return [place, *others]

    faults: dict[str, list[str]] = {
        "no text": [],
        "no label": [],
        "a label that is neither a string nor a whole number": [],
    }
    no_text, no_label, odd_label = faults.values()
    empty = True
    for where, (value, name, *others) in read_rows(path, choose, files):
        empty = False
        others = [_name(other) for other in others]
        found = label_of(name)
        if not is_text(value) or not value.strip():
            no_text.append(where)
        elif found is None:
            (odd_label if _name(name) else no_label).append(where)
        else:
            groups = others.pop(0) if group is not None else ""
            yield value, found, groups, others[0] if others else ""
    if empty:
        raise TextError(path, "has no rows", "Give a table with texts and labels.")
    for what, places in faults.items():
        if places:
            problem = f"has {what} in {_count(places)}"
            raise TextError(path, problem, "Remove these rows, or name another column.")


def _count(places: Sequence[str]) -> str:
    """The first place, and how many more there are."""
    return places[0] + (f" and {len(places) - 1:,} more" if len(places) > 1 else "")


def _choose(path: Path, names: Sequence[str], column: str | None, usual: str) -> int:
    if column is not None:
        return choose_column(path, names, column)
    if usual in names:
        return choose_column(path, names, usual)
    remedy = f"Choose one of: {', '.join(names)}. (--{usual})"
    raise TextError(path, f"has no column called {usual!r}", remedy)


WHOLE_NUMBER = re.compile(r"0|-?[1-9]\d{0,14}")
MISSING = {"nan", "null", "none", "na", "n/a", "<na>", "nil", "missing"}
"""How missing values are often written, in lower case."""


def classes_of(labels: Iterable[str]) -> list[str] | list[int]:
    """The classes among labels, in order: 1, 2, 10, and "star 2" before "star 10".

    Where each is written as a whole number, they are whole numbers.
    """
    names = set(labels)
    if all(WHOLE_NUMBER.fullmatch(name) for name in names):
        return sorted(map(int, names))
    return sorted(names, key=lambda name: ([_piece(part) for part in _NUMBERS.split(name)], name))


_NUMBERS = re.compile(r"(\d{1,15})")


def _piece(part: str) -> tuple[int, int, str]:
    """A part of a name as what it is sorted by: numbers before letters."""
    return (0, int(part), "") if _NUMBERS.fullmatch(part) else (1, 0, part)


def doubtful_labels(labels: Sequence[str]) -> list[str]:
    """Sentences on labels that may not be meant as classes of their own."""
    counts, notes = Counter(labels), []
    alike: dict[str, list[str]] = {}
    for name in sorted(counts):
        alike.setdefault(name.casefold(), []).append(name)
        if name.casefold() in MISSING:
            count = "1 text" if counts[name] == 1 else f"{counts[name]:,} texts"
            notes.append(
                f"The label {name!r} ({count}) looks like a missing value: it is taken as a class."
            )
    for names in alike.values():
        if len(names) > 1:
            listed = ", ".join(map(repr, names))
            notes.append(f"The labels {listed} differ in case only: each is taken as a class.")
    return notes


def label_of(value: object) -> str | None:
    """A label as a string; None where there is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    if isinstance(value, int):
        return str(value)
    return value.strip() or None if is_text(value) and isinstance(value, str) else None


def _name(value: object) -> str:
    """A group or part as a string, of any type; empty where there is none."""
    if value is None or value != value:  # not a number: how missing numbers are often written
        return ""
    return label_of(value) or str(value).strip()


def plain(text: str) -> str:
    """A text as the models see it: the line breaks of web pages become line ends."""
    return LINE_BREAKS.sub("\n", text)
