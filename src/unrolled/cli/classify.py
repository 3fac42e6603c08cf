"""`unrolled classify`: train, evaluate and use text classifiers."""

import sys
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ..report.words import Language
from ..settings.data import TokenizerKind
from ..settings.kinds import ClassifierName
from ..settings.models import Pooling
from .options import FileOptions, Files, given, name_of, required

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
        help="csv, tsv, json, jsonl or parquet with labels, or a folder with one folder per class.",
    ),
]


@Parameter(name="*", group="Data")
@dataclass(frozen=True)
class LabelOptions(FileOptions):
    """Which columns hold text and label."""

    text: str | None = None
    """Column with the text, by name or position; default: "text"."""
    label: str | None = None
    """Column with the label, by name or position; default: "label"."""


@Parameter(name="*", group="Data")
@dataclass(frozen=True)
class SplitOptions(LabelOptions):
    """How labelled texts are split."""

    group: str | None = None
    """Column of groups that are never split, such as the film that is reviewed."""
    split: str | None = None
    """Column with the split of each row: train, valid or test."""
    valid: Files = ()
    """Files to use as the validation split; default: part of the training texts."""
    test: Files = ()
    """Files to use as the test split, scored once, at the end."""
    valid_fraction: float = 0.1
    """Fraction of the training texts for validation without --valid."""


@Parameter(name="*", group="Model")
@dataclass(frozen=True)
class ClassifierOptions:
    """Settings of the recurrent model."""

    embedding_size: int | None = None
    """Embedding size."""
    hidden_sizes: Annotated[
        tuple[int, ...] | None, Parameter(negative=(), consume_multiple=True)
    ] = None
    """Hidden size of each recurrent layer, from the input up."""
    bidirectional: bool | None = None
    """Add layers that read each text from its end; with --unlabelled: add a second language model
    and classifier that read backward."""
    pooling: Pooling | None = None
    """Pooling of a text's states: last, max, mean, or all three."""
    dropout: float | None = None
    """Dropout of the pooled vector."""
    word_dropout: float | None = None
    """Probability of dropping a word in training."""
    hidden_dropout: float | None = None
    """Dropout between recurrent layers."""
    weight_dropout: float | None = None
    """Dropout of the recurrent weights."""


@Parameter(name="*", group="Training")
@dataclass(frozen=True)
class ClassifierTrainOptions:
    """Settings of the recurrent model's training."""

    learning_rate: float | None = None
    """Peak learning rate; linear warmup, then linear decay to zero at the budget's end."""
    batch_size: int | None = None
    """Batch size: texts per update."""
    max_tokens: int | None = None
    """Longest text in tokens; of longer texts only the end is read."""
    weight_decay: float | None = None
    """Weight decay of AdamW."""
    clip_norm: float | None = None
    """Largest gradient norm; larger ones are clipped."""
    layer_decay: float | None = None
    """Divisor of the learning rate for each layer nearer to the input."""
    unfreeze_fraction: float | None = None
    """Fraction of the budget after which each next layer, from the output down, is unfrozen."""
    adversarial_norm: float | None = None
    """Size of the adversarial perturbation of the word vectors, in units of their root mean square
    (Miyato et al. 2017); 0: off."""
    precision: Literal["float32", "bfloat16"] | None = None
    """Precision of matrix products; default: the faster one on this machine, or float32 where the
    budget is in tokens or epochs."""
    threads: int | None = None
    """Number of threads; default: the faster of one and all, or all where the budget is in tokens
    or epochs."""
    checkpoint_seconds: float | None = None
    """Seconds between checkpoints."""


@classify.command
def train(  # noqa: PLR0913  a parameter is a flag
    data: LabelledFiles = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    /,
    *,
    out: Path,
    kind: ClassifierName | None = None,
    preset: Literal["article"] | None = None,
    post_padding_unmasked: Annotated[bool, Parameter(negative=())] = False,
    budget: str | None = None,
    language_model: Path | None = None,
    backward_language_model: Path | None = None,
    unlabelled: Files = (),
    pretrain_budget: str = "30m",
    tokenizer: TokenizerKind | None = None,
    vocab_size: int | None = None,
    class_weight: Literal["balanced"] | None = None,
    thresholds: Literal["macro-f1"] | None = None,
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
        Kind of recurrent layer beside the linear model; linear: none. Default: gru, or that of the
        language model.
    preset
        article: embedding 10,000 x 128, LSTM 64, LSTM 32, sigmoid, 500 tokens, 10 epochs.
    post_padding_unmasked
        Read padding zeros at the end of each text as if they were text, as that article does.
    budget
        Budget of each recurrent model: epochs (5epochs), wall-clock time (10m) or tokens
        (2Mtokens). Default: 5epochs.
    language_model
        Run folder of a language model to initialize the recurrent model from.
    backward_language_model
        Run folder of a language model of reversed texts (the words of each from the last to the
        first), to initialize a second recurrent model that reads backward.
    unlabelled
        Unlabelled text of the same kind: a language model is first trained on it and on the
        training texts.
    pretrain_budget
        Budget of each language model.
    tokenizer
        Kind of token of the recurrent model. Default: word, which is a character in Chinese.
    vocab_size
        Vocabulary size. Default: 30,000; 10,000 with --preset article.
    class_weight
        balanced: texts of rare classes count more, so that all classes count alike.
    thresholds
        macro-f1: predict the class with the greatest probability / threshold, with a threshold for
        each class that gives the greatest macro-F1 on held-out texts. Default: the most probable.
    seed
        Random seed of initialization, dropout, batch order and the validation split.
    tensorboard
        Folder for TensorBoard event files; each training writes to its own subfolder.
    language
        Language of the terminal and the report: en or zh.
    """
    from ..classification.request import ClassifyRequest
    from ..classification.run import classify as library_classify
    from ..classification.run import is_saved
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
        class_weight=class_weight,
        thresholds=thresholds,
        seed=seed,
        **vars(splits),
        model_settings=given(model_options),
        train_settings=given(train_options),
    )
    try:
        with shown(tensorboard, out) as on_event, stop_on_interrupt() as stop:
            results = library_classify(out, request, on_event, stop, GradientMonitor, language)
    except (Interrupted, KeyboardInterrupt):
        saved = "and saved. Run the same command to resume."
        print(f"Stopped {saved}" if is_saved(out) else "Stopped.", file=sys.stderr)
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
    keep: Files = (),
    format: Literal["tsv", "jsonl"] = "tsv",
    abstain_below: float = 0.0,
    files: FileOptions = FileOptions(),  # noqa: B008
) -> int:
    """Predict the class of each text, with its probability.

    Example: echo "A wonderful film." | unrolled classify predict runs/reviews

    Parameters
    ----------
    classifier
        Folder of `unrolled classify train`, or the file classifier.safetensors in it.
    file
        One text per line, or per row of a table; - reads standard input. Rows without text get no
        class.
    text
        Column of a table with the text, by name or position.
    keep
        Columns of a table to carry along, such as an identifier.
    format
        tsv: row, class, probability, text; jsonl: one object per row with all probabilities.
    abstain_below
        Give no class below this probability.
    """
    from ..classification.classifier import load_classifier
    from .rows import input_rows, with_results
    from .tables import prediction_lines

    opened = load_classifier(classifier)
    rows = input_rows(required([file])[0], text, keep, "--text", files.file_format())
    predicted = with_results(rows, lambda texts: opened.predict(texts, abstain_below))
    sys.stdout.writelines(prediction_lines(predicted, format, keep))
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
    """Evaluate a classifier on labelled texts that it was not trained on.

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

    results = evaluate_files(
        classifier, required(data, "DATA"), columns.text, columns.label, columns.file_format()
    )
    if json:
        print(dumps(results.to_json(), ensure_ascii=False))
    else:
        for note in results.notes:
            print(note, file=sys.stderr)
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
    files: FileOptions = FileOptions(),  # noqa: B008
) -> int:
    """Show which words the prediction depends on.

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
        occlusion: leave each word out; gradient: gradient times input of the (forward) recurrent
        model.
    out
        HTML page to write; default: colours in a terminal, elsewhere a table of the words and what
        each adds to the log-odds of the predicted class.
    language
        Language of the page: en or zh.
    """
    from ..classification.classifier import load_classifier
    from ..classification.explanation import explain as explain_text
    from .rows import input_rows, with_results
    from .tables import explanation_lines, print_explanation

    opened = load_classifier(classifier)
    rows = input_rows(required([file])[0], text, option="--text", files=files.file_format())
    explained = with_results(
        rows, lambda texts: (explain_text(opened, words, method).to_record() for words in texts)
    )
    if out is not None:
        from ..report.explained import html
        from ..system.files import write_text

        texts = [explanation for _, explanation in explained if explanation is not None]
        write_text(out, html(name_of(file), texts, language))
        print(f"Wrote {out}.")
    elif sys.stdout.isatty():
        for _, explanation in explained:
            if explanation is not None:
                print_explanation(explanation)
    else:
        sys.stdout.writelines(explanation_lines(explained))
    return 0
