"""What the probes ask: targets against plain definitions, and what guessing is worth."""

import math
from collections import Counter

import pytest
import torch

from unrolled.probes.request import SHORTEST, TASKS
from unrolled.probes.tasks import (
    BUILDERS,
    Adding,
    CopyMemory,
    Parity,
    Recall,
    SelectiveCopy,
    solved,
)


def draw(task, batch_size=32, seed=0):
    return task.batch(torch.Generator().manual_seed(seed), batch_size)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("longer", [0, 1, 40])
def test_shapes_and_repeatability(name, longer):
    task = BUILDERS[name](SHORTEST[name] + longer)
    batch = draw(task, 7)
    assert task.name == name
    assert batch.inputs.shape[:2] == batch.targets.shape == batch.mask.shape == (7, task.num_steps)
    assert len(set(batch.mask.sum(1).tolist())) == 1
    for one, other in zip(batch, draw(task, 7), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(batch.inputs, draw(task, 7, seed=1).inputs)
    if task.vocab_size is not None:
        for symbols in (batch.inputs, batch.targets[batch.mask]):
            assert symbols.min() >= 0 and symbols.max() < task.vocab_size


def test_adding_asks_for_the_sum_of_two():
    batch = draw(Adding(5), 400)
    places = Counter()
    for row, target, mask in zip(batch.inputs, batch.targets, batch.mask, strict=True):
        marked = [step for step in range(5) if row[step, 1] == 1]
        assert len(marked) == 2
        assert all(row[step, 1] == 0 for step in range(5) if step not in marked)
        assert target[-1].item() == pytest.approx(sum(row[step, 0].item() for step in marked))
        assert mask.tolist() == [False] * 4 + [True]
        places.update(marked)
    assert min(places.values()) > 100  # 160 expected at each of the five
    assert batch.inputs.min() >= 0 and batch.inputs.max() < 1.0001


def test_copy_asks_for_the_first_ten():
    batch = draw(CopyMemory(4))
    for inputs, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        symbols = inputs[:10]
        assert set(symbols) <= set(range(1, 9))
        assert inputs == symbols + [0] * 3 + [9] + [0] * 10
        assert targets == [0] * 14 + symbols
    assert batch.mask.all()


def test_selective_copy_asks_for_what_is_not_noise():
    batch = draw(SelectiveCopy(23))
    for inputs, targets, mask in zip(*(part.tolist() for part in batch), strict=True):
        symbols = [symbol for symbol in inputs[:23] if symbol]
        assert len(symbols) == 16 and set(symbols) <= set(range(1, 17))
        assert inputs[23:] == [17] * 16
        assert targets[23:] == symbols
        assert mask == [False] * 23 + [True] * 16
    assert len({tuple(row[:23].nonzero()[:, 0].tolist()) for row in batch.inputs}) > 20


@pytest.mark.parametrize("task", [Recall(64), Recall(33, vocab_size=21, num_pairs=7)])
def test_recall_asks_for_the_value_of_each_key(task):
    num_pairs = task.num_pairs or 8
    orders = set()
    for inputs, targets, mask in zip(*(part.tolist() for part in draw(task)), strict=True):
        keys, values = inputs[: 2 * num_pairs : 2], inputs[1 : 2 * num_pairs : 2]
        assert len(set(keys)) == len(set(values)) == num_pairs
        assert max(keys) < task.vocab_size // 2 <= min(values) and min(keys) > 0
        pairs = dict(zip(keys, values, strict=True))
        asked = [step for step in range(2 * num_pairs, task.length) if inputs[step]]
        assert sorted(inputs[step] for step in asked) == sorted(keys)
        assert [step for step in range(task.length) if mask[step]] == asked
        assert all(targets[step] == pairs[inputs[step]] for step in asked)
        orders.add(tuple(keys.index(inputs[step]) for step in asked))
    assert len(orders) > 20


def test_recall_asks_soon_more_often():
    gaps = [step for row in draw(Recall(256, num_pairs=1), 500).mask for step in row.nonzero()]
    near = sum(int(step) < 2 + 2 * 12 for step in gaps) / len(gaps)
    weights = [g ** (0.01 - 1) for g in range(1, 128)]
    assert near == pytest.approx(sum(weights[:12]) / sum(weights), abs=0.07)


def test_parity_counts():
    batch = draw(Parity(9))
    for bits, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        assert targets == [sum(bits[: step + 1]) % 2 for step in range(9)]
    assert batch.mask.all()


@pytest.mark.parametrize(
    ("name", "length"),
    [("adding", 50), ("copy", 30), ("selective-copy", 40), ("recall", 64), ("parity", 30)],
)
def test_a_constant_answer_scores_chance(name, length):
    task = BUILDERS[name](length)
    batch = draw(task, 3000)
    targets = batch.targets[batch.mask]
    if name == "adding":
        outputs = torch.ones(len(targets), 1)
    elif name == "copy":
        # Knows when to answer a blank, and that there are eight symbols.
        outputs = torch.full((3000, length + 20, 10), -math.inf)
        outputs[:, :-10, 0] = 0.0
        outputs[:, -10:, 1:9] = 0.0
        outputs = outputs.flatten(0, 1)
    else:
        outputs = torch.zeros(len(targets), task.vocab_size)
        outputs[:, int(targets.mode().values)] = 1.0
    score = task.score(outputs, targets)
    assert score == pytest.approx(task.chance, rel=0.05, abs=0.003)
    assert not solved(task, score)
    assert not solved(task, math.nan)


@pytest.mark.parametrize("name", TASKS)
def test_the_right_answer_solves(name):
    task = BUILDERS[name](20)
    batch = draw(task)
    targets = batch.targets[batch.mask]
    if name == "adding":
        outputs = targets[:, None] + 0.09
    else:
        outputs = 20 * torch.nn.functional.one_hot(targets, task.vocab_size).float()
    assert solved(task, task.score(outputs, targets))
    assert task.loss(outputs, targets).item() < 0.01


@pytest.mark.parametrize(("name", "goal"), [("selective-copy", 0.95), ("parity", 0.99)])
def test_goals(name, goal):
    assert BUILDERS[name](20).goal == goal
    assert CopyMemory(200).chance == pytest.approx(10 * math.log(8) / 220)
    assert CopyMemory(200).goal == pytest.approx(CopyMemory(200).chance / 10)
    assert Adding(600).goal == 0.01
    assert not solved(Adding(600), 0.01)
