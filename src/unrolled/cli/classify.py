"""`unrolled classify`: train, evaluate and use text classifiers."""

import sys
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ..report.words import Language
from ..settings.data import TokenizerKind
from ..settings.kinds import RecurrentName
from ..settings.models import Pooling
from .options import Files, given, name_of, read_sentences, required

classify = App(
    name="classify",
    help="Train and use text classifiers: sentiment, topics.\n\n"
    "Example: unrolled classify train reviews.csv --text review --label stars --out runs/a",
)


LabelledFiles = Annotated[
    list[str],
    Parameter(
        name="DATA",
        negative=(),
        show_default=False,
        help="csv, tsv, jsonl or parquet with labels, or a folder with one folder per class.",
    ),
]


@Parameter(name="*", group="Data")
@dataclass(frozen=True)
class LabelOptions:
    """Where text and label stand."""

    text: str | None = None
    """Column with the text, by name or position; default: "text"."""
    label: str | None = None
    """Column with the label, by name or position; default: "label"."""


@Parameter(name="*", group="Data")
@dataclass(frozen=True)
class SplitOptions(LabelOptions):
    """How labelled texts are divided."""

    group: str | None = None
    """Column whose equal values stay together, such as the film that is reviewed."""
    split: str | None = None
    """Column that says train, valid or test."""
    valid: Files = ()
    """Files to choose settings by; default: a part of the training texts."""
    test: Files = ()
    """Files to measure on, once, at the end."""
    valid_fraction: float = 0.1
    """Part of the training texts to choose settings by."""


@Parameter(name="*", group="Model")
@dataclass(frozen=True)
class ClassifierOptions:
    """Of the recurrent model."""

    embedding_size: int | None = None
    """Width of a word's vector."""
    hidden_sizes: Annotated[
        tuple[int, ...] | None, Parameter(negative=(), consume_multiple=True)
    ] = None
    """Width of each recurrent layer, from the words up."""
    bidirectional: bool | None = None
    """Whether other layers read each text from its end too; with --unlabelled:
    a second language model and classifier, which read backward."""
    pooling: Pooling | None = None
    """What is made of a text's states: the last, the greatest, the mean, or all three."""
    dropout: float | None = None
    """On the pooled vector."""
    word_dropout: float | None = None
    """Share of the words that are left out while training."""
    hidden_dropout: float | None = None
    """Between recurrent layers."""
    weight_dropout: float | None = None
    """On the weights from one time step to the next."""


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class ClassifierTrainOptions:
    """Of the recurrent model."""

    learning_rate: float | None = None
    """Peak of the schedule: up, then down to zero at the end of the budget."""
    batch_size: int | None = None
    """Texts read side by side."""
    max_tokens: int | None = None
    """Only the last so many tokens of a text are read."""
    weight_decay: float | None = None
    """Of AdamW."""
    clip_norm: float | None = None
    """Largest norm of the gradient."""
    layer_decay: float | None = None
    """Each layer nearer to the words learns at a rate this much smaller."""
    unfreeze_fraction: float | None = None
    """Part of the budget after which one more layer, from the output down, begins to learn."""
    adversarial_norm: float | None = None
    """Learn each text again with its word vectors changed this much in the worst direction."""
    precision: Literal["float32", "bfloat16"] | None = None
    """Of matrix products; default: the faster one here."""
    threads: int | None = None
    """Default: the faster of one and all."""
    checkpoint_seconds: float | None = None
    """Time between checkpoints."""


@classify.command
def train(  # noqa: PLR0913  a parameter is a flag
    data: LabelledFiles = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    /,
    *,
    out: Path,
    kind: RecurrentName | Literal["linear"] | None = None,
    preset: Literal["article"] | None = None,
    post_padding_unmasked: Annotated[bool, Parameter(negative=())] = False,
    budget: str | None = None,
    language_model: Path | None = None,
    backward_language_model: Path | None = None,
    unlabelled: Files = (),
    pretrain_budget: str = "30m",
    tokenizer: TokenizerKind | None = None,
    vocab_size: int | None = None,
    seed: int = 0,
    tensorboard: Path | None = None,
    language: Language = "en",
    splits: SplitOptions = SplitOptions(),  # noqa: B008
    model_options: ClassifierOptions = ClassifierOptions(),  # noqa: B008
    train_options: ClassifierTrainOptions = ClassifierTrainOptions(),  # noqa: B008
) -> int:
    """Train a classifier: a linear and a recurrent model, and their best mixture.

    Example: unrolled classify train reviews.csv --text review --label stars --out runs/reviews

    Parameters
    ----------
    out
        Folder to write: classifier.safetensors, report.html, results.json, log.jsonl.
    kind
        Recurrent layers beside the linear model; linear: none. Default: gru, or as the language
        model.
    preset
        article: embedding 10,000 x 128, LSTM 64, LSTM 32, sigmoid, 500 tokens, 10 epochs.
    post_padding_unmasked
        Read zeros after the end of each text as if they were text, as that article's program does.
    budget
        Of each recurrent model: passes (5epochs), wall-clock time (10m) or tokens (2Mtokens).
        Default: 5epochs.
    language_model
        Run folder of a language model that the recurrent model begins from.
    backward_language_model
        One of mirrored texts (the words of each from the last to the first): a second recurrent
        model begins from it and reads backward.
    unlabelled
        More text of the same sort: a language model of it and of the training texts comes first.
    pretrain_budget
        How long each language model is trained.
    tokenizer
        What the recurrent model reads. Default: word, which is a character in Chinese.
    vocab_size
        Most words to know. Default: 30,000; 10,000 with --preset article.
    seed
        Of initialization, dropout, the order of batches and the held-out part.
    tensorboard
        Folder for TensorBoard event files; each training gets a folder of its own in it.
    language
        Of the report: en or zh.
    """
    from ..classification.request import ClassifyRequest
    from ..classification.run import classify as library_classify
    from ..diagnosis.monitor import GradientMonitor
    from ..results.events import Interrupted
    from ..system.interrupt import stop_on_interrupt
    from .progress import shown
    from .tables import print_classification

    request = ClassifyRequest(
        data=tuple(required(data, "DATA")),
        kind=kind,
        preset=preset,
        post_padding_unmasked=post_padding_unmasked,
        budget=budget,
        language_model=language_model,
        backward_language_model=backward_language_model,
        unlabelled=unlabelled,
        pretrain_budget=pretrain_budget,
        tokenizer=tokenizer,
        vocab_size=vocab_size,
        seed=seed,
        **vars(splits),
        model_settings=given(model_options),
        train_settings=given(train_options),
    )
    try:
        with shown(tensorboard, out) as on_event, stop_on_interrupt() as stop:
            results = library_classify(out, request, on_event, stop, GradientMonitor, language)
    except Interrupted:
        print("Stopped and saved. The same command goes on with it.", file=sys.stderr)
        return 130
    print_classification(results, out, language)
    return 0


@classify.command
def predict(
    classifier: Path,
    file: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    /,
    *,
    text: str | None = None,
    format: Literal["tsv", "jsonl"] = "tsv",
    abstain_below: float = 0.0,
) -> int:
    """Tell the class of texts, with its probability.

    Example: echo "A wonderful film." | unrolled classify predict runs/reviews

    Parameters
    ----------
    classifier
        Folder of `unrolled classify train`, or the file classifier.safetensors in it.
    file
        One text per line, or per row of a table; - reads standard input. Blank lines are left out.
    text
        Column of a table with the text, by name or position.
    format
        tsv: class, probability, text; jsonl: one object per text with all probabilities.
    abstain_below
        Give no class where its probability is lower than this.
    """
    from ..classification.classifier import load_classifier
    from .tables import prediction_lines

    opened = load_classifier(classifier)
    predictions = opened.predict(read_sentences(required([file])[0], text), abstain_below)
    sys.stdout.writelines(prediction_lines(predictions, format))
    return 0


@classify.command
def evaluate(
    classifier: Path,
    data: LabelledFiles = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    /,
    *,
    columns: LabelOptions = LabelOptions(),  # noqa: B008
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Measure a classifier on labelled texts that it has not seen.

    Example: unrolled classify evaluate runs/reviews new-reviews.csv --text review --label stars

    Parameters
    ----------
    classifier
        Folder of `unrolled classify train`, or the file classifier.safetensors in it.
    json
        Print all figures as one JSON object.
    """
    from ..classification.run import evaluate_files
    from .tables import print_classification

    results = evaluate_files(classifier, required(data, "DATA"), columns.text, columns.label)
    if json:
        print(dumps(results.to_json(), ensure_ascii=False))
    else:
        print_classification(results, classifier)
    return 0


@classify.command
def explain(
    classifier: Path,
    file: Annotated[str, Parameter(allow_leading_hyphen=True)] = "-",
    /,
    *,
    text: str | None = None,
    method: Literal["occlusion", "gradient"] = "occlusion",
    out: Path | None = None,
    language: Language = "en",
) -> int:
    """Show which words made the classifier decide.

    Example: echo "A wonderful film." | unrolled classify explain runs/reviews

    Parameters
    ----------
    classifier
        Folder of `unrolled classify train`, or the file classifier.safetensors in it.
    file
        One text per line, or per row of a table; - reads standard input.
    text
        Column of a table with the text, by name or position.
    method
        occlusion: leave each word out; gradient: gradient times input of the recurrent model, of
        two the one that reads forward.
    out
        HTML page to write; default: colours in the terminal.
    language
        Of the page: en or zh.
    """
    from ..classification.classifier import load_classifier
    from ..classification.explanation import explain as explain_text
    from .tables import print_explanation

    opened = load_classifier(classifier)
    explained = (
        explain_text(opened, sentence, method)
        for sentence in read_sentences(required([file])[0], text)
    )
    if out is None:
        for explanation in explained:
            print_explanation(explanation.to_record())
        return 0
    from ..report.explained import html
    from ..system.files import write_text

    texts = [explanation.to_record() for explanation in explained]
    write_text(out, html(name_of(file), texts, language))
    print(f"Wrote {out}.")
    return 0
