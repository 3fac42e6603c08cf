"""The page of synthetic probes: how far each layer remembers."""

from collections.abc import Sequence

from ..errors import ConfigError
from ..results.probes import Probes, Trial
from .charts import Axis, Chart, Level, line, line_chart
from .format import MISSING, duration, number, percent
from .page import render
from .tables import Row, Table, cells, definitions
from .words import Language, Words

MOST_PERCENT = 120.0
"""Worse losses are drawn at this height."""


def html(probes: Probes, language: Language = "en") -> str:
    """Writes the trials so far as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: there is no trial to show, or no page in this language.
    """
    trials = probes.trials
    if not trials:
        raise ConfigError("trials", "at least one", "none", "Probe a layer first.")
    words = Words("probes", language)
    models = list(dict.fromkeys(row.model for row in trials))
    tasks = list(dict.fromkeys(row.task for row in trials))
    settings = {
        words.name(name): words("default") if value is None else value
        for name, value in probes.settings.items()
    }
    return render(
        "probes",
        words,
        title=words("title"),
        verdict=verdict(trials, words),
        reached=_reached(trials, tasks, models, words),
        pictures=[(task, *_picture(task, trials, models, words)) for task in tasks],
        trials=_trials(trials, models, words),
        conditions=definitions(settings),
    )


def verdict(trials: Sequence[Trial], words: Words) -> str:
    """For each task the layers that reached the greatest length, in a sentence."""
    said = []
    for task in dict.fromkeys(row.task for row in trials):
        rows = [row for row in trials if row.task == task]
        longest = max((row.length for row in rows if row.solved), default=None)
        if longest is None:
            said.append(words("unsolved", task=task, length=min(row.length for row in rows)))
        else:
            best = [row.model for row in rows if row.solved and row.length == longest]
            said.append(words("solved", task=task, length=longest, models=_listed(best, words)))
    text = words("next task").join(said) + words("stop")
    return text[0].upper() + text[1:]


def reached(trials: Sequence[Trial], task: str, model: str) -> int | None:
    """The longest length that a layer has solved."""
    rows = (row for row in trials if (row.task, row.model) == (task, model))
    return max((row.length for row in rows if row.solved), default=None)


def score(trial: Trial, language: Language = "en") -> str:
    """A score in the form that fits its measure."""
    return _form(trial, trial.score, language)


def _form(trial: Trial, value: float | None, language: Language) -> str:
    return percent(value, language) if trial.measure == "accuracy" else number(value, ".2g")


def _listed(names: Sequence[str], words: Words) -> str:
    if len(names) == 1:
        return names[0]
    return words("comma").join(names[:-1]) + words("and") + names[-1]


def _reached(
    trials: Sequence[Trial], tasks: Sequence[str], models: Sequence[str], words: Words
) -> Table:
    asked = {(row.task, row.model) for row in trials}
    rows = []
    for rank, model in enumerate(models):
        lengths = [
            (reached(trials, task, model) or MISSING) if (task, model) in asked else ""
            for task in tasks
        ]
        rows.append(Row(model, cells(lengths), rank))
    return Table([words("layer"), *tasks], rows)


def _picture(
    task: str, trials: Sequence[Trial], models: Sequence[str], words: Words
) -> tuple[str, Chart | None]:
    """How to read it, and score against length as a percentage whatever the measure."""
    rows = [row for row in trials if row.task == task]
    lines = [
        line(
            name,
            rank,
            sorted(
                (row.length, min(_percentage(row, row.score), MOST_PERCENT))
                for row in rows
                if row.model == name and row.score is not None
            ),
        )
        for rank, name in enumerate(models)
    ]
    levels = [
        Level(words("goal"), _percentage(rows[0], rows[0].goal)),
        Level(words("chance"), _percentage(rows[0], rows[0].chance)),
    ]
    settled = [y for row in lines for _, y in row.points] + [level.y for level in levels]
    measure = rows[0].measure
    heading = words(f"heading {measure}")
    axes = Axis(words("length"), is_log=True), Axis(heading)
    better = words(f"better {measure}")
    lead = words("picture, how", shows=words(f"shows {task}"), better=better)
    return lead, line_chart(heading, axes, lines, settled, levels=levels)


def _percentage(row: Trial, value: float) -> float:
    return 100 * value / (row.chance if row.measure == "loss" else 1.0)


def _trials(trials: Sequence[Trial], models: Sequence[str], words: Words) -> Table:
    """Every trial with its figures."""
    language = words.language
    rows = []
    for row in trials:
        figures = (
            *(row.task, row.length, score(row, language), _form(row, row.chance, language)),
            *(words("yes" if row.solved else "no"), f"{row.num_parameters:,}"),
            *(f"{row.state_size:,}", f"{row.learning_rate:.2g}", f"{row.steps:,}"),
            *(duration(row.seconds, language), duration(row.allowed, language)),
        )
        rows.append(Row(row.model, cells(figures), models.index(row.model)))
    keys = ("layer", "task", "T", "score", "chance", "is solved", "parameters", "state")
    keys += ("rate", "steps", "time", "of")
    return Table([words(key) for key in keys], rows)
