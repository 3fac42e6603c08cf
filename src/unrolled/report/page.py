"""The result of a comparison as one HTML file that loads nothing.

Style, script and data are inside it, and its content security policy forbids everything else:
a sample text that looks like a script stays text.
"""

import math
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from ..errors import ConfigError
from .charts import costs, learning_curves, positions
from .comparison import ComparedModel, Comparison
from .parts import definitions, duration, in_bytes, marked, number, rank_key, section
from .table import ranking
from .verdict import advice, verdict


def html(comparison: Comparison) -> str:
    """Writes a comparison as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: there is no model to show.
    """
    if not comparison["models"]:
        raise ConfigError("models", "at least one model", "none", "Compare one or more models.")
    result: Comparison = _finite(comparison)
    models = sorted(result["models"], key=rank_key)
    library = [_asset(f"vendor/uplot/{name}") for name in ("LICENSE", "uPlot.iife.min.js")]
    script = "/*\n{}\n*/\n{}".format(*library) + _asset("report/page.js")
    page = Template(_asset("report/page.html")).substitute(
        title=escape(result["title"]),
        style=_asset("vendor/uplot/uPlot.min.css") + _asset("report/page.css"),
        script=script,
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        split=escape(result["split"]),
        verdict=escape(verdict(models, result["baselines"])),
        advice=advice(result["recommendation"], models),
        table=ranking(models, result["baselines"]),
        curves=learning_curves(models, result["baselines"]),
        costs=costs(models),
        positions=positions(models),
        samples=_samples(models),
        reading=_reading(models[0]),
        conditions=definitions(result["conditions"]),
        models="".join(_details(model, rank) for rank, model in enumerate(models)),
    )
    return page.encode("utf-8", "replace").decode()  # a lone surrogate cannot be saved


def _asset(name: str) -> str:
    return files("unrolled").joinpath(name).read_text(encoding="utf-8")


def _finite(value: Any) -> Any:
    """Makes every figure that is not finite a missing one: JSON and readers know no NaN."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _reading(best: ComparedModel) -> str:
    """What the winner's figure means for the size of a file."""
    bits = best["bits_per_byte"]
    if bits is None:
        return ""
    return f"At {bits:.3f} bits, a megabyte of such text shrinks to {in_bytes(bits / 8 * 1e6)}."


def _samples(models: Sequence[ComparedModel]) -> str:
    columns = "".join(
        f"<div><h3>{marked(model['name'], rank)}</h3>"
        + "".join(
            f'<pre dir=auto lang="{_language(text)}">{escape(text)}</pre>'
            for text in model["samples"]
        )
        + "</div>"
        for rank, model in enumerate(models)
        if model["samples"]
    )
    body = f"<div class=samples>{columns}</div>" if columns else ""
    return section("Samples", "Written by each model, unedited.", body)


def _language(text: str) -> str:
    """The language tag that picks the right glyphs of Han characters; empty means unknown."""
    if any("\u3040" <= letter <= "\u30ff" for letter in text):
        return "ja"
    return "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in text) else ""


def _details(model: ComparedModel, rank: int) -> str:
    """Settings, the learning rates tried, every seed and the notes of one model."""
    rows: dict[str, Any] = {
        "saved in": model["run"],
        "trained for": duration(model["train_seconds"]),
    }
    if len(model["seeds"]) > 1:
        rows["bits per byte by seed"] = ", ".join(number(bits) for bits in model["seeds"])
    if model["tried_learning_rates"]:
        rows["learning rates tried"] = ", ".join(
            f"{rate['learning_rate']:g}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}"
            f"{number(rate['bits_per_byte'])}"
            for rate in model["tried_learning_rates"]
        )
    if model["learning_rate"] is not None:
        rows["learning rate"] = f"{model['learning_rate']:g}"
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in model["notes"])
    rows |= {key.replace("_", " "): value for key, value in model["settings"].items()}
    return f"<div><h3>{marked(model['name'], rank)}</h3>{notes}{definitions(rows)}</div>"
