"""The result of synthetic probes as a page: how far each layer remembers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import ConfigError
from ..results.probes import Probes, Trial
from .document import document
from .parts import (
    MISSING,
    NUM_COLOURS,
    columns,
    definitions,
    duration,
    marked,
    number,
    percent,
    section,
    table,
)
from .uplot_charts import Level, Series, chart, side_by_side

QUESTIONS = {
    "adding": "Adding: the sum of two marked numbers among T",
    "copy": "Copy memory: ten symbols, repeated after T steps",
    "selective-copy": "Selective copy: sixteen symbols amid noise over T steps, repeated in order",
    "recall": "Associative recall: T / 8 pairs of key and value, then keys alone, T steps in all",
    "parity": "Parity: whether the number of ones among T bits so far is odd",
}
ASKED = {
    "adding": "it carries two numbers over time and adds them",
    "copy": "it keeps a whole message through a long wait",
    "selective-copy": "it chooses by content what to keep",
    "recall": "it finds one of many things it has stored, for which the size of the state decides",
    "parity": "it can switch a state on and off, which neither sums nor fading memories can",
}
REACHED = """The longest sequence that each layer has solved within its time, all of them with about
as many parameters and a learning rate searched for each; – means not even the shortest."""
TRIALS = """Every trial: what it scored on sequences it had not seen, and what that took."""
CONDITIONS = "Everything that these figures depend on."


def html(probes: Probes) -> str:
    """Writes the trials so far as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: there is no trial to show.
    """
    trials = Probes.from_json(probes.to_json()).trials
    if not trials:
        raise ConfigError("trials", "at least one", "none", "Probe a layer first.")
    models = list(dict.fromkeys(row.model for row in trials))
    tasks = list(dict.fromkeys(row.task for row in trials))
    conditions: dict[str, Any] = {
        name: "default" if value is None else value for name, value in probes.settings.items()
    }
    sections = (
        section("How far each layer remembers", REACHED, _reached(trials, tasks, models)),
        *(_picture(task, [row for row in trials if row.task == task], models) for task in tasks),
        section("Trials", TRIALS, _figures(trials, models)),
        section("Conditions", CONDITIONS, definitions(conditions)),
    )
    title = "What each layer can remember"
    return document("Synthetic probes", title, verdict(trials), "\n".join(sections))


def verdict(trials: Sequence[Trial]) -> str:
    """For each task the layers that reached the greatest length, in a sentence."""
    said = []
    for task in dict.fromkeys(row.task for row in trials):
        rows = [row for row in trials if row.task == task]
        longest = max((row.length for row in rows if row.solved), default=None)
        if longest is None:
            said.append(f"nothing solves {task} at {min(row.length for row in rows)}")
            continue
        best = [row.model for row in rows if row.solved and row.length == longest]
        said.append(f"{task} is solved up to {longest} by {_listed(best)}")
    text = "; ".join(said) + "."
    return text[0].upper() + text[1:]


def reached(trials: Sequence[Trial], task: str, model: str) -> int | None:
    """The longest length that a layer has solved."""
    rows = (row for row in trials if (row.task, row.model) == (task, model))
    return max((row.length for row in rows if row.solved), default=None)


def score(trial: Trial) -> str:
    """A score in the form that fits its measure."""
    if trial.measure == "accuracy":
        return percent(trial.score)
    return number(trial.score, ".2g")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _reached(trials: Sequence[Trial], tasks: Sequence[str], models: Sequence[str]) -> str:
    rows = ""
    for rank, model in enumerate(models):
        cells = ""
        for task in tasks:
            asked = any((row.task, row.model) == (task, model) for row in trials)
            length = reached(trials, task, model)
            cells += f"<td>{(length or MISSING) if asked else ''}</td>"
        rows += f"<tr><th scope=row>{marked(model, rank)}</th>{cells}</tr>"
    return table(columns(("layer", *tasks)), rows)


def _picture(task: str, rows: Sequence[Trial], models: Sequence[str]) -> str:
    """Score against length; the axis is a percentage whatever the measure."""
    loss = rows[0].measure == "loss"
    lines = [line for rank, name in enumerate(models) if (line := _line(name, rank, rows))["x"]]
    levels: list[Level] = [
        {"name": "solved", "colour": None, "y": _percentage(rows[0], rows[0].goal)},
        {"name": "chance", "colour": None, "y": _percentage(rows[0], rows[0].chance)},
    ]
    heading = "Loss, % of what chance pays" if loss else "Right answers, %"
    shown = [*(y for line in lines for y in line["y"]), *(level["y"] for level in levels)]
    picture = chart(heading, "length T", "log", lines, shown, levels)
    better = "the lower" if loss else "the higher"
    lead = f"Whoever solves it shows that {ASKED[task]}: {better} a line, the better, and it ends "
    lead += "at the length where its layer fails."
    return section(QUESTIONS[task], lead, side_by_side(picture))


def _line(name: str, rank: int, rows: Sequence[Trial]) -> Series:
    """A line, or a point where there is only one length."""
    points = sorted(
        (row.length, min(_percentage(row, row.score), 120.0))
        for row in rows
        if row.model == name and row.score is not None
    )
    return {
        "name": name,
        "colour": rank % NUM_COLOURS,
        "kind": "line" if len(points) > 1 else "points",
        "x": [float(length) for length, _ in points],
        "y": [value for _, value in points],
    }


def _percentage(row: Trial, value: float) -> float:
    return 100 * value / (row.chance if row.measure == "loss" else 1.0)


def _figures(trials: Sequence[Trial], models: Sequence[str]) -> str:
    headings = ("layer", "task", "T", "score", "chance", "solved", "parameters", "state")
    rows = ""
    for row in trials:
        cells = (
            *(row.task, row.length, score(row), score(replace(row, score=row.chance))),
            *("yes" if row.solved else "no", f"{row.num_parameters:,}"),
            *(f"{row.state_size:,}", f"{row.learning_rate:.2g}", f"{row.steps:,}"),
            *(duration(row.seconds), duration(row.allowed)),
        )
        name = marked(row.model, models.index(row.model))
        rows += f"<tr><th scope=row>{name}</th>"
        rows += "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    return table(columns((*headings, "rate", "steps", "time", "of")), rows)
