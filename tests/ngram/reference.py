"""Interpolated modified Kneser-Ney in plain Python, from the paper: slow and easy to read."""

import math
from collections import Counter, defaultdict
from functools import cache


def sentences(tokens: list[int]) -> list[list[int]]:
    """Documents with their boundaries: [0, 5, 0, 0, 7] → [0, 5, 0], [0, 0], [0, 7]."""
    cuts = [place for place, token in enumerate(tokens) if token == 0]
    ends = [*cuts[1:], len(tokens) - 1]
    pairs = zip(cuts, ends, strict=True)
    return [tokens[begin : end + 1] for begin, end in pairs if end > begin]


def raw_counts(tokens: list[int], order: int) -> list[Counter]:
    """Occurrences of the n-grams of order 1 to N; `<s>` alone is no prediction and not counted."""
    counts = [Counter() for _ in range(order)]
    for sentence in sentences(tokens):
        for end in range(1, len(sentence)):
            for k in range(1, min(order, end + 1) + 1):
                counts[k - 1][tuple(sentence[end - k + 1 : end + 1])] += 1
    return counts


def adjusted_counts(tokens: list[int], order: int) -> list[Counter]:
    """The counts that Kneser-Ney discounts: how many different tokens stand before."""
    raw = raw_counts(tokens, order)
    adjusted = [Counter() for _ in range(order)]
    adjusted[-1] = raw[-1]
    for k in range(order - 1):
        for longer in raw[k + 1]:
            adjusted[k][longer[1:]] += 1
        if k > 0:
            adjusted[k].update({gram: n for gram, n in raw[k].items() if gram[0] == 0})
    return adjusted


def discounts_of(counts: Counter) -> tuple[float, float, float]:
    """Chen & Goodman 1998, equation 26; 0.5, 1, 1.5 where it gives nothing usable."""
    n = Counter(counts.values())
    if not (n[1] and n[2] and n[3]):
        return 0.5, 1.0, 1.5
    y = n[1] / (n[1] + 2 * n[2])
    d = tuple(j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))
    return d if min(d) > 0 else (0.5, 1.0, 1.5)


class Reference:
    """p(w | context), one call at a time."""

    def __init__(self, tokens: list[int], order: int, vocab_size: int) -> None:
        self.order, self.vocab_size = order, vocab_size
        self.counts = adjusted_counts(tokens, order)
        self.discounts = [discounts_of(counts) for counts in self.counts]
        self.children = [defaultdict(list) for _ in range(order)]
        for children, counts in zip(self.children, self.counts, strict=True):
            for gram, count in counts.items():
                children[gram[:-1]].append(count)
        self.prob = cache(self._prob)

    def _prob(self, word: int, context: tuple[int, ...]) -> float:
        k = len(context)
        lower = self.prob(word, context[1:]) if k else 1 / self.vocab_size
        followed = self.children[k].get(context)
        if not followed:
            return lower
        d = (0.0, *self.discounts[k])
        count = self.counts[k].get((*context, word), 0)
        weight = sum(d[min(c, 3)] for c in followed)
        return (count - d[min(count, 3)] + weight * lower) / sum(followed)

    def context(self, tokens: list[int]) -> tuple[int, ...]:
        """What counts of the tokens read: N - 1 of them, none before the last boundary."""
        kept = tokens[max(len(tokens) - self.order + 1, 0) :] if self.order > 1 else []
        for place in range(len(kept) - 1, -1, -1):
            if kept[place] == 0:
                return tuple(kept[place:])
        return tuple(kept)

    def score(self, tokens: list[int]) -> list[float]:
        """Natural-log probability of every token after the first."""
        return [
            math.log(self.prob(token, self.context(tokens[:end])))
            for end, token in enumerate(tokens)
            if end
        ]
