"""The heat map of the gradient during training."""

import re

import pytest

from .diagnoses import fake_diagnosis
from .test_diagnosis import page_of


def cells(source: str) -> list[tuple[str, str, str]]:
    return re.findall(r'<path class="cell (c\d)" style="--share:(\d+)%" d="(.*?)"/>', source)


def test_the_heat_map_has_training_time_to_the_right_and_distance_upwards():
    result = fake_diagnosis()
    lags = [0, 1, 10, 100]
    result["history"] = [
        {"seconds": 0.0, "tokens": 0.0, "lags": lags, "shares": [1, 1, 0.1, 1e-9]},
        {"seconds": 60.0, "tokens": 1.0, "lags": lags, "shares": [1, 1000, 1, 0.01]},
    ]
    page = page_of(result)
    section = page.source.split("<h2>Gradient during training</h2>")[1].split("</section>")[0]
    assert "seconds of training" in section
    found = {(c, s): d for c, s, d in cells(section) if "H" in d}
    assert set(found) == {("c0", "0"), ("c0", "50"), ("c0", "75"), ("c0", "100"), ("c1", "100")}
    left = {key: float(d[1:].split()[0]) for key, d in found.items()}
    height = {key: float(re.split("[ H]", d)[1]) for key, d in found.items()}
    assert left["c0", "0"] == left["c0", "75"] == 54 < left["c1", "100"] == left["c0", "50"]
    assert height["c0", "0"] < height["c0", "75"] and height["c0", "50"] < height["c1", "100"]
    # Less than 1 % is left on the way from 10 to 100 in the first look, and nowhere in the second.
    (path,) = re.findall(r'class=level d="(.*?)"', section)
    assert path.count("M") == 1 and "L" not in path


def test_many_looks_are_thinned_and_the_last_one_stays():
    result = fake_diagnosis()
    look = result["history"][3]
    result["history"] = [
        look | {"seconds": 60.0 * number, "lags": list(range(300)), "shares": [1.0] * 300}
        for number in range(300)
    ]
    page = page_of(result)
    section = page.source.split("<h2>Gradient during training</h2>")[1].split("</section>")[0]
    (path,) = [d for _, share, d in cells(section) if share == "100" and "H" in d]
    assert 70 < path.count("M") <= 96
    edges = [float(box.split("H")[1].split("V")[0]) for box in path.split("M")[1:]]
    assert max(edges) == 1030  # the last look reaches the end of the axis
    assert "hours of training" in section


@pytest.mark.parametrize("looks", [0, 1])
def test_fewer_than_two_looks_are_no_map(looks):
    result = fake_diagnosis()
    result["history"] = result["history"][:looks]
    assert "Gradient during training" not in page_of(result).headings
