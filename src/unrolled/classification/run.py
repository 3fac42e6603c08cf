"""Labelled files → a folder with classifier, figures and report."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, ConfigError, LabelError
from ..report.classification import html
from ..report.words import Language
from ..results.classification import Classification, Explained, Part
from ..results.events import Message, OnEvent, Stop, ignore, never
from ..runs.folder import CONFIG, TRAIN_STATE, remove_train_state
from ..settings.data import DataConfig, FileFormat
from ..settings.training import Budget
from ..system.files import locked, temporary_folder, write_json, write_text
from ..system.machine import machine, versions
from ..text.documents import read_documents
from ..text.files import find_files
from ..text.labels import (
    LabelledTexts,
    classes_of,
    doubtful_labels,
    label_of,
    plain,
    read_labelled,
    read_splits,
)
from ..text.splitting import (
    NUM_NAMED,
    normalized,
    split_labelled,
    spread,
    without_lone,
    without_shared,
)
from ..text.words import mirrored
from ..training.loop import Callbacks, MakeMonitor
from ..training.request import TrainRequest
from .classifier import FILE, Classifier, load_classifier, save_classifier
from .documents import Labelled, numbered
from .evaluation import evaluate_classifier, figures, texts_per_second
from .explanation import explain
from .pretraining import (
    BACKWARD_LANGUAGE_MODEL,
    LANGUAGE_MODEL,
    Pretrained,
    forget_pretraining,
    pretrain,
)
from .request import ClassifyRequest, check_request, classifier_request
from .training import (
    BACKWARD_FOLDER,
    ClassifierRequest,
    Trained,
    check_settings,
    train_classifier,
)

TYPICAL_TEXTS, NUM_TYPICAL = 4000, 20
"""Texts whose n-grams are looked at, and how many of each class are shown."""
NUM_EXPLAINED, MIN_EXPLAINED, MAX_EXPLAINED = 6, 20, 700
"""Examples of the report, by their number of characters."""
NO_TEST = (
    "The held-out texts choose the best weights and the mixture too, so that figures on them are a "
    "little too good: for new texts, measure with --test or with unrolled classify evaluate."
)
RESULTS, REPORT = "results.json", "report.html"


def classify(
    out: str | Path,
    request: ClassifyRequest,
    on_event: OnEvent = ignore,
    stop: Stop = never,
    monitor: MakeMonitor | None = None,
    language: Language = "en",
) -> Classification:
    """Trains a classifier of texts, measures it, and writes its folder.

    The test texts are read once, at the end.

    Args:
        out: A new folder, or one whose training was interrupted.
        on_event: Receives what happens, see `unrolled.results.events`.
        stop: Asked after every step; once true, the training is saved and ends.
        monitor: Builds what looks at every update.
        language: Of the report.

    Returns:
        What stands in results.json. `TextClassifier.load` opens classifier.safetensors.

    Raises:
        UnrolledError: the request cannot be carried out.
        Interrupted: `stop` said so.
    """
    out = Path(out)
    with locked(out):
        return _classify(out, request, Callbacks(on_event, stop, monitor), language)


def _classify(
    out: Path, request: ClassifyRequest, callbacks: Callbacks, language: Language
) -> Classification:
    if (out / FILE).exists() and not (out / TRAIN_STATE).exists():
        raise CheckpointError(out, "already holds a classifier", "Choose another --out.")
    check_request(request)
    parts, notes, sizes = _read(request)
    classes = classes_of(parts["train"].labels)
    names = [str(name) for name in classes]
    notes += doubtful_labels(parts["train"].labels)
    for name in parts:
        parts[name], unknown = with_known_labels(parts[name], names, name)
        notes += unknown
    wanted = classifier_request(request)
    check_settings(wanted, classes)
    if "test" not in parts:
        notes.append(NO_TEST)
    for note in [sizes, *notes]:
        callbacks.on_event(Message(text=note))
    pretrained = _pretrained(out, request, wanted, parts, callbacks)
    data = {name: numbered(part, names) for name, part in parts.items()}
    trained = train_classifier(
        data["train"],
        data["valid"],
        classes,
        classifier_request(request, *pretrained),
        callbacks.on_event,
        callbacks.stop,
        out,
        callbacks.monitor,
    )
    split = "test" if "test" in parts else "valid"
    results = replace(
        _measure(trained, data[split], split),
        title=", ".join(Path(name).name for name in request.data),
        num_texts_of={name: len(part) for name, part in parts.items()},
        saved=trained.saved,
        num_parameters=trained.classifier.num_parameters(),
        seconds=trained.seconds,
        curves=trained.curves,
        class_ngrams=_typical(trained.classifier, data["train"].texts),
        explained=_explained(trained.classifier, data[split]),
        notes=[*notes, *trained.notes],
        request={
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(request).items()
        },
        machine=machine(),
        versions=versions(),
    )
    results = _write(out, trained.classifier, results, language)
    _forget(out)
    return results


def _write(
    out: Path, classifier: Classifier, results: Classification, language: Language
) -> Classification:
    """Writes all files, last the classifier: a folder that has it is finished.

    Returns:
        The results with the size of the classifier's file.
    """
    with temporary_folder(out) as folder:
        written = Path(folder) / FILE
        save_classifier(replace(classifier, info=_summary(results)), written)
        results = replace(results, file_bytes=written.stat().st_size)
        write_json(out / RESULTS, results.to_json())
        write_text(out / REPORT, html(results, language))
        written.replace(out / FILE)
    return results


def is_saved(out: Path) -> bool:
    """Whether an interrupted training left something that the same command continues."""
    places = (
        *(out / TRAIN_STATE, out / BACKWARD_FOLDER / TRAIN_STATE),
        *(out / name / CONFIG for name in (LANGUAGE_MODEL, BACKWARD_LANGUAGE_MODEL)),
    )
    return any(path.exists() for path in places)


def _forget(out: Path) -> None:
    """Removes what only an interrupted training needs, last what says that it was interrupted."""
    remove_train_state(out / BACKWARD_FOLDER)
    with suppress(OSError):  # not there, or not empty
        (out / BACKWARD_FOLDER).rmdir()
    forget_pretraining(out)
    remove_train_state(out)


def _typical(classifier: Classifier, texts: Sequence[str]) -> dict[str, list[Part]]:
    found = classifier.linear.typical(
        [plain(text) for text in spread(texts, TYPICAL_TEXTS)], NUM_TYPICAL
    )
    return {
        str(name): [Part(text, weight) for text, weight in rows]
        for name, rows in zip(classifier.classes, found, strict=True)
    }


def _explained(classifier: Classifier, part: Labelled) -> list[Explained]:
    short = [
        (text, str(classifier.classes[label]))
        for text, label in zip(part.texts, part.labels, strict=True)
        if MIN_EXPLAINED <= len(text) <= MAX_EXPLAINED
    ]
    return [
        explain(classifier, text).to_record(label) for text, label in spread(short, NUM_EXPLAINED)
    ]


def _summary(results: Classification) -> dict[str, Any]:
    """What the file of the classifier itself says of how it was made: no texts."""
    values, names = (
        results.to_json(),
        ("title", "split", "num_texts_of", "models", "chosen", "seconds"),
    )
    return {name: values[name] for name in (*names, "request", "machine", "versions")}


def _read(request: ClassifyRequest) -> tuple[dict[str, LabelledTexts], list[str], str]:
    """The parts, without texts that stand in two of them, what was left out, and their sizes."""
    columns = request.text, request.label, request.group
    if request.split is not None:
        parts = read_splits(list(request.data), *columns, request.split, request)
        if "train" not in parts:
            problem = "marks no row as train"
            raise LabelError(f"column {request.split!r}", problem, "Name another with --split.")
    else:
        parts = {"train": read_labelled(list(request.data), *columns, request)}
    for name in ("valid", "test"):
        if files := getattr(request, name):
            if name in parts:
                remedy = f"Leave --{name} out, or --split."
                raise ConfigError(name, f"left out where --split marks {name} rows", files, remedy)
            parts[name] = read_labelled(list(files), *columns, request)
    notes = []
    if "valid" not in parts:
        several, notes = without_lone(parts["train"])
        parts["train"], parts["valid"] = split_labelled(
            several, request.valid_fraction, request.seed
        )
    for name, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
        if other not in parts:
            continue
        left = without_shared(parts[name], parts[other].texts)
        if not len(left):
            remedy = "Give other texts."
            raise LabelError(f"the {name} texts", f"all stand in the {other} part too", remedy)
        if shared := len(parts[name]) - len(left):
            notes.append(f"{shared:,} {name} texts also stand in the {other} part: left out.")
        parts[name] = left
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    return parts, notes, f"Texts: {sizes}."


def with_known_labels(
    part: LabelledTexts, names: Sequence[str], what: str
) -> tuple[LabelledTexts, list[str]]:
    """Leaves out texts of a class that is not among the names, and says how many.

    Raises:
        LabelError: there is one class only, or no text is left.
    """
    if len(names) < 2:
        problem = f"have one class only, {names[0]!r}" if names else "have no class"
        raise LabelError("the training texts", problem, "Give texts of two classes or more.")
    known = set(names)
    kept = [place for place, label in enumerate(part.labels) if label in known]
    unknown = Counter(label for label in part.labels if label not in known)
    if not unknown:
        return part, []
    listed = ", ".join(repr(name) for name, _ in unknown.most_common(NUM_NAMED))
    listed += ", …" * (len(unknown) > NUM_NAMED)
    if not kept:
        problem = f"have only labels that no training text has, such as {listed}"
        raise LabelError(f"the {what} texts", problem, "Correct them, or name another column.")
    number = sum(unknown.values())
    note = f"{number:,} {what} texts left out: no training text has their label ({listed})."
    return part.select(kept), [note]


def _pretrained(
    out: Path,
    request: ClassifyRequest,
    wanted: ClassifierRequest,
    parts: dict[str, LabelledTexts],
    callbacks: Callbacks,
) -> list[Pretrained | None]:
    """Language models to begin from, forward and backward: given ones, or of the texts.

    Those of the texts are of all but the test's.
    """
    given = request.language_model, request.backward_language_model
    if any(given):
        return [None if path is None else Pretrained.open(path) for path in given]
    if not request.unlabelled or wanted.kind is None:
        return []
    texts = _pretraining_texts(request, parts)
    ways = {LANGUAGE_MODEL: texts}
    if request.model_settings.get("bidirectional"):
        ways[BACKWARD_LANGUAGE_MODEL] = [mirrored(text) for text in texts]
    # Residual or summed connections are nothing that a classifier can take over.
    language_model = TrainRequest(
        wanted.kind,
        DataConfig(tokenizer=wanted.tokenizer, vocab_size=wanted.vocab_size, test_fraction=0),
        budget=Budget.parse(request.pretrain_budget),
        seed=request.seed,
        model_settings={"connections": "none"},
    )
    return [
        pretrain(out / name, texts, language_model, callbacks.named(name))
        for name, texts in ways.items()
    ]


def _pretraining_texts(request: ClassifyRequest, parts: dict[str, LabelledTexts]) -> list[str]:
    """Each text once, none of the test part among them."""
    texts = [*parts["train"].texts, *parts["valid"].texts]
    paths = find_files(request.unlabelled, request.encoding)
    texts += read_documents(paths, request.text, files=request)
    found = {normalized(text): plain(text) for text in texts}
    for text in parts["test"].texts if "test" in parts else ():
        found.pop(normalized(text), None)
    return list(found.values())


def _measure(trained: Trained, part: Labelled, split: str) -> Classification:
    """On test texts by reading them; on validation texts by what is known of unseen ones."""
    if split == "test":
        return evaluate_classifier(trained.classifier, part.texts, part.labels, split)
    rates = texts_per_second(trained.classifier, part.texts)
    return figures(trained.classifier, trained.valid, part.texts, part.labels, split, rates)


def evaluate_files(
    path: Path,
    data: list[str],
    text: str | None,
    label: str | None,
    files: FileFormat = FileFormat(),  # noqa: B008  it is frozen
) -> Classification:
    """Figures of a saved classifier on labelled files.

    Raises:
        UnrolledError: a file cannot be read, or has no label that the classifier knows.
    """
    classifier = load_classifier(path)
    names = [str(label_of(name)) for name in classifier.classes]
    part, notes = with_known_labels(read_labelled(data, text, label, files=files), names, "given")
    found = numbered(part, names)
    split = ", ".join(data)
    return replace(evaluate_classifier(classifier, found.texts, found.labels, split), notes=notes)
