"""What `unrolled classify train` was asked for, and the classifier that follows from it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError
from ..settings.check import SEED, check
from ..settings.data import FileFormat, TokenizerKind
from ..settings.kinds import ClassifierName
from ..settings.presets import superfluous
from ..settings.training import Budget
from .ensemble import ThresholdMetric
from .pretraining import Pretrained
from .training import VOCAB_SIZE, ClassifierRequest, recurrent_kind

ARTICLE_MODEL = {
    "embedding_size": 128,
    "hidden_sizes": (64, 32),
    "bidirectional": False,
    "pooling": "last",
    "dropout": 0.0,
    "word_dropout": 0.0,
    "hidden_dropout": 0.0,
}
ARTICLE_TRAINING = {
    "learning_rate": 1e-3,
    "batch_size": 64,
    "max_tokens": 500,
    "weight_decay": 0.0,
}


@dataclass(frozen=True)
class ClassifyRequest(FileFormat):
    """What `unrolled classify train` was asked for.

    Raises:
        ConfigError: a value is of another type.
    """

    data: tuple[str, ...]
    """Tables, or folders with one folder per class."""
    text: str | None = None
    label: str | None = None
    """Columns of a table, by name or position from 0."""
    group: str | None = None
    """Column whose equal values stay in one split."""
    split: str | None = None
    """Column that says train, valid or test."""
    valid: tuple[str, ...] = ()
    """Held-out texts, which choose settings and weights; empty: a part of `data`."""
    test: tuple[str, ...] = ()
    """Texts that are read once, at the end."""
    valid_fraction: float = 0.1
    """Part of `data` that is held out where nothing names held-out texts."""
    kind: ClassifierName | None = None
    """None: that of the language model, else GRU."""
    preset: Literal["article"] | None = None
    """The settings of a well-known program, see docs/padding.md."""
    post_padding_unmasked: bool = False
    """Whether the zeros after each text are read as if they were words."""
    budget: str | None = None
    """For the recurrent model; None: "5epochs"."""
    language_model: Path | None = None
    """Run folder that the recurrent model begins from."""
    backward_language_model: Path | None = None
    """One of mirrored texts, for a second model that reads backward."""
    unlabelled: tuple[str, ...] = ()
    """More texts, to train such a language model on first."""
    pretrain_budget: str = "30m"
    """For that language model."""
    tokenizer: TokenizerKind | None = None
    """None: "word"."""
    vocab_size: int | None = None
    """Most words to know; None: 30,000."""
    class_weight: Literal["balanced"] | None = None
    """How much texts of a class count; None: as many as there are."""
    thresholds: ThresholdMetric | None = None
    """What thresholds of the classes are to make greatest; None: the most probable is predicted."""
    seed: int = 0
    """Of initialization, dropout, the order of batches and the held-out part."""
    model_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of ClassifierConfig."""
    train_settings: dict[str, Any] = field(default_factory=dict)
    """Fields of ClassifierTrainConfig."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, (SEED, "seed"))


def check_request(request: ClassifyRequest) -> None:
    """Raises ConfigError where two things that were asked for do not go together."""
    if request.kind == "linear":
        if request.language_model or request.backward_language_model or request.unlabelled:
            remedy = "Write --kind lstm."
            raise ConfigError("kind", "recurrent for a language model", "linear", remedy)
        given = {name: getattr(request, name) for name in ("budget", "tokenizer", "vocab_size")}
        given |= request.model_settings | request.train_settings
        given["post_padding_unmasked"] = request.post_padding_unmasked or None
        for name, value in given.items():
            if value is not None:
                raise superfluous(name, "linear", value)
    if (
        request.post_padding_unmasked
        and request.preset is None
        and ("max_tokens" not in request.train_settings)
    ):
        remedy = "Add --preset article or --max-tokens 500."
        raise ConfigError("max_tokens", "given for padding", "nothing", remedy)
    if request.language_model is not None and request.unlabelled:
        remedy = "Leave one of them out."
        raise ConfigError("unlabelled", "left out with --language-model", "both", remedy)
    for name in ("tokenizer", "vocab_size"):
        if request.language_model is not None and (value := getattr(request, name)) is not None:
            remedy = f"Leave --{name.replace('_', '-')} out."
            raise ConfigError(name, "that of the language model", value, remedy)
    if request.preset is not None:
        for name in ("kind", "language_model", "unlabelled"):
            if value := getattr(request, name):
                remedy = f"Leave --{name.replace('_', '-')} out, or --preset."
                raise ConfigError(name, "left out with --preset", value, remedy)
    for name in ("hidden_sizes", "embedding_size"):
        if request.unlabelled and (value := request.model_settings.get(name)) is not None:
            remedy = f"Leave --{name.replace('_', '-')} out."
            raise ConfigError(name, "that of the language model", value, remedy)
    Budget.parse(request.budget or "5epochs")
    Budget.parse(request.pretrain_budget)


def classifier_request(
    request: ClassifyRequest,
    pretrained: Pretrained | None = None,
    backward: Pretrained | None = None,
) -> ClassifierRequest:
    """The classifier that was asked for, with the preset filled in, and what it begins from."""
    article = request.preset == "article"
    budget = Budget.parse(request.budget or ("10epochs" if article else "5epochs"))
    settings = dict(ARTICLE_TRAINING) if article else {}
    settings |= {"budget": budget, "seed": request.seed, **request.train_settings}
    if request.post_padding_unmasked:
        settings["post_padding_unmasked"] = True
    vocab_size = 10_000 if article else VOCAB_SIZE
    model_settings = (ARTICLE_MODEL if article else {}) | request.model_settings
    if request.unlabelled:  # two directions are two models then
        model_settings.pop("bidirectional", None)
    return ClassifierRequest(
        kind="lstm" if article else recurrent_kind(request.kind, pretrained),
        tokenizer=request.tokenizer or "word",
        vocab_size=vocab_size if request.vocab_size is None else request.vocab_size,
        model_settings=model_settings,
        train_settings=settings,
        class_weight=request.class_weight,
        thresholds=request.thresholds,
        pretrained=pretrained,
        backward=backward,
    )
