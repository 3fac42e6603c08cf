"""One run examined: gradients, dynamics, used memory, a verdict, and what helps."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError, ConfigError
from ..models.recurrent import RecurrentModel
from ..report.diagnosis import html
from ..report.words import Language
from ..results.diagnosis import Diagnosis, GradientLook
from ..results.events import GradientFlow, LoggedEvent, Message, OnEvent, ignore
from ..runs.folder import Run, contents, load, read_log
from ..runs.prepared import PreparedText
from ..settings.check import above, check
from ..settings.data import DocumentKind, FileFormat
from ..settings.training import Budget
from ..system.files import locked, write_json, write_text
from ..system.machine import machine, using_threads, versions
from ..text.documents import read_documents
from ..text.files import find_files, title_of
from ..text.prepare import encode_texts
from ..text.store import SplitInfo
from .dynamics import measure_dynamics
from .flow import NUM_ROWS, WARM_UP, gradient_flow, judge, judge_words, text_windows
from .memory import affordable_targets, measure_memory
from .remedies import NO_CURE, cure, remedies_of, trial_budget

REPORT, RESULTS, TRIALS = "report.html", "results.json", "trials"
TEXT, GIVEN = "text", "given"
"""Encoded texts, removed at the end."""
BASELINE = "5-gram"
LYAPUNOV_ROWS, LYAPUNOV_TOKENS = 16, 500
TRAINED = ("learning_rate", "sequence_length", "clip_norm")
"""Settings of the training that bear on gradients."""
MEMORY_SECONDS = 10.0


@dataclass(frozen=True)
class DiagnoseRequest:
    """What to examine."""

    run: Path
    """Run folder of a language model or a classifier."""
    texts: tuple[str, ...] = ()
    """Files or folders to measure on; empty: the validation split of the run's own text."""
    column: str | None = None
    """Column of the texts in tables; None: that of the run."""
    documents: DocumentKind | None = None
    """What a document is in plain text; None: as in the run, a line for a classifier."""
    cure: Budget | None = None
    """For trying remedies: a time for all of them, or tokens for each; None: they are not tried."""
    language: Language = "en"
    """Of the report."""
    memory_seconds: float = MEMORY_SECONDS
    """About how long the used memory of the model, and of its 5-gram, is measured."""
    files: FileFormat = FileFormat()
    """What the files of `texts` do not say of themselves."""

    def __post_init__(self) -> None:
        check(self, (above(0), "memory_seconds"))
        if self.cure is not None and "-" in self.texts:
            remedy = "Save standard input in a file."
            raise ConfigError(
                "TEXT", "a file where remedies are tried, to read it twice", "-", remedy
            )


def diagnose(out: str | Path, request: DiagnoseRequest, on_event: OnEvent = ignore) -> Diagnosis:
    """Examines a run and writes report.html and results.json.

    Args:
        out: A new or empty folder.
        on_event: Receives what is being done, and what happens in trial trainings.

    Raises:
        UnrolledError: the run, its text or the request cannot be used.
    """
    out = Path(out)
    if contents(request.run) == "classifier":
        return _diagnose_classifier(out, request)
    run = load(request.run)
    if request.cure is not None:
        remedies_of(run)  # a model without any is refused before the work begins
    with _folder(out):
        tokens, split, text = _text(run, request, out)
        each = None
        if request.cure is not None:
            text = text or _own_text(run, request, out)
            each = trial_budget(run, text, request.cure)
        with using_threads(1):  # small steps: one is fastest
            result = _measure(run, tokens, split, request, on_event)
        write_report(out, result, request.language)
        if text is not None and each is not None:
            result = replace(result, cure=cure(run, text, out / TRIALS, each, on_event))
            write_report(out, result, request.language)
    return result


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """Makes and locks the folder; afterwards the encoded texts are gone."""
    with locked(out):
        if any(out.iterdir()):
            raise CheckpointError(out, "is not empty", "Choose another --out.")
        try:
            yield
        finally:
            for folder in (TEXT, GIVEN):
                shutil.rmtree(out / folder, ignore_errors=True)


def _diagnose_classifier(out: Path, request: DiagnoseRequest) -> Diagnosis:
    """How much of the gradient arrives at each word of the given texts."""
    # Only this needs scikit-learn, an extra.
    from ..classification.classifier import load_classifier
    from .words import measure_words

    if request.cure is not None:
        raise ConfigError("model", "a language model", "a classifier", NO_CURE)
    if not request.texts:
        raise ConfigError("TEXT", "given for a classifier", "none", "Name files with texts.")
    classifier = load_classifier(request.run)
    files = request.files
    paths = find_files(request.texts, files.encoding)
    texts = list(read_documents(paths, request.column, request.documents or "line", files))
    words = measure_words(classifier, texts)
    assert classifier.recurrent is not None
    config = classifier.recurrent.model.config
    result = Diagnosis(
        title=title_of(request.texts),
        model=config.kind,
        verdict=judge_words(words),
        words=words,
        conditions={"classifier": str(request.run), "texts": len(texts), **asdict(config)},
    )
    with _folder(out):
        write_report(out, result, request.language)
    return result


def write_report(out: Path, result: Diagnosis, language: Language) -> None:
    """Writes the page, and the figures as JSON."""
    write_text(out / REPORT, html(result, language))
    write_json(out / RESULTS, result.to_json())


def _text(
    run: Run, request: DiagnoseRequest, out: Path
) -> tuple[NDArray[np.integer], SplitInfo, PreparedText | None]:
    """Tokens to measure on: of the given texts, or of the run's own validation split."""
    if request.texts:
        column, documents = run.reading(request.column, request.documents)
        store = encode_texts(
            request.texts, run.tokenizer, out / GIVEN, column, documents, request.files
        )
        return np.array(store.tokens("text")), store.split("text"), None
    text = _own_text(run, request, out)
    return text.store.tokens("valid"), text.store.split("valid"), text


def _own_text(run: Run, request: DiagnoseRequest, out: Path) -> PreparedText:
    """The run's training text once more, or the given one, cut and encoded as it was."""
    data = run.config.data
    column, documents = run.reading(request.column, request.documents)
    texts = (*data.texts, *data.valid, *data.test)
    if request.texts:
        data = replace(
            data,
            texts=request.texts,
            valid=(),
            test=(),
            column=column,
            documents=documents,
            **vars(request.files),
        )
    elif "-" in texts:
        problem, remedy = "was trained on standard input", "Name a text after the run."
        raise CheckpointError(run.path, problem, remedy)
    elif missing := [name for name in texts if not Path(name).exists()]:
        problem = f"was trained on {missing[0]}, which does not exist in {Path.cwd()}"
        remedy = "Run this in the folder of the training, or name a text after the run."
        raise CheckpointError(run.path, problem, remedy)
    text = PreparedText.prepare(data, out / TEXT, run.tokenizer)
    if not request.texts and text.store.data_hash != run.config.data_hash:
        problem = "was trained on a text that has changed since"
        raise CheckpointError(run.path, problem, "Name a text after the run.")
    return text


def _measure(
    run: Run,
    tokens: NDArray[np.integer],
    split: SplitInfo,
    request: DiagnoseRequest,
    on_event: OnEvent,
) -> Diagnosis:
    def say(text: str) -> None:
        on_event(Message(text=text))

    kind, flows, dynamics = run.config.model.kind, [], None
    if isinstance(run.model, RecurrentModel):
        say("Following gradients through time.")
        exact = deepcopy(run.model).double()
        windows = text_windows(tokens)
        flows = gradient_flow(exact, windows, WARM_UP, with_intervals=True)
        say("Measuring dynamics.")
        longer = text_windows(tokens, LYAPUNOV_ROWS, WARM_UP + LYAPUNOV_TOKENS)
        dynamics = measure_dynamics(exact, longer, WARM_UP)
    say("Measuring how much context is used.")
    models = {kind: run.model} | {n: m for n, m in run.baselines.items() if n == BASELINE}
    number = affordable_targets(models.values(), tokens, request.memory_seconds)
    memory = [
        measure_memory(name, model, tokens, split, num_targets=number)
        for name, model in models.items()
    ]
    return Diagnosis(
        title=title_of(request.texts or run.config.data.texts),
        model=kind,
        verdict=judge(flows),
        flows=flows,
        dynamics=dynamics,
        memory=memory,
        history=history(read_log(run.path)),
        conditions=_conditions(run, split, request),
    )


def history(events: Iterable[LoggedEvent]) -> list[GradientLook]:
    """The looks at the gradient that a training's log holds."""
    return [
        GradientLook(event.seconds, event.tokens, event.lags, event.shares)
        for event in events
        if isinstance(event, GradientFlow)
    ]


def _conditions(run: Run, split: SplitInfo, request: DiagnoseRequest) -> dict[str, Any]:
    config, trained = run.config, run.config.train
    return {
        "run": str(run.path),
        "measured on": ", ".join(request.texts or run.config.data.texts),
        **({} if request.texts else {"split": "valid"}),
        "tokens": split.num_tokens,
        "tokenizer": config.tokenizer.kind,
        "vocabulary": config.vocab_size,
        "gradients in": "float64",
        "places in the text": NUM_ROWS,
        "places for the dynamics": LYAPUNOV_ROWS,
        "tokens read before": WARM_UP,
        **{key: value for key, value in config.model.to_json().items() if key != "kind"},
        **{key: getattr(trained, key) for key in TRAINED if trained is not None},
        "machine": machine(),
        "versions": ", ".join(f"{name} {value}" for name, value in versions().items()),
        "date": date.today().isoformat(),
    }
