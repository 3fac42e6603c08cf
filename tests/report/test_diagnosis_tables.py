"""The tables of a diagnosis."""

import re
from typing import Any

from unrolled.report.diagnosis_tables import (
    dead,
    decay,
    gates,
    lyapunov,
    perturbed,
    radii,
    remedies,
    repeated,
    used_context,
)
from unrolled.report.tables import Table
from unrolled.report.words import Words
from unrolled.results.diagnosis import Diagnosis

from .diagnoses import fake_diagnosis

ENGLISH = Words("diagnosis", "en")


def rows_of(table: Table | None) -> list[list[str]]:
    """Headings, and rows with their names, as text."""
    assert table is not None
    rows = [[row.name, *(cell.text for cell in row.cells)] for row in table.rows]
    assert all(len(row) == len(table.headings) for row in rows)
    return [[re.sub(r"\s", " ", text) for text in row] for row in (list(table.headings), *rows)]


def fake(**parts: Any) -> Diagnosis:
    return Diagnosis.from_json(fake_diagnosis() | parts)


def test_figures_of_each_flow():
    flows = fake_diagnosis()["flows"]
    flows[3] |= {"half_life": None, "horizon": None, "rate": None}
    head, first, _, third, last = rows_of(decay(fake(flows=flows).flows, ENGLISH))
    assert head == ["layer", "half-life, steps", "below 1 % after", "nats per step"]
    assert first == ["layer 1, h", "3.4", "24", "−0.203"]
    assert third == ["layer 2, h", "2.0", "14", "−0.342"]
    assert last == ["layer 2, c", "> 127", "> 127", "–"]
    assert decay([], ENGLISH) is None


def test_means_of_gates():
    result = fake_diagnosis()
    result["dynamics"]["gates"][0] |= {"open": [0.25, 1.0], "closed": [0.5, 0.0]}
    dynamics = Diagnosis.from_json(result).dynamics
    assert dynamics is not None
    table = gates(dynamics.gates, ENGLISH)
    assert rows_of(table)[0] == [
        *("gate", "layer", "mean", "open, % of the time", "closed, % of the time")
    ]
    assert rows_of(table)[1] == ["input", "1", "0.410", "62 %", "25 %"]
    assert table is not None and [row.rank for row in table.rows] == [0, 1, 2, 0, 1, 2]


def test_dynamics_are_written_as_they_are():
    result = fake_diagnosis()
    result["dynamics"] |= {"exponents": [0.02, -0.094], "dead": [0.125, 0.0]}
    dynamics = Diagnosis.from_json(result).dynamics
    table = lyapunov(dynamics, ENGLISH)
    assert rows_of(table)[1:] == [["λ₁", "+0.020", "grows"], ["λ₂", "−0.094", "11"]]
    assert table is not None and [row.cells[0].rank for row in table.rows] == [1, 0]
    assert rows_of(radii(dynamics, ENGLISH))[2] == ["forget", "1", "0.897"]
    assert dead(dynamics, ENGLISH).replace("\N{NO-BREAK SPACE}", " ") == "layer 1 12 %, layer 2 0 %"
    assert lyapunov(None, ENGLISH) is None and radii(None, ENGLISH) is None
    assert dead(None, ENGLISH) == ""


def test_used_context():
    result = fake()
    costs = {point.context: point.bits for point in result.memory[0].curve}
    head, first, second = rows_of(used_context(result.memory, ENGLISH))
    assert head[3:] == ["bits per byte with 1", "bits per byte with 256"]
    assert first == ["lstm", "96", "78 to 128", f"{costs[1]:.3f}", f"{costs[256]:.3f}"]
    assert second[:3] == ["5-gram", "3.7", "3.0 to 4.9"]


def test_disturbed_and_repeated():
    memory = fake().memory
    rows = rows_of(perturbed(memory, ENGLISH))
    assert rows[0] == ["model", "beyond, tokens", "shuffled", "reversed", "replaced"]
    assert rows[1] == ["lstm", "4", "+0.173", "+0.205", "+0.347"] and len(rows) == 9
    table = repeated(memory, ENGLISH)
    assert rows_of(table)[1] == ["lstm", "3.246", "7.786", "4.540"]
    assert table is not None and max(cell.bar or 0 for row in table.rows for cell in row.cells) == 1


def test_remedies_say_what_was_won_and_what_to_type():
    table = remedies(fake(), ENGLISH)
    assert table is not None
    rows = rows_of(table)
    assert rows[1] == ["unchanged", "–", "2.501", "5.9", "39", "17", "61.0 k", ""]
    assert rows[2] == ["GRU", "+0.091", *rows[2][2:7], "--model gru"]
    assert table.rows[1].small == "Cho et al. 2014"
    assert rows[3][3:5] == ["31", "> 127"]  # never below 1 %
    assert rows[4][3:5] == ["–", "–"]  # a Transformer has no gradient through time
    assert rows[5][1] == "−0.021"
    assert rows[6][1:7] == ["diverged", *"–––––"]
    bars = [(row.cells[0].rank, round(100 * row.cells[0].bar, 1)) for row in table.rows[1:5]
            if row.cells[0].bar is not None]  # fmt: skip
    assert bars == [(0, 100.0), (0, 56.0), (0, 35.3), (1, 23.1)]
    assert [row.kind for row in table.rows] == ["baseline", "best", "", "", "", ""]


def test_without_gain_no_remedy_is_the_best():
    result = fake_diagnosis()
    for tried in result["cure"]["tried"]:
        tried["gain"] = -0.1
    table = remedies(Diagnosis.from_json(result), ENGLISH)
    assert table is not None and "best" not in [row.kind for row in table.rows]
    assert remedies(fake(cure=None), ENGLISH) is None
