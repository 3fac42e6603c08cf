"""One trial: a race of three rates, success, limits, the same numbers again."""

import math

import pytest
import torch

from unrolled.probes import search as searching
from unrolled.probes.model import build
from unrolled.probes.request import VARIANTS
from unrolled.probes.search import HELD_OUT, Limit, Run, generator, search
from unrolled.probes.tasks import Adding, Parity


def small(task, limit, rate=3e-3, **settings):
    return search(task, VARIANTS["gru"], rate, limit, 3000, 16, **settings)


def test_a_gru_learns_to_add():
    found = search(Adding(10), VARIANTS["gru"], 1e-2, Limit(steps=900), 5000, 32)
    assert found.solved and found.score < 0.01
    assert found.steps < 900
    rng = torch.Generator().manual_seed(99)
    batch = Adding(10).batch(rng, 2000)
    with torch.no_grad():
        outputs = found.model(batch.inputs, batch.mask)[:, 0]
    assert ((outputs - batch.targets[batch.mask]) ** 2).mean() < 0.012


def test_the_same_steps_give_the_same_numbers():
    one, same = (small(Parity(6), Limit(steps=20)) for _ in range(2))
    assert (one.score, one.tried, one.steps) == (same.score, same.tried, same.steps)
    other = small(Parity(6), Limit(steps=20), seed=1)
    assert one.tried != other.tried


def test_steps_are_counted_over_race_and_rest():
    found = small(Adding(10), Limit(steps=100))
    assert [row.learning_rate for row in found.tried] == pytest.approx([3e-3, 1e-3, 9e-3])
    assert found.steps == 100 - 2 * 6


def test_a_limit_of_one_step_is_kept():
    found = small(Adding(10), Limit(steps=1))
    assert found.steps == 1 and not found.solved
    assert found.score > 0.01


def test_no_time_left_still_gives_a_score():
    found = small(Adding(10), Limit(seconds=0.0))
    assert found.steps == 1 and math.isfinite(found.score)


def test_a_rate_must_be_clearly_better_than_the_middle_one():
    class Row:
        found = None

        def __init__(self, loss):
            self.loss = loss

    middle, low, high = Row(1.0), Row(0.98), Row(0.99)
    assert searching._best([middle, low, high]) is middle
    assert searching._best([middle, better := Row(0.9), Row(math.inf)]) is better
    assert searching._best([middle := Row(math.inf), low, high]) is low


def test_what_explodes_ends_as_a_failure(monkeypatch):
    monkeypatch.setattr(searching, "CLIP_NORM", 1e30)
    found = small(Adding(10), Limit(steps=60), rate=1e30)
    assert not found.solved
    assert found.tried[0].loss > 1e6


def test_held_out_sequences_are_others():
    task = Parity(20)
    trained = task.batch(generator(0, task, "train"), 8).inputs
    held_out = task.batch(generator(0, task, "held out"), 8).inputs
    assert not torch.equal(trained, held_out)
    run = Run(task, build(task, VARIANTS["gru"], 3000, 0), 1e-3, 8, 0)
    rng = generator(0, task, "held out")
    right = 0
    with torch.no_grad():
        for _ in range(HELD_OUT // 8):
            batch = task.batch(rng, 8)
            answers = run.model(batch.inputs, batch.mask).argmax(-1).view(8, 20)
            right += int((answers == batch.targets).sum())
    assert run.held_out() == pytest.approx(right / (HELD_OUT * 20))


def test_progress_is_heard():
    heard = []
    small(Adding(10), Limit(steps=120), progress=lambda part, score: heard.append((part, score)))
    parts = [part for part, _ in heard]
    assert parts == sorted(parts) and parts[0] > 0 and parts[-1] <= 1
    assert all(score > 0 for _, score in heard)


def test_the_rate_falls_in_the_last_part():
    task = Adding(10)
    run = Run(task, build(task, VARIANTS["gru"], 3000, 0), 1e-3, 8, 0)
    run.steps, rates = 50, []
    run.optimizer.register_step_post_hook(
        lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"])
    )
    run.train(Limit(steps=8), fall=0.5)
    assert rates == pytest.approx([1e-3] * 5 + [0.75e-3, 0.5e-3, 0.25e-3])
