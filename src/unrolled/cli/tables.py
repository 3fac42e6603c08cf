"""Results as text."""

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..probes.request import ProbeRequest
from ..report.classification import reason as why
from ..report.comparison import cut_short, disturbed, plain_ranking, reason, unranked
from ..report.diagnosis_tables import reached as reached_lag
from ..report.diagnosis_tables import reached_range, verdict_sentence
from ..report.format import MISSING, in_bytes, number, perplexity, rank_key, rank_order, scaled
from ..report.probes import reached, verdict
from ..report.probes import score as trial_score
from ..report.table_text import csv_text, latex, markdown
from ..report.words import Language, Words
from ..results.classification import Classification, Explained, Prediction
from ..results.comparison import ComparedModel, Comparison, Doubt
from ..results.diagnosis import Diagnosis
from ..results.interval import Interval
from ..results.loss import Baseline, Evaluation
from ..results.probes import Probes, Trial
from ..results.run import RunResults
from ..settings.own import naming
from ..system.files import json_text

if TYPE_CHECKING:  # torch is not loaded before a command needs it
    from ..inference.next_words import Candidate
    from ..inference.surprisal import TextScore
    from .rows import Row

COMPARED = ("bits/byte", "behind best", "ppl", "train", "score", "memory", "file")
TSV_ESCAPES = str.maketrans({"\t": r"\t", "\n": r"\n", "\r": r"\r", "\\": r"\\"})
NO_CLASS = "?"
DOUBTS: dict[Doubt, str] = {
    "hardly trained": "Warning: {kind} is hardly trained, it made {updates} updates. Give a longer "
    "budget, or choose a smaller --size.",
    "no better than its start": "Warning: {kind} is no better after {updates} updates than the "
    "token frequencies it began with. Lower --learning-rate, or give a longer budget.",
}


def print_results(run: Path, kind: str, results: RunResults) -> None:
    """Prints what a training reached, with the baselines beside it."""
    print_evaluation(kind, results, results.split)
    if results.doubt is not None:
        print(DOUBTS[results.doubt].format(kind=kind, updates=results.train_steps))
    for note in results.notes:
        print(f"Note: {note}")
    print(
        f"Trained for {results.train_seconds:.0f} s. Use it: {naming(kind)}unrolled generate {run}"
    )


def print_evaluation(name: str, loss: Evaluation, split: str) -> None:
    """Prints one model's cost of a text between the baselines, best first."""
    split = escape(split)  # a file's name, perhaps with brackets
    table = Table(title=f"{split}: {loss.num_tokens:,} tokens, {loss.num_bytes:,} bytes")
    table.add_column("model")
    for heading in ("bits/byte", "bits/char", "perplexity/token", "perplexity/word"):
        table.add_column(heading, justify="right")
    word = loss.perplexity_per_word
    closed = " (closed vocabulary)" if loss.closed_vocabulary else ""
    own = (
        f"[bold]{name}[/bold]",
        number(loss.bits_per_byte),
        number(loss.bits_per_char),
        f"{loss.perplexity:.2f}{closed}",
        "-" if word is None else f"{word:.2f}",
    )
    rows = [(rank_key(row), (row.name, number(row.bits_per_byte))) for row in loss.baselines]
    for _, cells in sorted([*rows, (rank_key(loss), own)]):
        table.add_row(*cells)
    Console().print(table)


def print_classification(results: Classification, out: Path, language: Language = "en") -> None:
    """Prints what a classifier is worth, its members beside it, and why it is what it is."""
    title = f"{results.split}: {results.num_texts:,} texts, {len(results.classes)} classes"
    table = Table(title=title)
    table.add_column("model")
    for heading in ("accuracy", "95 % interval", "macro-F1", "log loss", "calibration error"):
        table.add_column(heading, justify="right")
    for name, row in results.models.items():
        table.add_row(
            name,
            f"{100 * row.accuracy:.2f} %",
            f"{100 * row.accuracy_low:.2f}-{100 * row.accuracy_high:.2f}",
            number(row.macro_f1),
            number(row.log_loss),
            f"{100 * row.calibration_error:.2f} %",
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(why(results.weights, Words("classification", language)), markup=False)
    console.print(f"Use it: unrolled classify predict {out}", markup=False)


def print_explanation(explanation: Explained) -> None:
    """Prints a text, green what speaks for the predicted class and red what speaks against it."""
    parts = explanation.parts
    largest = max((abs(part.weight) for part in parts), default=0) or 1
    line = Text(f"{explanation.predicted} {explanation.probability:.3f}  ", style="bold")
    for part in parts:
        share = abs(part.weight) / largest
        colour = "green" if part.weight > 0 else "red"
        strength = "bold reverse " if share > 0.6 else "reverse " if share > 0.3 else ""
        line.append(part.text, style=f"not bold {strength}{colour}" if share > 0.1 else "not bold")
    Console(highlight=False, soft_wrap=True).print(line)


def print_comparison(comparison: Comparison, language: Language, report: Path) -> None:
    """Prints the ranked models between the baselines, the advice, and where the report is."""
    table = Table(
        title=f"{comparison.title}, {comparison.split} split; tokens per second: train, score",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model", no_wrap=True)
    for heading in COMPARED:
        table.add_column(heading, justify="right", no_wrap=True)
    rows = [(rank_order(model), _model_cells(model)) for model in comparison.models]
    rows += [((False, rank_key(row)), _baseline_cells(row)) for row in comparison.baselines]
    for _, cells in sorted(rows):
        table.add_row(*cells)
    console = Console(highlight=False)
    console.print(table)
    words = Words("comparison", language)
    for said in (cut_short(comparison, words), unranked(comparison.models, words)):
        if said:
            console.print(said, markup=False)
    for advice in comparison.recommendation:
        purpose = words(f"purpose {advice.purpose}")
        console.print(f"[bold]{purpose}: {advice.model}[/bold]. {reason(advice, words)}")
    if said := disturbed(comparison, words):
        console.print(said, markup=False)
    if comparison.models:
        best = comparison.models[0]
        console.print(f"Use the best: {naming(best.name)}unrolled generate {best.run}")
    console.print(f"Pictures, samples and conditions: {report}")


ComparisonFormat: TypeAlias = Literal["csv", "json", "latex", "markdown"]


def print_comparison_as(
    comparison: Comparison, format: ComparisonFormat, language: Language
) -> None:
    """Prints the figures and nothing else, to be redirected; what qualifies them goes to stderr."""
    words = Words("comparison", language)
    if format == "csv":
        text = csv_text(comparison.rows())
    elif format == "json":
        text = json_text(comparison.to_json())
    elif format == "markdown":
        text = markdown(plain_ranking(comparison, words))
    else:
        title = f"{comparison.title}, {words.split(comparison.split)}"
        text = latex(plain_ranking(comparison, words), title)
    sys.stdout.write(text)
    ranked = unranked(comparison.models, words)
    for said in (cut_short(comparison, words), ranked, disturbed(comparison, words)):
        if said:
            print(f"note: {said}", file=sys.stderr)


def _model_cells(model: ComparedModel) -> tuple[str, ...]:
    behind = model.behind
    gap = "" if behind is None else f"{behind.bits_per_byte:.3f}±{number(behind.margin)}"
    return (
        f"[bold]{model.name}[/bold]",
        number(model.bits_per_byte),
        "tie" if behind is not None and behind.is_tie else gap,
        perplexity(model.perplexity),
        scaled(model.train_tokens_per_second),
        scaled(model.score_tokens_per_second),
        in_bytes(model.peak_bytes),
        in_bytes(model.file_bytes),
    )


def _baseline_cells(row: Baseline) -> tuple[str, ...]:
    return f"[dim]{row.name}[/dim]", f"[dim]{number(row.bits_per_byte)}[/dim]"


def print_diagnosis(diagnosis: Diagnosis, language: Language, report: Path) -> None:
    """Prints the verdict, the figures behind it, and the remedies by what they changed."""
    console = Console(highlight=False)
    words = Words("diagnosis", language)
    console.print(verdict_sentence(diagnosis.verdict, diagnosis.model, words), style="bold")
    if diagnosis.flows:
        headings = ("half-life (95 %)", "less than 1 % after (95 %)", "per step")
        table = _plain_table("layer", "path", *headings)
        for flow in diagnosis.flows:
            table.add_row(
                str(flow.layer),
                flow.path,
                _lag(flow.half_life, flow.half_life_interval, flow.lags[-1]),
                _lag(flow.horizon, flow.horizon_interval, flow.lags[-1]),
                MISSING if flow.rate is None else f"x {math.exp(flow.rate):.3f}",
            )
        console.print(table)
    if diagnosis.memory:
        table = _plain_table("model", "effective context length", "95 % interval")
        for row in diagnosis.memory:
            interval = f"{row.effective_low:.0f}-{row.effective_high:.0f}"
            table.add_row(row.name, f"{row.effective:.0f}", interval)
        console.print(table)
    if (cure := diagnosis.cure) is not None:
        table = _plain_table("remedy", "bits/byte", "gain", "half-life", "context", "tokens/s")
        for row in (cure.unchanged, *cure.tried):
            table.add_row(
                row.name,
                number(row.bits_per_byte),
                number(row.gain, "+.3f"),
                number(row.half_life, ".1f"),
                number(row.effective, ".0f"),
                scaled(row.tokens_per_second),
            )
        console.print(table)
        if cure.tried and (cure.tried[0].gain or 0) > 0:
            console.print(f"Try it: unrolled train ... {cure.tried[0].flags}", markup=False)
    console.print(f"Pictures and conditions: {report}", markup=False)


def _lag(lag: float | None, interval: Interval | None, last: int) -> str:
    """Steps back with their interval: "31 (26 to 40)"; what was not reached is "> 127"."""
    ends = reached_range(interval, last, Words("diagnosis", "en"))
    steps = reached_lag(lag, last)
    return f"{steps} ({ends})" if ends else steps


def _plain_table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _tsv(*cells: object) -> str:
    """A line of a table: tabs, line ends and backslashes are escaped."""
    return "\t".join(str(cell).translate(TSV_ESCAPES) for cell in cells) + "\n"


def _jsonl(row: "Row", values: dict[str, Any]) -> str:
    """An object with its row, and what of it is carried along."""
    kept = {"columns": row.kept} if row.kept else {}
    line = {"row": row.number, **kept, **values}
    return json.dumps(line, ensure_ascii=False, default=str) + "\n"


def _kept(row: "Row") -> list[object]:
    return ["" if value is None else value for value in row.kept.values()]


def score_lines(
    scored: "Iterable[tuple[Row, TextScore | None]]",
    format: Literal["tsv", "jsonl"],
    keep: Sequence[str] = (),
) -> Iterator[str]:
    """A line for each token, below a heading, or a JSON object for each row.

    A row without text has a line without figures, in JSON null. Tokens that are parts of one
    character each name that character.
    """
    if format == "tsv":
        yield _tsv("row", "start", "end", "token", "bits", *keep)
    for row, score in scored:
        if format == "jsonl":
            yield _jsonl(row, {"text": "", "bits": None} if score is None else score.to_json())
        elif score is None:
            yield _tsv(row.number, "", "", "", "", *_kept(row))
        else:
            for token in score.tokens:
                figures = token.start, token.end, token.text, f"{token.bits:.6g}"
                yield _tsv(row.number, *figures, *_kept(row))


def rank_lines(
    ranked: "Iterable[tuple[Row, TextScore | None]]", keep: Sequence[str] = ()
) -> Iterator[str]:
    """A line for each row, below a heading."""
    yield _tsv("row", "bits", "text", *keep)
    for row, score in ranked:
        bits = "" if score is None else f"{score.bits:.3f}"
        yield _tsv(row.number, bits, row.text, *_kept(row))


def prediction_lines(
    predicted: "Iterable[tuple[Row, Prediction | None]]",
    format: Literal["tsv", "jsonl"],
    keep: Sequence[str] = (),
) -> Iterator[str]:
    """A line or a JSON object for each row; no class is "?", in JSON null.

    A row without text has neither class nor probability.
    """
    if format == "tsv":
        yield _tsv("row", "class", "probability", "text", *keep)
    for row, found in predicted:
        if format == "tsv":
            name, chance = "", ""
            if found is not None:
                name = NO_CLASS if found.label is None else str(found.label)
                chance = f"{found.probability:.4f}"
            yield _tsv(row.number, name, chance, row.text, *_kept(row))
        else:
            rounded = found and {key: round(part, 6) for key, part in found.probabilities.items()}
            label = None if found is None else found.label
            yield _jsonl(row, {"class": label, "probabilities": rounded, "text": row.text})


def explanation_lines(explained: "Iterable[tuple[Row, Explained | None]]") -> Iterator[str]:
    """A line for each part of a text with what it adds to the predicted class, in log-odds."""
    yield _tsv("row", "class", "probability", "part", "weight")
    for row, found in explained:
        if found is None:
            yield _tsv(row.number, "", "", "", "")
            continue
        for part in found.parts:
            chance = f"{found.probability:.4f}"
            yield _tsv(row.number, found.predicted, chance, part.text, f"{part.weight:.6g}")


def print_candidates(tokens: "Sequence[Candidate]", words: "Sequence[Candidate]") -> None:
    """Prints what may come next, the most likely first, blanks to be seen."""
    table = Table()
    for heading in ("next token", "next word"):
        table.add_column(heading)
        table.add_column("probability", justify="right")
    for pair in zip_longest(tokens, words):
        cells: list[str] = []
        for row in pair:
            cells += [row.text.replace(" ", "␣"), f"{row.probability:.2%}"] if row else ["", ""]
        table.add_row(*cells)
    Console(highlight=False, markup=False).print(table)


def print_probes(result: Probes, request: ProbeRequest, report: Path) -> None:
    """A table for each task, models by lengths, the verdict, and where the charts are."""
    console = Console(highlight=False)
    for task in dict.fromkeys(request.tasks):
        trials = [trial for trial in result.trials if trial.task == task]
        console.print(_probe_table(task, trials, request))
    words = Words("probes", request.language)
    console.print(verdict(result.trials, words), markup=False, soft_wrap=True)
    console.print(f"Pictures and conditions: {report}", markup=False, soft_wrap=True)


def _probe_table(task: str, trials: Sequence[Trial], request: ProbeRequest) -> Table:
    better = "loss, less is better" if trials[0].measure == "loss" else "accuracy"
    table = Table(title=f"{task} ({better}; solved in bold)")
    table.add_column("model")
    lengths = sorted(set(request.lengths))
    for heading in (*map(str, lengths), "solved up to"):
        table.add_column(heading, justify="right")
    for model in dict.fromkeys(request.models):
        cells = {trial.length: _probe_cell(trial) for trial in trials if trial.model == model}
        shown = [cells.get(length, "failed before") for length in lengths]
        table.add_row(model, *shown, str(reached(trials, task, model) or "-"))
    return table


def _probe_cell(trial: Trial) -> str:
    return f"[bold]{trial_score(trial)}[/bold]" if trial.solved else trial_score(trial)
