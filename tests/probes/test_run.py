"""All trials of a request: order, budget, resuming, the page."""

import json
from dataclasses import replace

import pytest

from unrolled.errors import CheckpointError, ConfigError
from unrolled.probes import run as running
from unrolled.probes.request import ProbeRequest
from unrolled.probes.run import probe
from unrolled.probes.search import Found
from unrolled.results.probes import Probes, Trial
from unrolled.settings.training import Budget
from unrolled.system.files import locked

SMALL = ProbeRequest(
    tasks=("parity", "adding"),
    models=("gru", "transformer"),
    lengths=(6, 4),
    budget=Budget(200, "tokens"),
    num_parameters=2000,
    batch_size=8,
)


class Model:
    def num_parameters(self):
        return 2000

    def state_size(self, num_steps):
        return num_steps


@pytest.fixture
def played(monkeypatch):
    """Trials that solve what is in the set `solves`, at once; gives what was asked for."""
    asked, solves = [], set()

    def play(task, variant, rate, limit, **settings):
        asked.append((task.name, task.length, variant.kind, rate, limit))
        done = (task.name, task.length, variant.kind) in solves
        score = 0.5 if not done else 1.0 if task.measure == "accuracy" else 0.0
        return Found(score, done, rate * 3, [], 10, 1.0, Model())

    monkeypatch.setattr(running, "search", play)
    return asked, solves


def order(asked):
    return [row[:3] for row in asked]


def test_lengths_rise_and_failures_end_them(tmp_path, played):
    asked, solves = played
    solves |= {("parity", 4, "gru"), ("adding", 4, "transformer"), ("adding", 6, "transformer")}
    result = probe(tmp_path, SMALL)
    assert order(asked) == [
        ("parity", 4, "gru"),
        ("parity", 4, "transformer"),
        ("parity", 6, "gru"),
        ("adding", 4, "gru"),
        ("adding", 4, "transformer"),
        ("adding", 6, "transformer"),
    ]
    assert [row.solved for row in result.trials] == [True, False, False, False, True, True]
    assert Probes.from_json(json.loads((tmp_path / "results.json").read_text())) == result


def test_the_rate_that_solved_a_shorter_length_is_the_next_to_begin_with(tmp_path, played):
    asked, solves = played
    solves.add(("parity", 4, "gru"))
    probe(tmp_path, replace(SMALL, models=("gru",), tasks=("parity",)))
    assert asked[1][3] == pytest.approx(3 * asked[0][3])


def test_tokens_are_steps_and_time_is_shared(tmp_path, played, monkeypatch):
    asked, solves = played
    solves.add(("adding", 4, "gru"))
    request = replace(SMALL, tasks=("adding",))
    probe(tmp_path / "tokens", request)
    assert [(row[4].steps, row[4].seconds) for row in asked] == [
        (round(200 / 32), float("inf")),
        (round(200 / 32), float("inf")),
        (round(200 / 48), float("inf")),
    ]
    asked.clear()
    clock = iter([0.0, 0.0, 90.0])
    monkeypatch.setattr(running.time, "monotonic", lambda: next(clock))
    probe(tmp_path / "time", replace(request, budget=Budget(100, "seconds")))
    # Half of the time for both layers at the first length; then what is left for the one that
    # solved it.
    assert [row[4].seconds for row in asked] == pytest.approx([25.0, 25.0, 10.0])


def test_finished_trials_are_kept(tmp_path, played):
    asked, solves = played
    solves.add(("parity", 4, "gru"))

    def stop(record):
        if isinstance(record, Trial) and record.length == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe(tmp_path, SMALL, stop)
    assert order(asked) == [
        ("parity", 4, "gru"),
        ("parity", 4, "transformer"),
        ("parity", 6, "gru"),
    ]
    asked.clear()
    result = probe(tmp_path, SMALL)
    assert order(asked) == [("adding", 4, "gru"), ("adding", 4, "transformer")]
    assert len(result.trials) == 5
    asked.clear()
    again = probe(tmp_path, replace(SMALL, models=("rnn",), tasks=("parity",)))
    assert order(asked) == [("parity", 4, "rnn")]
    assert len(again.trials) == 6
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "report.html"}


def test_trials_of_other_settings_are_not_mixed(tmp_path, played):
    probe(tmp_path, SMALL)
    before = (tmp_path / "results.json").read_bytes()
    with pytest.raises(CheckpointError) as caught:
        probe(tmp_path, replace(SMALL, seed=1))
    assert str(caught.value) == (
        f"{tmp_path} has trials of other settings (seed 0). Use another --out."
    )
    assert (tmp_path / "results.json").read_bytes() == before


@pytest.mark.parametrize("content", ["{", "[]", '{"verdict": 1}'])
def test_another_file_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(CheckpointError, match="is damaged, or no result of probes. Delete it, or"):
        probe(tmp_path, SMALL)
    assert (tmp_path / "results.json").read_text() == content
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="file is not a folder. Choose another --out."):
        probe(tmp_path / "file", SMALL)


def test_a_second_process_is_refused(tmp_path):
    with locked(tmp_path), pytest.raises(CheckpointError, match="is being written by another"):
        probe(tmp_path, ProbeRequest())


def test_what_failed_is_tried_again_with_much_more_time(tmp_path, played):
    asked, solves = played
    request = replace(SMALL, tasks=("parity",), budget=Budget(40, "seconds"))
    solves.add(("parity", 4, "gru"))
    probe(tmp_path, request)
    first = order(asked)
    assert first == [("parity", 4, "gru"), ("parity", 4, "transformer"), ("parity", 6, "gru")]
    asked.clear()
    probe(tmp_path, request)
    assert asked == []
    result = probe(tmp_path, replace(request, budget=Budget(400, "seconds")))
    assert order(asked) == [("parity", 4, "transformer"), ("parity", 6, "gru")]
    assert len(result.trials) == 3
    assert min(row.allowed for row in result.trials if not row.solved) > 100


def test_real_trials_are_repeatable(tmp_path):
    rows = []
    for folder in ("one", "two"):
        result = probe(tmp_path / folder, SMALL)
        rows.append([replace(row, seconds=0) for row in result.trials])
    assert rows[0] == rows[1]
    assert rows[0][0].num_parameters == pytest.approx(2000, rel=0.3)
    assert all(len(row.tried) == 3 for row in rows[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"tasks": ("adding", "sorting")},
            "tasks must be among adding, copy, selective-copy, recall, parity, got sorting. "
            "Correct its name.",
        ),
        ({"lengths": ()}, "lengths must be given, got none. Use for example --lengths 20 50."),
        (
            {"tasks": ("recall",), "lengths": (4, 50)},
            "lengths must be 16 or more for recall, got 4. Leave out the shorter ones.",
        ),
        (
            {"tasks": ("parity", "recall"), "lengths": (64, 4096)},
            "lengths must be 4095 or less for recall, got 4096. Leave out the longer ones.",
        ),
        (
            {"budget": Budget(7, "seconds")},
            "budget must be at least 8s for 8 trials, got 7s. Give more time, or ask for less.",
        ),
        (
            {"budget": Budget(1, "epochs")},
            "budget must be a time or tokens for probes, got 1 epochs. "
            "Their data is endless: use for example 10m or 2Mtokens.",
        ),
        (
            {"batch_size": 0},
            "batch_size must be 1 or more, got 0. Use for example 32.",
        ),
    ],
)
def test_what_cannot_be_probed(change, said):
    with pytest.raises(ConfigError) as caught:
        replace(SMALL, **change)
    assert str(caught.value) == said


def test_each_task_has_its_batch_size_unless_told():
    assert SMALL.sequences("copy") == 8
    request = replace(SMALL, batch_size=None)
    assert (request.sequences("adding"), request.sequences("copy")) == (64, 16)
