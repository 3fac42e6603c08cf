"""The result of a comparison as a page."""

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Any

from ..errors import ConfigError
from ..results.comparison import ComparedModel, Comparison
from .charts import costs, learning_curves, positions
from .document import asset, document
from .parts import (
    definitions,
    duration,
    in_bytes,
    marked,
    number,
    quotation,
    rank_key,
    section,
)
from .table import ranking
from .verdict import advice, verdict


def html(comparison: Comparison) -> str:
    """Writes a comparison as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: there is no model to show.
    """
    if not comparison.models:
        raise ConfigError("models", "at least one model", "none", "Compare one or more models.")
    result = Comparison.from_json(comparison.to_json())
    models = sorted(result.models, key=rank_key)
    body = Template(asset("report/comparison.html")).substitute(
        split=escape(result.split),
        advice=advice(result.recommendation, models),
        table=ranking(models, result.baselines),
        curves=learning_curves(models, result.baselines),
        costs=costs(models),
        positions=positions(models),
        samples=_samples(models),
        reading=_reading(models[0]),
        conditions=definitions(result.conditions),
        models="".join(_details(model, rank) for rank, model in enumerate(models)),
    )
    says = verdict(models, result.baselines)
    return document("Language models compared", result.title, says, body)


def _reading(best: ComparedModel) -> str:
    """What the winner's figure means for the size of a file."""
    bits = best.bits_per_byte
    if bits is None:
        return ""
    return f"At {bits:.3f} bits, a megabyte of such text shrinks to {in_bytes(bits / 8 * 1e6)}."


def _samples(models: Sequence[ComparedModel]) -> str:
    columns = "".join(
        f"<div><h3>{marked(model.name, rank)}</h3>"
        + "".join(quotation(text) for text in model.samples)
        + "</div>"
        for rank, model in enumerate(models)
        if model.samples
    )
    body = f"<div class=samples>{columns}</div>" if columns else ""
    return section("Samples", "Written by each model, unedited.", body)


def _details(model: ComparedModel, rank: int) -> str:
    """Settings, the learning rates tried, every seed and the notes of one model."""
    rows: dict[str, Any] = {
        "saved in": model.run,
        "trained for": duration(model.train_seconds),
    }
    if len(model.seeds) > 1:
        rows["bits per byte by seed"] = ", ".join(number(bits) for bits in model.seeds)
    if model.tried_learning_rates:
        rows["learning rates tried"] = ", ".join(
            f"{rate.learning_rate:g}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}"
            f"{number(rate.bits_per_byte)}"
            for rate in model.tried_learning_rates
        )
    if model.learning_rate is not None:
        rows["learning rate"] = f"{model.learning_rate:g}"
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in model.notes)
    rows |= {key.replace("_", " "): value for key, value in model.settings.items()}
    return f"<div><h3>{marked(model.name, rank)}</h3>{notes}{definitions(rows)}</div>"
