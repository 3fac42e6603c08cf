"""The pictures of docs/figures: charts as SVG, drawn by vl-convert, which is of the group "dev"."""

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from unrolled.report.charts import Chart

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif"
REPORT = files("unrolled.report")


def save(charts: Sequence[Chart | None], path: Path, width: int = 560) -> None:
    """Writes charts beside each other as one SVG, in the light colours of the pages.

    The same charts give the same file.

    Args:
        charts: Their notes stand below their headings.
        width: Of each, in pixels.
    """
    import vl_convert

    sets: dict[str, Any] = {}
    panels = []
    for number, chart in enumerate(chart for chart in charts if chart):
        for name, rows in chart.spec["datasets"].items():
            sets[f"{name}{number}"] = rows
        layers = [
            layer | {"data": {"name": f"{layer['data']['name']}{number}"}}
            for layer in chart.spec["layer"]
            if "params" not in layer  # nothing moves under the pointer
        ]
        title = {"text": chart.title, "subtitle": chart.note}
        panels.append({"width": width, "height": 320, "title": title, "layer": layers})
    spec = {"hconcat": panels, "datasets": sets}
    svg = vl_convert.vegalite_to_svg(spec, vl_version="6.4", config=theme())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg, "utf-8")
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def theme() -> dict[str, Any]:
    """theme.json with the first, light colours of page.css."""
    style = REPORT.joinpath("templates/page.css").read_text("utf-8").split("@media")[0]
    colours = dict(re.findall(r"(--\w+): (#\w+)", style)) | {"--font": FONT}
    text = REPORT.joinpath("theme.json").read_text("utf-8")
    config = json.loads(re.sub(r"var\((--\w+)\)", lambda name: colours[name[1]], text))
    config["style"]["label"]["limit"] = 0  # there is room for whole names
    return config | {"background": colours["--page"], "autosize": "pad", "padding": 12}
