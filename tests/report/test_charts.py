"""What Vega is given to draw."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unrolled import report
from unrolled.report.charts import (
    NUM_COLOURS,
    Axis,
    Chart,
    Interval,
    Level,
    Line,
    line,
    line_chart,
    point_chart,
)

from .pages import domain, drawn, encodings

FALLING = Line("falling", 0, [(1, 4.0), (10, 3.0), (100, 2.9)])
RISING = Line("rising", 1, [(1, 1.0), (10, 2.0), (100, 2.8)])
LINEAR = Axis("steps"), Axis("cost")
LOG = Axis("steps", is_log=True), Axis("cost", is_log=True)


def validate(chart: Chart | None) -> dict[str, Any]:
    """Has the schema of Vega-Lite check a chart; returns its specification."""
    altair = pytest.importorskip("altair")
    assert chart is not None
    altair.Chart.from_dict(chart.spec, validate=True)
    return chart.spec


@pytest.mark.parametrize("axes", [LINEAR, LOG])
def test_a_chart_with_everything_is_valid(axes):
    levels = [Level("baseline", 2.5), Level("flat", 3.1, 2)]
    intervals = [Interval("falling", 0, 10, 3.0, 2, 400)]
    faint = Line("falling, training", 0, [(1, 3.5), (100, 2.7)], is_faint=True)
    chart = line_chart("Cost", axes, [faint, FALLING, RISING], levels=levels, intervals=intervals)
    spec = validate(chart)
    assert spec["description"] == "Cost: falling 2.9; rising 2.8"
    assert list(spec["datasets"]) == ["levels", "lines", "intervals", "labels"]
    assert {row["n"] for row in spec["datasets"]["labels"]} == {
        "falling",
        "rising",
        "baseline",
        "flat",
    }
    assert [row["c"] for row in spec["datasets"]["levels"]] == [NUM_COLOURS, 2]
    assert spec["datasets"]["intervals"][0]["high"] == 100  # no further than the picture


def test_every_mark_but_names_and_lines_has_a_tooltip_and_lines_have_their_nearest_point():
    levels, intervals = [Level("level", 2.5)], [Interval("falling", 0, 10, 3.0, 2, 40)]
    spec = validate(line_chart("Cost", LINEAR, [FALLING], levels=levels, intervals=intervals))
    told = {layer["data"]["name"] for layer in spec["layer"] if "tooltip" in layer["encoding"]}
    assert told == {"levels", "lines", "intervals"}
    nearest = next(layer for layer in spec["layer"] if "params" in layer)
    assert nearest["data"] == {"name": "lines"}
    assert nearest["params"][0]["select"]["nearest"] is True
    titles = [field["title"] for field in nearest["encoding"]["tooltip"]]
    assert titles == ["steps", "cost"]


def test_points_have_their_names_beside_them():
    points = [Line("a", 0, [(10.0, 2.0)]), Line("b", 9, [(1000.0, 3.0)])]
    spec = validate(point_chart("Cost", (Axis("speed", True), Axis("cost")), points))
    assert domain(spec, "x") == [5, 2000]
    assert [row["c"] for row in spec["datasets"]["points"]] == [0, 1]
    assert drawn(spec, "labels").keys() == {"a", "b"}
    assert point_chart("Cost", LINEAR, [Line("a", 0, [])]) is None


def test_a_logarithmic_axis_leaves_out_what_it_has_no_place_for():
    odd = Line("odd", 0, [(0, 1.0), (1, 0.0), (2, 2.0), (4, 3.0)])
    assert drawn(validate(line_chart("Cost", LOG, [odd]))) == {"odd": [(2, 2.0), (4, 3.0)]}
    assert line_chart("Cost", LOG, [Line("odd", 0, [(0, 1.0)])]) is None


def test_missing_figures_are_no_points():
    points = [(1.0, None), (2.0, float("nan")), (None, 1.0), (3.0, 0.5)]
    assert line("a", 3, points, scale=100) == Line("a", 3, [(3.0, 50.0)])


def test_what_is_settled_is_in_the_picture_and_the_rest_may_be_cut_off():
    steep = Line("steep", 0, [(0, 90.0), (1, 2.2), (2, 2.1), (3, 2.0)])
    spec = validate(line_chart("Cost", LINEAR, [steep], [2.2, 2.0], levels=[Level("far", 9.0)]))
    low, high = domain(spec, "y")
    assert 1.9 < low < 2.0 and 2.2 < high < 2.4
    assert spec["layer"][0]["mark"] == {"type": "line", "clip": True}


def test_a_line_is_named_where_it_leaves_the_picture():
    falling = Line("falling", 0, [(0, 100.0), (1, 1.0), (2, 1e-9), (3, 1e-12)])
    axes = Axis("steps"), Axis("share", is_log=True)
    spec = validate(line_chart("Share", axes, [falling], [100.0, 0.01]))
    assert drawn(spec, "labels") == {"falling": [(1, pytest.approx(1.0))]}


def test_many_powers_of_ten_are_written_as_such():
    falling = Line("falling", 0, [(0, 1.0), (1, 1e-9)])
    spec = validate(line_chart("Share", (Axis("steps"), Axis("share", is_log=True)), [falling]))
    axis = spec["layer"][0]["encoding"]["y"]["axis"]
    assert axis["labelExpr"].startswith("datum.label && (datum.value < 0.00999")


def test_dotted_and_faint_lines_have_their_looks_and_no_names():
    lines = [FALLING, replace(RISING, is_dotted=True), replace(RISING, is_faint=True)]
    spec = validate(line_chart("Cost", LINEAR, lines))
    assert [row["f"] for row in spec["datasets"]["lines"]] == [0] * 3 + [2] * 3 + [1] * 3
    assert drawn(spec, "labels").keys() == {"falling"}


def test_a_line_of_one_point_is_a_dot():
    spec = validate(line_chart("Cost", LINEAR, [FALLING, Line("one", 1, [(5, 3.5)])]))
    assert drawn(spec, "dots") == {"one": [(5, 3.5)]}


def test_what_is_far_from_the_picture_is_named_in_a_note():
    levels = [Level("near", 2.9), Level("far", 9.0), Level("farther", 10.0)]
    chart = line_chart(
        "Cost", LINEAR, [FALLING], levels=levels, outside=lambda names: f"Not here: {names}."
    )
    assert chart is not None and chart.note == "Not here: far 9.000, farther 10.000."
    assert [row["n"] for row in chart.spec["datasets"]["levels"]] == ["near"]


def test_a_logarithmic_axis_begins_where_the_first_line_comes_into_view():
    axes = Axis("steps", is_log=True), Axis("cost")
    spec = validate(line_chart("Cost", axes, [FALLING], [3.0, 2.9]))
    assert domain(spec, "x") == [10, 100]


def styles_in_the_theme(spec: dict[str, Any]) -> set[str]:
    """The styles of all marks; each must be in theme.json."""
    theme = (Path(report.__file__).parent / "theme.json").read_text("utf-8")
    styles: set[str] = set()
    for layer in spec["layer"]:
        style = layer["mark"].get("style", [])
        styles |= {style} if isinstance(style, str) else set(style)
    assert all(f'"{style}": {{' in theme for style in styles)
    return styles


def test_every_style_of_a_mark_is_in_the_theme():
    levels, intervals = [Level("level", 2.5)], [Interval("falling", 0, 10, 3.0, 2, 40)]
    lines = validate(line_chart("Cost", LINEAR, [FALLING], levels=levels, intervals=intervals))
    points = validate(point_chart("Cost", LOG, [FALLING]))
    styles = styles_in_the_theme(lines) | styles_in_the_theme(points)
    assert styles >= {"level", "ring", "dot", "label", "halo"}


def test_the_theme_names_colours_that_the_page_has():
    folder = Path(report.__file__).parent
    style = (folder / "templates" / "page.css").read_text("utf-8")
    used = set(re.findall(r"var\((--\w+)\)", (folder / "theme.json").read_text("utf-8")))
    light, dark = style.split("@media screen")[:2]
    for name in used - {"--font"}:
        assert f"{name}: #" in light and f"{name}: #" in dark.split("}")[0], name


def test_layers_share_both_axes():
    spec = validate(line_chart("Cost", LINEAR, [FALLING, RISING], levels=[Level("level", 2.5)]))
    for channel in "xy":
        scales = [e[channel]["scale"] for e in encodings(spec) if channel in e]
        assert len(scales) > 3 and all(scale == scales[0] for scale in scales)
