"""Content of results.json → what the page of the report shows."""

from typing import Any

from ..results.classification import Classification, ClassifierFigures

FIGURES = ("accuracy", "accuracy_low", "accuracy_high")
FIGURES += ("macro_f1", "log_loss", "calibration_error")
SAME = ("title", "split", "num_texts", "reason", "notes", "confusion", "reliability")
SAME += ("by_length", "curves", "mistakes", "explained")


def shown(results: dict[str, Any]) -> Classification:
    """Gathers what results.json says of each model, and what the figures depend on."""
    sizes, request = results["num_texts_of"], results["request"]
    chosen = _chosen(results)
    page: Any = {name: results[name] for name in SAME}
    page |= {
        "classes": [str(name) for name in results["classes"]],
        "num_train": sizes["train"],
        "num_valid": sizes["valid"],
        "models": [_figures(results, name, name == chosen) for name in results["models"]],
        "class_words": results["class_ngrams"],
        "conditions": {key: value for key, value in request.items() if value not in (None, [], {})}
        | {name: results[name] for name in ("machine", "versions")},
    }
    return page


def _chosen(results: dict[str, Any]) -> str:
    """The mixture, unless one model has all of the weight."""
    names = list(results["models"])
    used = [name for name in names if results["weights"].get(name)]  # the mixture has none
    return used[0] if len(used) == 1 else names[-1]


def _figures(results: dict[str, Any], name: str, chosen: bool) -> ClassifierFigures:
    model: Any = {key: results["models"][name][key] for key in FIGURES}
    return model | {
        "name": name,
        "train_seconds": results["seconds"].get(name),
        "texts_per_second": results.get("texts_per_second", {}).get(name),
        "num_parameters": results.get("num_parameters", {}).get(name),
        "saved": results["saved"].get(name) if len(results["models"]) > 1 else None,
        "chosen": chosen,
    }
