"""Trying the remedies: short trainings, the same time for each, on the model's own text."""

import math
import time
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .checkpoint import Run, load
from .config import (
    Budget,
    DataConfig,
    RecurrentConfig,
    TrainConfig,
    data_config_from_dict,
    train_config_from_dict,
)
from .diagnosis.flow import WARM_UP, gradient_flow, longest, text_windows
from .diagnosis.memory import measure_memory
from .errors import ConfigError
from .evaluation import evaluate
from .fit import Listener
from .models.recurrent import RecurrentModel
from .prepared import PreparedText
from .remedies import Remedy, remedies
from .report.diagnosis_result import Cure, Tried
from .training import TrainRequest, train

SHORTEST_SECONDS = 5.0
"""A training shorter than this shows nothing."""
MEMORY_TARGETS = 400
"""Tokens that each trial's used memory is measured on."""
UNTREATED = "untreated"
SIZES = ("embedding_size", "hidden_size", "num_layers", "connections")
"""What a preset would choose anew; of the rest only what is not the default is taken over."""
OWN = ("learning_rate",)
"""Settings that each architecture has its own of."""


def cure(run: Run, text: PreparedText, out: Path, budget: Budget, listener: Listener) -> Cure:
    """Trains the model as it is, then with one remedy at a time, and ranks what they changed.

    Every training starts anew, from the same seed, with the same share of the budget: a remedy
    that makes steps slower pays for it. They are ranked by bits per byte of the validation split;
    the test split, where there is one, is scored for the untreated and the best one alone.

    Args:
        run: A recurrent run; its settings are those of the untreated model.
        text: The text that it was trained on.
        out: Gets a run folder for each trial.
        budget: Of all trials together where it is a time, else of each.
        listener: Hears the records of all trainings; "run" names the remedy.

    Raises:
        ConfigError: the model is not recurrent, or the budget is too short.
    """
    model, settings = run.model_config, train_config_from_dict(run.config["train"])
    if not isinstance(model, RecurrentConfig):
        raise ConfigError("model", "a recurrent one", model.kind, "Leave --cure out.")
    chosen = remedies(model, settings)
    valid_only = {name: info for name, info in text.store.splits.items() if name != "test"}
    shown = replace(text, store=replace(text.store, splits=valid_only))
    began = time.monotonic()
    _measure(run, shown, None, run.config["results"])  # the first time is for the clock
    share = _share(budget, len(chosen) + 1, time.monotonic() - began)

    def tried(remedy: Remedy | None) -> tuple[Tried, Path]:
        name = remedy.name if remedy else UNTREATED
        folder = out / name.replace(" ", "-")
        request = _request(run, model, settings, share, remedy)

        def hear(record: dict[str, Any]) -> None:
            listener({**record, "run": name})

        config = train(folder, request, hear, text=shown)
        return _measure(load(folder), shown, remedy, config["results"]), folder

    untreated, first = tried(None)
    rows = [tried(remedy) for remedy in chosen]
    for row, _ in rows:
        if row["bits_per_byte"] is not None and untreated["bits_per_byte"] is not None:
            row["gain"] = untreated["bits_per_byte"] - row["bits_per_byte"]
    rows.sort(key=lambda row: -math.inf if row[0]["gain"] is None else row[0]["gain"], reverse=True)
    test = None
    if "test" in text.store.splits and rows:
        test = {UNTREATED: _test_bits(first, text), "best": _test_bits(rows[0][1], text)}
    return {
        "budget": f"{budget} in all" if budget.unit == "seconds" else f"{budget} each",
        "untreated": untreated,
        "tried": [row for row, _ in rows],
        "test": test,
    }


def _share(budget: Budget, number: int, measuring_seconds: float) -> Budget:
    """The budget of each training: an even part, less what measuring it takes."""
    if budget.unit != "seconds":
        return budget
    share = (budget.amount - measuring_seconds) / number - measuring_seconds
    if share < SHORTEST_SECONDS:
        least = math.ceil(number * (measuring_seconds + SHORTEST_SECONDS) + measuring_seconds)
        rule = f"at least {least}s for {number} trainings"
        raise ConfigError("cure", rule, budget, "Give more time, or a number of tokens.")
    return Budget(share, "seconds")


def _request(
    run: Run, model: RecurrentConfig, settings: TrainConfig, share: Budget, remedy: Remedy | None
) -> TrainRequest:
    default = RecurrentConfig(kind=model.kind)
    from_run = {
        key: value
        for key, value in asdict(model).items()
        if key != "kind" and (key in SIZES or value != getattr(default, key))
    }
    train_settings = {key: value for key, value in vars(settings).items() if key != "budget"}
    seed = train_settings.pop("seed")
    data = text_of(run)
    if remedy is not None and remedy.kind is not None:
        # Another architecture comes with its own preset, at the same width.
        kept = {key: value for key, value in train_settings.items() if key not in OWN}
        names = () if remedy.kind == "transformer" else ("hidden_size", "embedding_size")
        sizes = {name: from_run[name] for name in names}
        return TrainRequest(remedy.kind, data, "small", share, seed, sizes, kept)
    if remedy is not None:
        from_run |= remedy.model
        train_settings |= remedy.train
    return TrainRequest(model.kind, data, "medium", share, seed, from_run, train_settings)


def text_of(run: Run) -> DataConfig:
    """The text settings that a run was trained with."""
    return data_config_from_dict(run.config["data"])


def _measure(run: Run, text: PreparedText, remedy: Remedy | None, results: dict[str, Any]) -> Tried:
    tokens, split = text.store.tokens("valid"), text.store.split("valid")
    flow = None
    if isinstance(run.model, RecurrentModel):
        flow = longest(gradient_flow(deepcopy(run.model).double(), text_windows(tokens), WARM_UP))
    memory = measure_memory(
        run.model_config.kind, run.model, tokens, split, num_targets=MEMORY_TARGETS
    )
    bits = results["bits_per_byte"]
    return {
        "name": remedy.name if remedy else UNTREATED,
        "flags": remedy.flags if remedy else "",
        "source": remedy.source if remedy else "",
        "bits_per_byte": bits if math.isfinite(bits) else None,
        "gain": None,
        "half_life": flow and flow["half_life"],
        "horizon": flow and flow["horizon"],
        "effective": memory["effective"],
        "tokens_per_second": results["train_tokens_per_second"],
    }


def _test_bits(folder: Path, text: PreparedText) -> float:
    return evaluate(load(folder).model, text.store, "test").bits_per_byte
