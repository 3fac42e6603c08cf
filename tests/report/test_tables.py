"""What tables are made of."""

from types import SimpleNamespace

from unrolled.report.tables import Cell, Column, barred, cells, definitions


def test_values_of_conditions_stand_in_one_line() -> None:
    rows = {
        "a": None,
        "b": 12345,
        "c": 2.0,
        "d": 0.25,
        "e": [1, "x"],
        "f": {"k": [1, 2]},
        "g": True,
    }
    assert definitions(rows) == [
        ("a", "–"),
        ("b", "12,345"),
        ("c", "2"),
        ("d", "0.25"),
        ("e", "1, x"),
        ("f", "k 1, 2"),
        ("g", "True"),
    ]


def test_bars_begin_at_zero_and_missing_figures_have_none() -> None:
    assert barred(-1.0, 4.0, "-1", 3) == Cell("-1", bar=0.25, rank=3)
    assert [barred(value, 4.0, "", 0).bar for value in (None, float("nan"), 4.0)] == [0, 0, 1]
    assert barred(1.0, 0.0, "", None).bar == 0


def test_a_column_knows_its_figures() -> None:
    models = [SimpleNamespace(speed=speed) for speed in (1.0, None, float("inf"), 3.0)]
    column = Column("speed", "speed", str, max)
    assert column.known(models) == [1.0, 3.0]


def test_plain_cells() -> None:
    assert cells((1, "x")) == [Cell("1"), Cell("x")]
