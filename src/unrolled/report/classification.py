"""The result of a trained text classifier as a page."""

from html import escape
from typing import Any

from ..results.classification import Classification
from .classification_charts import curves, lengths, reliability
from .classification_table import ClassifierFigures, models_of, models_table
from .confusion import confusion
from .document import document
from .old_explained import class_words, explanations, mistakes
from .old_explained import explained_page as explained_page
from .parts import definitions, percent, section

BASELINE = "linear"
SPLITS = {"valid": "validation"}
CONDITIONS = "Everything that these figures depend on."


def html(result: Classification) -> str:
    """Writes what a classifier is worth as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.
    """
    result = Classification.from_json(result.to_json())
    models = models_of(result)
    sections = (
        models_table(models),
        confusion([str(name) for name in result.classes], result.confusion),
        reliability(result.reliability),
        curves(models, result.curves),
        lengths(models, result.by_length),
        class_words(result.class_ngrams),
        mistakes(result.mistakes),
        explanations(result.explained),
        _conditions(result),
    )
    return document("Text classifier", result.title, _verdict(result, models), "\n".join(sections))


def _verdict(result: Classification, models: list[ClassifierFigures]) -> str:
    """Accuracy of the chosen model in words, beside the baseline, and why it was chosen."""
    chosen = next(model for model in models if model.chosen)
    split = SPLITS.get(result.split, result.split)
    said = f"{percent(chosen.accuracy)} of {result.num_texts:,} {split} texts "
    said += "are put in their right class"
    if chosen.accuracy_low is not None:
        low, high = percent(chosen.accuracy_low), percent(chosen.accuracy_high)
        said += f" (95\N{NO-BREAK SPACE}% interval {low} to {high})"
    return f"{said}{_beside(chosen, models)}. {reason(result)}"


def _beside(chosen: ClassifierFigures, models: list[ClassifierFigures]) -> str:
    """How far the chosen model is from the baseline, in the digits that the page shows."""
    baseline = next((model for model in models if model.name == BASELINE), chosen)
    if chosen.accuracy is None or baseline.accuracy is None:
        return ""
    if baseline is chosen:
        return " by the linear baseline itself"
    gap = round(100 * chosen.accuracy, 1) - round(100 * baseline.accuracy, 1)
    alone = f"the linear baseline ({percent(baseline.accuracy)})"
    if abs(gap) < 0.05:
        return f", as many as by {alone}"
    said = f", {abs(gap):.1f} points {'more' if gap > 0 else 'fewer'} than by {alone}"
    return f"{said}; the intervals overlap" if _overlap(chosen, baseline) else said


def _overlap(one: ClassifierFigures, other: ClassifierFigures) -> bool:
    lows = [low for row in (one, other) if (low := row.accuracy_low) is not None]
    highs = [high for row in (one, other) if (high := row.accuracy_high) is not None]
    return len(lows) == len(highs) == 2 and max(lows) <= min(highs)


def _conditions(result: Classification) -> str:
    rows: dict[str, Any] = {
        "training texts": result.num_texts_of["train"],
        "validation texts": result.num_texts_of["valid"],
    }
    if result.split != "valid":
        rows[f"{result.split} texts"] = result.num_texts
    asked = {key: value for key, value in result.request.items() if value not in (None, [], {})}
    conditions = asked | {"machine": result.machine, "versions": result.versions}
    rows["classes"] = len(result.classes)
    rows |= {key.replace("_", " "): v for key, v in conditions.items()}
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in result.notes)
    return section("Conditions", CONDITIONS, definitions(rows) + notes)


def reason(result: Classification) -> str:
    """Which model won, in words."""
    if len(result.weights) == 1:
        return "Only the linear model was trained."
    used = [name for name, weight in result.weights.items() if weight]
    if len(used) == 1:
        return f"The {used[0]} model alone: beside it no other helps on held-out texts."
    return (
        f"The mixture of {', '.join(used[:-1])} and {used[-1]}: each of them makes it better on "
        "held-out texts."
    )
