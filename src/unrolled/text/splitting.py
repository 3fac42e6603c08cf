"""How texts are divided into training, validation and test."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, LabelError, MissingExtra, TextError
from ..settings.check import above, check_value, part_of_one
from .corpus import TEXT, Corpus, Part, Spans, bounds
from .labels import LabelledTexts, plain

Row = TypeVar("Row")

MIN_DOCUMENTS = 20
"""With fewer documents, each of them is cut instead of being put into one split."""
DEFAULT_FRACTION, DEFAULT_BYTES = 0.05, 500_000
"""Validation and test split of no given size. Each evaluation reads all of it, and 500 kB, more
than the test text of PTB, is precise enough already: beyond, it would only cost training time."""
NUM_NAMED = 5
"""Classes that a note names."""
MAX_FOLDS = 20
"""Folds that a fraction of labelled texts is made of, unless it is smaller than one of them."""


def split_corpus(
    corpus: Corpus, valid_fraction: float | None, test_fraction: float | None
) -> dict[str, Part]:
    """Splits a corpus into train, valid and test; a split of fraction 0 is left out.

    With 20 documents or more, whole documents are taken by the SHA-256 of their content, the
    smallest for validation and the largest for the test: none passes from one to the other when
    documents are added, and equal documents stay together. Fewer are each cut into head (train),
    middle (valid) and tail (test). Lines as documents are neighbours in one text: the first lines
    are for training, then validation, then test.

    Args:
        corpus: The text.
        valid_fraction, test_fraction: Parts of its bytes; None: 5 %, at most 500 kB.

    Raises:
        ConfigError: the fractions are below 0 or leave nothing to train on.
        TextError: the text is too short.
    """
    fractions = _fractions(corpus.num_bytes, valid_fraction, test_fraction)
    spans = corpus.spans()
    if corpus.line_documents:
        splits = _split_lines(spans, fractions)
    elif len(spans) >= MIN_DOCUMENTS:
        splits = _split_documents(spans, corpus.documents()[:, 2], fractions)
    else:
        splits = _split_each(corpus, spans, fractions)
    for name, part in splits.items():
        if not len(part):
            problem = f"is too short ({corpus.num_bytes} bytes) for a {name} split"
            remedy = "Give more text, or files for validation and test of their own."
            raise TextError("the text", problem, remedy)
    return {name: Part(corpus, part) for name, part in splits.items()}


def _fractions(num_bytes: int, valid: float | None, test: float | None) -> dict[str, float]:
    """Part of each split that is wanted, the training split first."""
    default = min(DEFAULT_FRACTION, DEFAULT_BYTES / num_bytes)
    held_out = {
        name: default if value is None else value
        for name, value in (("valid", valid), ("test", test))
    }
    for name, value in held_out.items():
        check_value(f"{name}_fraction", value, part_of_one("Write for example 0.05."))
    total = sum(held_out.values())
    if total >= 1:
        rule = "below 1 in sum, so that something is left for training"
        raise ConfigError("valid_fraction and test_fraction", rule, total, "Make one smaller.")
    return {"train": 1 - total} | {name: value for name, value in held_out.items() if value}


def _split_lines(spans: Spans, fractions: dict[str, float]) -> dict[str, Spans]:
    """Head, middle and tail in whole lines."""
    ends = np.cumsum(spans[:, 2])
    shares = np.cumsum(list(fractions.values())[:-1])
    places = np.searchsorted(ends, shares * ends[-1] + 0.5)
    return dict(zip(fractions, np.split(spans, places), strict=True))


def _split_documents(
    spans: Spans, keys: NDArray[np.int64], fractions: dict[str, float]
) -> dict[str, Spans]:
    """Whole documents in the order of their keys; equal documents are one."""
    _, groups = np.unique(keys, return_inverse=True)
    sizes = np.bincount(groups, spans[:, 2])
    split_of = np.full(len(sizes), "train")
    for name, order in (("valid", slice(None)), ("test", slice(None, None, -1))):
        if name in fractions:
            free = np.flatnonzero(split_of == "train")[order]
            split_of[free[_choose(sizes[free], fractions[name] * sizes.sum())]] = name
    return {name: spans[split_of[groups] == name] for name in fractions}


def _choose(sizes: NDArray[np.number], target: float) -> list[int]:
    """Takes sizes in order where each brings the sum nearer to the target, but at least one."""
    chosen, taken = [], 0.0
    for index, size in enumerate(sizes.tolist()):
        if taken + size / 2 <= target:
            chosen.append(index)
            taken += size
    return chosen or ([int(np.argmin(sizes))] if len(sizes) > 1 else [])


def _split_each(corpus: Corpus, spans: Spans, fractions: dict[str, float]) -> dict[str, Spans]:
    """Head, middle and tail of every document, cut between characters."""
    rows: dict[str, list[tuple[int, int, int]]] = {name: [] for name in fractions}
    with open(corpus.folder / TEXT, "rb") as file:
        for start, stop in bounds(spans):
            first, share = start, 0.0
            for name, fraction in fractions.items():
                share += fraction
                last = name == list(fractions)[-1]
                place = stop if last else _character(file, start + int((stop - start) * share))
                if place > first:
                    rows[name].append((first, place, place - first))
                first = place
    return {name: np.array(part, np.int64).reshape(-1, 3) for name, part in rows.items()}


def _character(file: BinaryIO, position: int) -> int:
    """The start of the character at a byte position."""
    file.seek(max(position - 3, 0))
    before = file.read(min(position, 3) + 1)
    while len(before) > 1 and before[-1] & 0xC0 == 0x80:
        before, position = before[:-1], position - 1
    return position


def normalized(text: str) -> str:
    """A text by which equal ones are found: white space does not count."""
    return " ".join(plain(text).split())


def spread(rows: Sequence[Row], number: int) -> Sequence[Row]:
    """At most `number` of the rows, evenly over all: folders are read one class after the other."""
    number = min(number, len(rows))
    return [rows[place * len(rows) // number] for place in range(number)]


def without_shared(data: LabelledTexts, other: Sequence[str]) -> LabelledTexts:
    """Leaves out texts that also stand in another list."""
    known = {normalized(text) for text in other}
    return data.select(
        place for place, text in enumerate(data.texts) if normalized(text) not in known
    )


def without_lone(data: LabelledTexts) -> tuple[LabelledTexts, list[str]]:
    """Leaves out classes of one text, and says so: none could be trained on and held out too."""
    lone = {label for label, number in Counter(data.labels).items() if number == 1}
    if not lone:
        return data, []
    names = ", ".join(map(repr, sorted(lone)[:NUM_NAMED])) + (", …" * (len(lone) > NUM_NAMED))
    note = f"{len(lone):,} texts left out, each the only one of its class: {names}."
    if len(lone) == 1:
        note = f"1 text left out, the only one of the class {names}."
    kept = data.select(place for place, label in enumerate(data.labels) if label not in lone)
    return kept, [note]


def split_labelled(
    data: LabelledTexts, fraction: float, seed: int
) -> tuple[LabelledTexts, LabelledTexts]:
    """Divides texts for training and validation, each class in about the same proportion.

    Equal texts and texts of a group stay on one side. Every class keeps texts in training; a rare
    one may have none for validation.

    Args:
        data: N texts.
        fraction: Share of the N texts for validation, nearly: the largest class and the number of
            groups bound how fine it can be.
        seed: Another seed gives another division.

    Raises:
        ConfigError: the fraction leaves nothing on one side.
        LabelError: groups cannot be divided.
        MissingExtra: scikit-learn is absent.
    """
    check_value("valid_fraction", fraction, above(0, "Write for example 0.1.", at_most=0.5))
    labels, groups = np.unique(data.labels, return_inverse=True)[1], joined(data)
    most = min(int(np.bincount(labels).max(initial=0)), len(np.unique(groups)))
    if most < 2:
        problem = "are all of one group, or all equal"
        raise LabelError("the texts", problem, "Give more texts, or another --group.")
    most = min(most, max(MAX_FOLDS, round(1 / fraction)))
    share = max(Fraction(fraction).limit_denominator(most), Fraction(1, most))
    pinned = _only_of_a_class(labels, groups)
    held_out = np.zeros(len(labels), bool)
    free = np.flatnonzero(~pinned)
    fold = deal(labels[free], groups[free], share.denominator, seed)
    held_out[free] = fold < share.numerator
    for label in np.setdiff1d(labels, labels[~held_out]):
        held_out &= groups != groups[labels == label][0]
    if not held_out.any():
        label = data.labels[int(pinned.argmax())]
        problem = "has texts of one group only, or equal ones, so that none is left for training"
        raise LabelError(f"the class {label!r}", problem, "Give more texts of it.")
    train, valid = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    return data.select(train.tolist()), data.select(valid.tolist())


def deal(
    labels: NDArray[np.int64], groups: NDArray[np.int64], number: int, seed: int
) -> NDArray[np.int64]:
    """Deals N texts out to folds from 0 on, `(N,)`, each class in about the same proportion.

    scikit-learn's StratifiedGroupKFold takes 0.3 ms a group; here only groups of several texts are
    dealt one by one, the largest first, each to the fold that has the least of its classes.

    Args:
        labels: Classes from 0 on, `(N,)`.
        groups: What stays together, `(N,)`.
        number: Of folds.
    """
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(labels), np.int64)
    totals = np.bincount(labels)
    counts = np.zeros((number, len(totals)))
    _, groups = np.unique(groups, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(groups))[:-1])
    alone = np.bincount(groups)[groups] == 1
    several = [rows for rows in members if len(rows) > 1]
    several = [several[place] for place in rng.permutation(len(several))]
    several.sort(key=len, reverse=True)
    for rows in several:
        own = labels[rows]
        fullness = (counts[:, own] / totals[own]).sum(1)
        chosen = int(np.lexsort((counts.sum(1), fullness))[0])
        fold[rows] = chosen
        np.add.at(counts[chosen], own, 1)
    for label in np.argsort(-totals, kind="stable").tolist():
        rows = rng.permutation(np.flatnonzero(alone & (labels == label)))
        if len(rows):  # the lowest places first, of equally low ones those of the emptiest fold
            fullness = np.argsort(np.argsort(counts.sum(1) + rng.random(number))) / number
            heights = (counts[:, label] + fullness)[:, None] + np.arange(len(rows))
            fold[rows] = np.argsort(heights, axis=None)[: len(rows)] // len(rows)
            counts[:, label] += np.bincount(fold[rows], minlength=number)
    return fold


def _only_of_a_class(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which texts are of a group that has all texts of a class, `(N,)`."""
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    single = np.flatnonzero(np.bincount(pairs[0]) == 1)
    return np.isin(groups, pairs[1][np.isin(pairs[0], single)])


def joined(data: LabelledTexts) -> NDArray[np.int64]:
    """A number for each text, the same for equal texts and within a group, `(N,)`."""
    try:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components
    except ImportError:
        raise MissingExtra("Classification", "classify") from None
    number = len(data)
    keys = [normalized(text) for text in data.texts]
    columns = [keys]
    if data.groups is not None:
        # A text without a group is joined to equal ones only.
        columns.append([group or f"\0{place}" for place, group in enumerate(data.groups)])
    places, nodes, first = [], [], number
    for column in columns:
        _, inverse = np.unique(np.array(column, object), return_inverse=True)
        places.append(np.arange(number))
        nodes.append(inverse + first)
        first += int(inverse.max()) + 1
    edges = np.concatenate(places), np.concatenate(nodes)
    graph = coo_matrix((np.ones(len(edges[0])), edges), (first, first))
    return connected_components(graph, directed=False)[1][:number].astype(np.int64)
