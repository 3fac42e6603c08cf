"""Where the names in a chart stand."""

import pytest

from unrolled.report.charts import Axis, Line, line_chart, point_chart

from .pages import domain
from .test_charts import LINEAR, validate


def test_names_at_the_ends_of_lines_do_not_cover_each_other():
    lines = [Line(f"line {rank}", rank, [(0, 1.0), (1, 2 + rank / 1000)]) for rank in range(6)]
    spec = validate(line_chart("Cost", LINEAR, lines))
    low, high = domain(spec, "y")
    places = sorted((row["y"] - low) / (high - low) for row in spec["datasets"]["labels"])
    gaps = [after - before for before, after in zip(places, places[1:], strict=False)]
    assert min(gaps) > 0.06
    assert places[0] >= 0 and places[-1] <= 1
    names = [row["n"] for row in sorted(spec["datasets"]["labels"], key=lambda row: row["y"])]
    assert names == [f"line {rank}" for rank in range(6)]


def test_names_far_from_each_other_stay_where_they_are():
    axes = Axis("speed", is_log=True), Axis("cost")
    points = [Line("a", 0, [(10.0, 2.0)]), Line("b", 1, [(1e6, 2.0)])]
    spec = validate(point_chart("Cost", axes, points))
    assert [row["y"] for row in spec["datasets"]["labels"]] == pytest.approx([2.0, 2.0])
