"""Charts of what many figures look like together, as Vega is given them."""

import pytest

from unrolled.report.charts import Axis, Line
from unrolled.report.distributions import (
    Histogram,
    Shades,
    Tile,
    heat_map,
    histograms,
    scatter,
)

from .pages import domain, drawn, encodings
from .test_charts import styles_in_the_theme, validate

SHADES = (
    Shades("left, %", "heatmap", (0.01, 100), (0.01, 1, 100)),
    Shades("grown, %", "ramp", (0.1, 1e5), (100, 1e5)),
)
TILES = [Tile(1, 2, (0.5, 1.5), (1, 3), 12.3456), Tile(2, 2, (1.5, 2.5), (1, 3), 0.0)]


def test_histograms_have_one_frame_and_leave_empty_bins_out():
    rows = [
        Histogram("a", 0, [2, 0, 1], ["one", "two", "three"], 3.0),
        Histogram("b", 1, [0, 0, 5], ["one", "two", "three"], 12.0),
    ]
    axes = Axis("tokens", is_log=True), Axis("units")
    first, second = (validate(chart) for chart in histograms(axes, [1, 2, 4, 8], rows))
    assert domain(first, "x") == domain(second, "x") == [1, 8]
    assert domain(first, "y") == domain(second, "y") == [0, pytest.approx(5.25)]
    assert drawn(first, "bars") == {"one": [(1, 2)], "three": [(4, 1)]}
    assert second["datasets"]["medians"] == [{"x": 12.0}]
    hints = [[field["title"] for field in e["tooltip"]] for e in encodings(first)]
    assert hints == [["units"], ["tokens"]]
    assert styles_in_the_theme(first)


def test_a_scatter_has_a_colour_for_each_group_and_the_diagonal():
    groups = [Line("a", 0, [(25, 50)]), Line("b", 9, [(0, 100), (1, 1)])]
    spec = validate(scatter("Layer 1", (Axis("open"), Axis("shut")), groups))
    assert domain(spec, "x") == domain(spec, "y") == [0, 100]
    assert drawn(spec, "points") == {"a": [(25, 50)], "b": [(0, 100), (1, 1)]}
    assert [row["c"] for row in spec["datasets"]["points"]] == [0, 1, 1]
    assert spec["datasets"]["diagonal"] == [{"x": 0, "y": 100}, {"x": 100, "y": 0}]
    assert styles_in_the_theme(spec)


def test_a_heat_map_has_a_scale_and_a_legend_for_each_sort():
    sorts = [(SHADES[0], TILES), (SHADES[1], [Tile(1, 4, (0.5, 1.5), (3, 6), 500)])]
    axes = Axis("time"), Axis("lag", is_log=True)
    spec = validate(heat_map("Lags", axes, sorts, [[(1, 2), (2, 3)], [], [(2.5, 5)]]))
    assert (domain(spec, "x"), domain(spec, "y")) == ([0.5, 2.5], [1, 6])
    colours = [e["color"] for e in encodings(spec) if "color" in e]
    assert [(c["title"], c["scale"]["range"]) for c in colours] == [
        ("left, %", "heatmap"),
        ("grown, %", "ramp"),
    ]
    assert spec["resolve"] == {"scale": {"color": "independent"}}
    first, nothing = spec["datasets"]["heatmap"]
    assert first == {"x": 1, "y": 2, "v": 12.35, "x1": 0.5, "x2": 1.5, "y1": 1, "y2": 3}
    assert 0 < nothing["v"] < 1e-20  # a logarithmic scale has no place for nothing
    assert [row["s"] for row in spec["datasets"]["lines"]] == [0, 0, 2]
    assert styles_in_the_theme(spec)


def test_a_heat_map_of_one_sort_has_one_legend_and_no_line():
    axes = Axis("time"), Axis("lag", is_log=True)
    spec = validate(heat_map("Lags", axes, [(SHADES[0], TILES), (SHADES[1], [])], [[]]))
    assert list(spec["datasets"]) == ["heatmap"] and len(spec["layer"]) == 1
