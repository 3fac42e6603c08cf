"""The result of a trained text classifier as a page."""

from html import escape
from typing import Any

from ..errors import ConfigError
from ..results.classification import Classification, ClassifierFigures
from .classification_charts import curves, lengths, reliability
from .classification_table import models_table
from .confusion import confusion
from .document import document
from .explained import class_words, explanations, mistakes
from .explained import explained_page as explained_page
from .parts import definitions, finite, percent, section

BASELINE = "linear"
SPLITS = {"valid": "validation"}
CONDITIONS = "Everything that these figures depend on."


def html(result: Classification) -> str:
    """Writes what a classifier is worth as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: not exactly one model is chosen.
    """
    result = finite(result)
    num_chosen = sum(model["chosen"] for model in result["models"])
    if num_chosen != 1:
        remedy = "Mark the model that classifies."
        raise ConfigError("models", "a list with exactly one chosen model", num_chosen, remedy)
    sections = (
        models_table(result["models"]),
        confusion(result["classes"], result.get("confusion") or []),
        reliability(result.get("reliability") or []),
        curves(result["models"], result.get("curves") or {}),
        lengths(result["models"], result.get("by_length") or []),
        class_words(result.get("class_words") or {}),
        mistakes(result.get("mistakes") or []),
        explanations(result.get("explained") or []),
        _conditions(result),
    )
    return document("Text classifier", result["title"], _verdict(result), "\n".join(sections))


def _verdict(result: Classification) -> str:
    """Accuracy of the chosen model in words, beside the baseline, and why it was chosen."""
    chosen = next(model for model in result["models"] if model["chosen"])
    split = SPLITS.get(result["split"], result["split"])
    said = f"{percent(chosen['accuracy'])} of {result['num_texts']:,} {split} texts "
    said += "are put in their right class"
    if chosen["accuracy_low"] is not None:
        low, high = percent(chosen["accuracy_low"]), percent(chosen["accuracy_high"])
        said += f" (95\N{NO-BREAK SPACE}% interval {low} to {high})"
    return f"{said}{_beside(chosen, result['models'])}. {result['reason']}"


def _beside(chosen: ClassifierFigures, models: list[ClassifierFigures]) -> str:
    """How far the chosen model is from the baseline, in the digits that the page shows."""
    baseline = next((model for model in models if model["name"] == BASELINE), chosen)
    if chosen["accuracy"] is None or baseline["accuracy"] is None:
        return ""
    if baseline is chosen:
        return " by the linear baseline itself"
    gap = round(100 * chosen["accuracy"], 1) - round(100 * baseline["accuracy"], 1)
    alone = f"the linear baseline ({percent(baseline['accuracy'])})"
    if abs(gap) < 0.05:
        return f", as many as by {alone}"
    said = f", {abs(gap):.1f} points {'more' if gap > 0 else 'fewer'} than by {alone}"
    return f"{said}; the intervals overlap" if _overlap(chosen, baseline) else said


def _overlap(one: ClassifierFigures, other: ClassifierFigures) -> bool:
    lows = [low for row in (one, other) if (low := row["accuracy_low"]) is not None]
    highs = [high for row in (one, other) if (high := row["accuracy_high"]) is not None]
    return len(lows) == len(highs) == 2 and max(lows) <= min(highs)


def _conditions(result: Classification) -> str:
    rows: dict[str, Any] = {
        "training texts": result["num_train"],
        "validation texts": result["num_valid"],
    }
    if result["split"] != "valid":
        rows[f"{result['split']} texts"] = result["num_texts"]
    rows["classes"] = len(result["classes"])
    rows |= {key.replace("_", " "): v for key, v in (result.get("conditions") or {}).items()}
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in result.get("notes") or [])
    return section("Conditions", CONDITIONS, definitions(rows) + notes)
