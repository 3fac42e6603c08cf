"""Results as text."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..report.classification import reason as why
from ..report.comparison import reason, unranked
from ..report.diagnosis_tables import verdict_sentence
from ..report.format import MISSING, in_bytes, number, perplexity, rank_key, rank_order, scaled
from ..report.words import Language, Words
from ..results.classification import Classification, Explained, Prediction
from ..results.comparison import ComparedModel, Comparison, Doubt
from ..results.diagnosis import Diagnosis
from ..results.loss import Baseline, Evaluation
from ..results.run import RunResults

if TYPE_CHECKING:  # torch is not loaded before a command needs it
    from ..inference.next_words import Candidate
    from ..inference.surprisal import TextScore

COMPARED = ("bits/byte", "ppl", "size", "train", "score", "write", "memory", "file")
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
    print(f"Trained for {results.train_seconds:.0f} s. Use it: unrolled generate {run}")


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
        title=f"{comparison.title}, {comparison.split} split; tokens per second: train, "
        "score, write",
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
    if doubtful := unranked(comparison.models, words):
        console.print(doubtful, markup=False)
    for advice in comparison.recommendation:
        purpose = words(f"purpose {advice.purpose}")
        console.print(f"[bold]{purpose}: {advice.model}[/bold]. {reason(advice, words)}")
    if comparison.models:
        console.print(f"Use the best: unrolled generate {comparison.models[0].run}")
    console.print(f"Pictures, samples and conditions: {report}")


def _model_cells(model: ComparedModel) -> tuple[str, ...]:
    spread = "" if model.spread is None else f" ± {model.spread:.3f}"
    return (
        f"[bold]{model.name}[/bold]",
        number(model.bits_per_byte) + spread,
        perplexity(model.perplexity),
        scaled(model.num_parameters),
        scaled(model.train_tokens_per_second),
        scaled(model.score_tokens_per_second),
        scaled(model.generate_tokens_per_second),
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
        table = _plain_table("layer", "path", "half-life", "less than 1 % after", "per step")
        for flow in diagnosis.flows:
            table.add_row(
                str(flow.layer),
                flow.path,
                number(flow.half_life, ".1f"),
                "never" if flow.horizon is None else str(flow.horizon),
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


def _plain_table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _tsv(*cells: object) -> str:
    """A line of a table: tabs, line ends and backslashes are escaped."""
    return "\t".join(str(cell).translate(TSV_ESCAPES) for cell in cells) + "\n"


def _jsonl(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def score_lines(scores: "Iterable[TextScore]", format: Literal["tsv", "jsonl"]) -> Iterator[str]:
    """A line for each token, below a heading, or a JSON object for each text.

    Tokens that are parts of one character each name that character.
    """
    if format == "jsonl":
        yield from (_jsonl(score.to_json()) for score in scores)
        return
    yield _tsv("text", "start", "end", "token", "bits")
    for place, score in enumerate(scores, 1):
        for token in score.tokens:
            yield _tsv(place, token.start, token.end, token.text, f"{token.bits:.6g}")


def prediction_lines(
    predictions: Iterable[Prediction], format: Literal["tsv", "jsonl"]
) -> Iterator[str]:
    """A line or a JSON object for each text; no class is "?", in JSON null."""
    if format == "tsv":
        yield _tsv("class", "probability", "text")
    for row in predictions:
        if format == "tsv":
            name = NO_CLASS if row.label is None else row.label
            yield _tsv(name, f"{row.probability:.4f}", row.text)
        else:
            rounded = {name: round(value, 6) for name, value in row.probabilities.items()}
            yield _jsonl({"class": row.label, "probabilities": rounded, "text": row.text})


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
