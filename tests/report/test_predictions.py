"""The confusion matrix and the reliability diagram."""

import pytest

from unrolled.report.charts import NUM_COLOURS, Axis
from unrolled.report.predictions import confusion_chart, reliability_chart

from .classifications import fake_confusion
from .pages import domain
from .test_charts import validate

TITLES = "true", "predicted", "texts", "of the class"
AXES = Axis("promised, %"), Axis("kept, %")


def confusion(counts, names=None, shown=None):
    names = names or [f"class {place}" for place in range(len(counts))]
    places = range(len(counts)) if shown is None else shown
    return validate(confusion_chart("Confusion matrix", TITLES, names, counts, places))


def reliability(points, lowest=50.0):
    return validate(reliability_chart("Kept", AXES, points, lowest, "texts"))


@pytest.mark.parametrize("number", [2, 5, 30])
def test_cells_are_counts_and_the_diagonal_has_its_own_colour(number):
    counts = fake_confusion(number)
    counts[1][0] += 1200
    rows = confusion(counts)["datasets"]["cells"]
    shown = {(row["true"], row["predicted"]): (row["count"], row["c"]) for row in rows}
    assert shown == {
        (f"class {true}", f"class {predicted}"): (count, int(true != predicted))
        for true, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if count
    }


def test_depth_is_the_part_of_the_row_and_small_mistakes_are_seen():
    rows = confusion([[750, 250], [0, 0]])["datasets"]["cells"]
    assert [(row["part"], row["depth"]) for row in rows] == [(0.75, 0.375), (0.25, 0.315)]


def test_classes_stand_in_their_order_on_both_axes():
    spec = confusion(fake_confusion(3), names=["c", "a", "b"])
    for channel in "xy":
        assert domain(spec, channel) == ["c", "a", "b"]
    encoding = spec["layer"][0]["encoding"]
    assert (encoding["x"]["field"], encoding["y"]["field"]) == ("predicted", "true")
    assert encoding["x"]["title"] == "true ↓  predicted →"
    assert [row["title"] for row in encoding["tooltip"]] == list(TITLES)


def test_classes_that_are_not_shown_count_in_the_rows():
    spec = confusion([[6, 1, 3], [0, 5, 0], [2, 0, 8]], shown=[0, 2])
    rows = spec["datasets"]["cells"]
    assert [(row["count"], row["part"]) for row in rows] == [(6, 0.6), (3, 0.3), (2, 0.2), (8, 0.8)]
    assert domain(spec, "x") == ["class 0", "class 2"]


@pytest.mark.parametrize(
    ("number", "width", "has_counts"), [(2, 64, True), (20, 40, True)] + [(50, 17, False)]
)
def test_more_classes_have_smaller_cells_until_counts_have_no_room(number, width, has_counts):
    spec = confusion(fake_confusion(number))
    assert spec["width"] == width * number
    kinds = [layer["mark"]["type"] for layer in spec["layer"]]
    assert kinds == (["rect", "text"] if has_counts else ["rect"])


def test_names_wider_than_a_cell_stand_upright():
    def angle(name):
        spec = confusion(fake_confusion(2), names=[name, "b"])
        return spec["layer"][0]["encoding"]["x"]["axis"]["labelAngle"]

    assert (angle("short"), angle("a long name")) == (0, -90)


def test_points_stand_where_promised_and_kept_say_and_their_area_is_the_count():
    spec = reliability([(55.1, 53.3, 61), (85.0, 87.2, 246), (95.1, 97.7, 1481)])
    rows = spec["datasets"]["points"]
    assert [(row["x"], row["y"], row["count"]) for row in rows] == [
        (55.1, 53.3, 61),
        (85.0, 87.2, 246),
        (95.1, 97.7, 1481),
    ]
    assert rows[1]["area"] / rows[2]["area"] == pytest.approx(246 / 1481)
    assert rows[0]["area"] == 20  # so that it can be seen
    diagonal = spec["datasets"]["diagonal"]
    assert [(row["x"], row["y"], row["c"]) for row in diagonal] == [
        (50, 50, NUM_COLOURS),
        (100, 100, NUM_COLOURS),
    ]
    _, gap, dot = spec["layer"]
    assert gap["encoding"]["y2"] == {"field": "x"}  # up to the diagonal
    assert dot["encoding"]["size"] == {"field": "area", "type": "quantitative", "scale": None}
    titles = [field["title"] for field in dot["encoding"]["tooltip"]]
    assert titles == ["promised, %", "kept, %", "texts"]


@pytest.mark.parametrize(("lowest", "low"), [(0.0, 0), (93.0, 90), (12.0, 10), (100.0, 90)])
def test_the_diagram_holds_all_points(lowest, low):
    spec = reliability([(100.0, lowest, 0)], lowest)
    assert domain(spec, "x") == domain(spec, "y") == [low, 100]
