"""Texts with labels; texts as token ids, and batches of texts of about the same length."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ConfigError
from ..settings.check import above, check_value
from ..text.labels import LabelledTexts
from ..text.splitting import NUM_NAMED
from ..text.tokenizers import BOUNDARY_ID, Tokenizer
from .metrics import Labels

ClassWeight: TypeAlias = Literal["balanced"] | Mapping[Any, float] | None
"""How much the texts of a class count, by its name; "balanced": all classes alike."""
MAX_BATCH_TOKENS = 1 << 15
"""Tokens of a batch, padding included, unless one text alone has more."""
POOL = 50
"""Batches of texts that are sorted by length together: little padding, yet random batches."""


@dataclass(frozen=True)
class Labelled:
    """N texts and the numbers of their classes."""

    texts: Sequence[str]
    labels: Labels  # (N,)
    weights: NDArray[np.float64] | None = None  # (N,)
    """How much each counts in every loss, 1 on average; None: 1."""
    groups: list[str] | None = None
    """Texts of a group are held out together, see `text.labels.LabelledTexts`."""

    @property
    def each_weight(self) -> NDArray[np.float64]:
        """The weights, `(N,)`."""
        return np.ones(len(self.labels)) if self.weights is None else self.weights


def numbered(data: LabelledTexts, names: Sequence[str]) -> Labelled:
    """The texts with numbers for the names of their classes."""
    number = {name: place for place, name in enumerate(names)}
    labels = np.array([number[label] for label in data.labels], np.int64)
    weights = None if data.weights is None else np.array(data.weights, np.float64)
    return Labelled(data.texts, labels, weights, data.groups)


def check_class_weight(given: ClassWeight, classes: Sequence[Any]) -> None:
    """Raises ConfigError unless the weights are above 0, and of classes that there are."""
    if given is None or given == "balanced":
        return
    if not isinstance(given, Mapping):
        remedy = "Write balanced."
        raise ConfigError("class_weight", "balanced or a dict of classes", repr(given), remedy)
    for name, weight in given.items():
        if name not in classes:
            listed = ", ".join(map(repr, classes[:NUM_NAMED]))
            raise ConfigError(
                "class_weight", f"of classes such as {listed}", repr(name), "Correct it."
            )
        check_value(f"class_weight of {name!r}", weight, above(0, "Use for example 2.0."))


def weigh(
    train: Labelled, valid: Labelled, classes: Sequence[Any], class_weight: ClassWeight
) -> tuple[Labelled, Labelled]:
    """Multiplies the weights of texts by those of their classes; the mean of all becomes 1."""
    both = joined_parts(train, valid)
    if class_weight is None and train.weights is None and valid.weights is None:
        return train, valid
    if class_weight == "balanced":
        total = np.bincount(both.labels, both.each_weight, minlength=len(classes))
        factors = 1 / np.where(total > 0, total, 1)
    else:
        given = class_weight or {}
        factors = np.array([float(given.get(name, 1)) for name in classes])
    mean = np.mean(factors[both.labels] * both.each_weight)
    train, valid = (
        replace(part, weights=factors[part.labels] * part.each_weight / mean)
        for part in (train, valid)
    )
    return train, valid


def joined_parts(first: Labelled, last: Labelled) -> Labelled:
    """The texts of two parts, one after the other."""
    groups = None
    if first.groups is not None and last.groups is not None:
        groups = [*first.groups, *last.groups]
    return Labelled(
        [*first.texts, *last.texts],
        np.concatenate([first.labels, last.labels]),
        np.concatenate([first.each_weight, last.each_weight]),
        groups,
    )


@dataclass(frozen=True)
class Documents:
    """Encoded texts, one after the other, each between two boundaries."""

    ids: NDArray[np.int32]  # (N tokens,)
    starts: NDArray[np.int64]  # (D + 1,)
    padded_to: int | None = None
    """Every text is given this length, boundaries added behind it: see `post_padding_unmasked`."""

    @classmethod
    def encode(
        cls,
        texts: Sequence[str],
        tokenizer: Tokenizer,
        max_tokens: int | None = None,
        padded: bool = False,
        keeps_end: bool = True,
    ) -> "Documents":
        """Encodes texts; of a longer one only the last, or first, `max_tokens` tokens are kept."""
        boundary = np.array([BOUNDARY_ID], np.int32)
        rows = (np.concatenate([boundary, ids, boundary]) for ids in tokenizer.encode_many(texts))
        if max_tokens is None:
            kept = list(rows)
        else:
            kept = [ids[-max_tokens:] if keeps_end else ids[:max_tokens] for ids in rows]
        starts = np.cumsum([0, *map(len, kept)])
        return cls(np.concatenate([*kept, boundary[:0]]), starts, max_tokens if padded else None)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, `(D,)`."""
        return np.diff(self.starts)

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Tokens `(B, T)`, padded at the end, and lengths `(B,)`."""
        lengths = self.lengths[rows]
        longest = self.padded_to or int(lengths.max())
        steps = np.arange(longest)
        inside = steps < lengths[:, None]
        places = np.where(inside, self.starts[rows, None] + steps, 0)
        tokens = np.where(inside, self.ids[places], BOUNDARY_ID)
        lengths = np.full(len(rows), longest) if self.padded_to else lengths
        return torch.from_numpy(tokens.astype(np.int64)), torch.from_numpy(lengths)

    def in_order(self, batch_size: int) -> Iterator[NDArray[np.int64]]:
        """All texts by length, for reading without gradients."""
        yield from self._cut(np.argsort(self.lengths, kind="stable"), batch_size)

    def shuffled(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of an epoch, a function of seed and epoch alone."""
        rng = np.random.default_rng((seed, epoch))
        order = rng.permutation(len(self))
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), POOL * batch_size):
            pool = order[start : start + POOL * batch_size]
            pool = pool[np.argsort(self.lengths[pool], kind="stable")]
            batches += self._cut(pool, batch_size)
        return [batches[index] for index in rng.permutation(len(batches))]

    def _cut(self, rows: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.int64]]:
        """Cuts rows of rising length."""
        lengths, start = np.maximum(self.lengths, self.padded_to or 0), 0
        while start < len(rows):
            stop = min(start + batch_size, len(rows))
            while stop > start + 1 and (stop - start) * lengths[rows[stop - 1]] > MAX_BATCH_TOKENS:
                stop -= 1
            yield rows[start:stop]
            start = stop
