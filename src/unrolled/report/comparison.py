"""The page of a comparison: which model to take, and everything that speaks for it."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import ConfigError
from ..results.comparison import Advice, Baseline, ComparedModel, Comparison, Difference
from .charts import Axis, Chart, Level, line, line_chart, point_chart
from .format import (
    MISSING,
    SPACE,
    duration,
    in_bytes,
    is_known,
    number,
    percent,
    perplexity,
    rank_key,
    rank_order,
    scaled,
)
from .page import render
from .tables import Cell, Column, Row, Table, barred, definitions
from .words import Language, Words


def html(comparison: Comparison, language: Language = "en") -> str:
    """Writes a comparison as a page.

    Returns:
        One self-contained HTML document; the same input gives the same text.

    Raises:
        ConfigError: there is no model to show, or no page in this language.
    """
    if not comparison.models:
        raise ConfigError("models", "at least one model", "none", "Compare one or more models.")
    words = Words("comparison", language)
    models = sorted(comparison.models, key=rank_order)
    ranks = {model.name: rank for rank, model in reversed(list(enumerate(models)))}
    return render(
        "comparison",
        words,
        title=comparison.title,
        verdict=" ".join(
            filter(
                None,
                (
                    cut_short(comparison, words),
                    verdict(models, comparison.baselines, words),
                    unranked(models, words),
                    disturbed(comparison, words),
                ),
            )
        ),
        advice=[
            (row, ranks.get(row.model), reason(row, words)) for row in comparison.recommendation
        ],
        command=f"unrolled generate {shlex.quote(models[0].run)}",
        split=words.split(comparison.split),
        ranking=_ranking(models, comparison.baselines, words),
        is_closed=any(model.closed_vocabulary for model in models),
        curves=_curves(models, comparison.baselines, words),
        costs=_costs(models, words),
        positions=_positions(models, words),
        models=models,
        megabyte=_megabyte(models[0], words),
        conditions=_named(comparison.conditions, words),
        settings=[_settings(model, words) for model in models],
    )


def verdict(models: Sequence[ComparedModel], baselines: Sequence[Baseline], words: Words) -> str:
    """Says in one sentence who won, by how much, and how sure that is.

    Args:
        models: The best first.
    """
    models = [model for model in models if model.doubt is None]
    bits = models[0].bits_per_byte if models else None
    if not is_known(bits):
        return words("verdict none" if models else "verdict untrained")
    best = models[0]
    said: dict[str, Any] = {"best": best.name, "bits": bits}
    floor = min(baselines, key=rank_key, default=None)
    floor_bits = rank_key(floor) if floor else bits
    if floor and floor_bits < bits:
        return words("verdict baseline", floor=floor.name, floor_bits=floor_bits, **said)
    margins = [(floor.name, f"{floor_bits - bits:.3f}")] if floor else []
    claim = "verdict one"
    if len(models) > 1 and is_known(second_bits := models[1].bits_per_byte):
        second = models[1]
        if second.behind is not None and second.behind.is_tie:
            level = [model.name for model in models[1:] if model.behind and model.behind.is_tie]
            said |= {"others": words("list separator").join(level), "gap": gap_of(second.behind)}
            return words("verdict level", **said)
        claim = "verdict best"
        gap = gap_of(second.behind) if second.behind else f"{second_bits - bits:.3f}"
        margins.insert(0, (second.name, gap))
    keys = ("verdict less", "verdict less too")
    lead = "".join(words(k, other=o, gap=g) for k, (o, g) in zip(keys, margins, strict=False))
    return words(claim, **said) + lead + words("stop")


def gap_of(difference: Difference) -> str:
    """A difference with its 95 % interval: "0.041 ± 0.006"."""
    return f"{difference.bits_per_byte:.3f} ± {number(difference.margin)}"


def cut_short(comparison: Comparison, words: Words) -> str:
    """Says how far the networks came where the comparison was stopped; empty where it was not."""
    if comparison.cut_short is None:
        return ""
    return words("cut short", share=percent(comparison.cut_short, words.language))


def disturbed(comparison: Comparison, words: Words) -> str:
    """Says how much other programs took while the networks trained; empty where it was little."""
    found = comparison.disturbance
    if found is None:
        return ""
    shares = {"share": percent(found.share, words.language)}
    shares["most"] = percent(found.most, words.language)
    return words("disturbed", model=found.model, **shares)


def unranked(models: Sequence[ComparedModel], words: Words) -> str:
    """Says which models are not ranked, and why; empty where all are."""
    doubtful = [f"{model.name} ({_doubt(model, words)})" for model in models if model.doubt]
    if not doubtful:
        return ""
    return words("unranked", models=words("list separator").join(doubtful))


def _doubt(model: ComparedModel, words: Words) -> str:
    return words(f"doubt {model.doubt}", updates=model.num_updates) if model.doubt else ""


def reason(advice: Advice, words: Words) -> str:
    """Says in one sentence why a model is the one to take for a purpose."""
    clauses = {"quality": _quality, "speed": _speed, "size": _size, "length": _length}
    said = clauses[advice.purpose](advice, words)
    if advice.cost is not None:
        said += words("why: cost", cost=advice.cost)
    elif advice.has_no_equal:
        said += words("why: no equal")
    return said + words("stop")


def _quality(advice: Advice, words: Words) -> str:
    said = words("why quality", figure=advice.figure)
    if advice.rival is not None and advice.rival_figure is not None:
        behind, is_tie = advice.behind, advice.behind is not None and advice.behind.is_tie
        gap = gap_of(behind) if behind else f"{advice.rival_figure - advice.figure:.3f}"
        key = "why quality: level" if is_tie else "why quality: less"
        said += words(key, rival=advice.rival, gap=gap)
        said += words("why quality: ngram") if advice.model == "ngram" else ""
    return said


def _speed(advice: Advice, words: Words) -> str:
    said = words("why speed", figure=advice.figure)
    if advice.rival_figure:
        said += words(
            "why speed: times", times=advice.figure / advice.rival_figure, rival=advice.rival
        )
    return said


def _size(advice: Advice, words: Words) -> str:
    said = words("why size", megabytes=advice.figure / 1e6)
    if advice.rival_figure is not None:
        said += words("why size: rival", rival=advice.rival, megabytes=advice.rival_figure / 1e6)
    return said


def _length(advice: Advice, words: Words) -> str:
    said = words("why length", position=advice.position, figure=advice.figure)
    if advice.near_figure is not None:
        change = advice.near_figure - advice.figure
        key = "why length: lowers" if change >= 0 else "why length: raises"
        values = {"near": advice.near_position, "position": advice.position}
        said += words(key, change=abs(change), **values)
    return said


def _columns(words: Words) -> list[Column]:
    """The figures of the table; one where more is better is a speed and has bars."""
    return [
        Column("perplexity", words("perplexity"), perplexity, min),
        Column("perplexity_per_word", words("perplexity_per_word"), perplexity, min),
        Column("num_parameters", words("parameters"), scaled, min),
        Column("train_tokens_per_second", words("train_tokens_per_second"), scaled, max),
        Column("score_tokens_per_second", words("score_tokens_per_second"), scaled, max),
        Column("generate_tokens_per_second", words("generate_tokens_per_second"), scaled, max),
        Column("peak_bytes", words("peak_bytes"), in_bytes, min),
        Column("file_bytes", words("file_bytes"), in_bytes, min),
    ]


def _ranking(models: Sequence[ComparedModel], baselines: Sequence[Baseline], words: Words) -> Table:
    """Models and baselines by rank; columns without any figure are left out."""
    columns = [column for column in _columns(words) if column.known(models)]
    figures = [row.bits_per_byte for row in (*models, *baselines)]
    longest = max(filter(is_known, figures), default=0.0)
    rows: list[tuple[tuple[bool, float], Row]] = []
    for rank, model in enumerate(models):
        bits = number(model.bits_per_byte)
        bits = barred(model.bits_per_byte, longest, bits, rank, behind_best(model, words))
        cells = [_figure(model, column, column.best_of(models), rank) for column in columns]
        row = Row(model.name, [bits, *cells], rank, small=_doubt(model, words))
        rows.append((rank_order(model), row))
    for row in baselines:
        bits = barred(row.bits_per_byte, longest, number(row.bits_per_byte), None)
        empty = [Cell("")] * len(columns)
        rows.append(((False, rank_key(row)), Row(row.name, [bits, *empty], kind="baseline")))
    rows.sort(key=lambda pair: pair[0])
    headings = [words("model"), words("bits per byte"), *(column.heading for column in columns)]
    return Table(headings, [row for _, row in rows], barred=[words("bits per byte")])


def plain_ranking(comparison: Comparison, words: Words) -> Table:
    """The same without pictures: the differences to the best are a column, ties are bold too."""
    table = _ranking(comparison.models, comparison.baselines, words)
    bold = _best_and_ties(comparison, table.rows)
    has_gaps = any(row.cells[0].small for row in table.rows)
    rows = []
    for row in table.rows:
        bits, *others = row.cells
        gap = [Cell(bits.small)] * has_gaps
        rows.append(replace(row, cells=[Cell(bits.text, is_best=row.name in bold), *gap, *others]))
    name, heading, *headings = table.headings
    gaps = [words("behind best")] * has_gaps
    return Table([name, heading, *gaps, *headings], rows)


def _best_and_ties(comparison: Comparison, rows: Sequence[Row]) -> set[str]:
    """Names of the first and of what cannot be told apart from it; none where it is in doubt."""
    if not rows or rows[0].small or rows[0].cells[0].text == MISSING:
        return set()
    if rows[0].kind == "baseline":
        return {rows[0].name}
    ties = {model.name for model in comparison.models if model.behind and model.behind.is_tie}
    return {rows[0].name} | ties


def behind_best(model: ComparedModel, words: Words) -> str:
    """What a model needs more than the best: "+0.041 ± 0.006", or that it is a tie."""
    if model.behind is None:
        return ""
    if model.behind.is_tie:
        return words("tie", gap=gap_of(model.behind))
    return f"+{gap_of(model.behind)}"


def _figure(model: ComparedModel, column: Column, best: float | None, rank: int) -> Cell:
    value = getattr(model, column.key)
    mark = "†" if column.key == "perplexity" and model.closed_vocabulary else ""
    text, is_best = column.write(value) + mark, value is not None and value == best
    if column.best is max:
        return replace(barred(value, best or 0.0, text, rank), is_best=is_best)
    return Cell(text, is_best=is_best)


def _curves(
    models: Sequence[ComparedModel], baselines: Sequence[Baseline], words: Words
) -> list[Chart]:
    """Cost over time and over tokens; what does not learn in steps is a level."""
    curves = [(rank, model) for rank, model in enumerate(models) if len(_valid(model)) > 1]
    flat = [(rank, model) for rank, model in enumerate(models) if len(_valid(model)) <= 1]
    levels = [
        Level(row.name, row.bits_per_byte) for row in baselines if is_known(row.bits_per_byte)
    ]
    settled = [bits for _, model in curves for bits in _settled(model)]
    for rank, model in flat:
        bits = next((bits for _, bits in _valid(model)), model.bits_per_byte)
        if is_known(bits):
            levels.append(Level(model.name, bits, rank))
            settled.append(bits)
    charts = []
    for key, is_log in (("seconds", False), ("tokens", True)) if curves else ():
        lines = [
            line(
                words("training", name=model.name),
                rank,
                ((getattr(point, key), point.train) for point in model.curve),
                is_faint=True,
            )
            for rank, model in curves
        ]
        lines += [
            line(model.name, rank, ((getattr(point, key), point.valid) for point in model.curve))
            for rank, model in curves
        ]
        axes = Axis(words(key), is_log), Axis(words("bits per byte"))
        heading = words(f"over {key}")
        charts.append(
            line_chart(heading, axes, lines, settled, levels=levels, outside=words.outside)
        )
    return [chart for chart in charts if chart]


def _valid(model: ComparedModel) -> list[tuple[float, float]]:
    """Validation cost by seconds."""
    return [(point.seconds, point.valid) for point in model.curve if is_known(point.valid)]


def _settled(model: ComparedModel) -> list[float]:
    """Validation cost after the first tenth of the time: the steep start may leave the picture."""
    points = _valid(model)
    return [bits for seconds, bits in points if seconds >= 0.1 * points[-1][0]]


def _costs(models: Sequence[ComparedModel], words: Words) -> list[Chart]:
    """Quality against scoring speed and against file size."""
    charts = []
    for key, heading, unit in (
        ("score_tokens_per_second", "against speed", "tokens per second"),
        ("file_bytes", "against size", "bytes"),
    ):
        points = [
            line(model.name, rank, [(getattr(model, key), model.bits_per_byte)])
            for rank, model in enumerate(models)
        ]
        axes = Axis(words(unit), is_log=True), Axis(words("bits per byte"))
        charts.append(point_chart(words(heading), axes, points))
    return [chart for chart in charts if chart]


def _positions(models: Sequence[ComparedModel], words: Words) -> Chart | None:
    """What the text before a token is worth to each model."""
    lines = [
        line(
            model.name, rank, ((row.position, row.bits_per_byte) for row in model.loss_by_position)
        )
        for rank, model in enumerate(models)
    ]
    late = [y for row in lines for x, y in row.points if x >= 4]
    axes = Axis(words("position"), is_log=True), Axis(words("bits per byte"))
    return line_chart(words("by position"), axes, lines, late)


def _megabyte(best: ComparedModel, words: Words) -> str:
    """What the best model's bits per byte mean for the size of a file."""
    bits = best.bits_per_byte
    if not is_known(bits):
        return ""
    return words("reading megabyte", bits=bits, size=in_bytes(bits / 8 * 1e6))


def _named(rows: dict[str, Any], words: Words) -> list[tuple[str, str]]:
    return definitions({words.name(key): value for key, value in rows.items()})


def _settings(model: ComparedModel, words: Words) -> list[tuple[str, str]]:
    """Where a model is, every seed and learning rate that was tried, and its settings."""
    rows: dict[str, Any] = {
        words("saved in"): model.run,
        words("trained for"): duration(model.train_seconds, words.language),
    }
    if len(model.seeds) > 1:
        spread = f" (± {number(model.spread)})"
        rows[words("by seed")] = ", ".join(number(bits) for bits in model.seeds) + spread
    if model.others_share is not None:
        rows[words("others share")] = percent(model.others_share, words.language)
    if model.tried_learning_rates:
        rows[words("tried rates")] = ", ".join(
            f"{rate.learning_rate:g}{SPACE}→{SPACE}{number(rate.bits_per_byte)}"
            for rate in model.tried_learning_rates
        )
    if model.learning_rate is not None:
        rows[words("learning rate")] = f"{model.learning_rate:g}"
    return definitions(rows) + _named(model.settings, words)
