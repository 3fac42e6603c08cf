"""A language model as the beginning of a classifier: words and recurrent layers are taken over.

It is given, or trained in the classifier's folder.
Source: Dai & Le 2015; Howard & Ruder 2018.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import CheckpointError
from ..models.classifier import RecurrentClassifier
from ..models.recurrent import RecurrentModel
from ..results.events import Message
from ..runs.folder import CONFIG, load, load_config
from ..settings.models import RecurrentConfig
from ..system.files import write_text
from ..text.tokenizers import Tokenizer
from ..training.language_model import TrainRequest, resume, train
from ..training.loop import Callbacks

NOT_TAKEN_OVER = ("state_dropout", "zoneout", "layer_norm", "connections", "attention")
"""Settings of a language model that change what its layers compute, or what they are called."""


@dataclass(frozen=True)
class Pretrained:
    """A language model to begin from."""

    tokenizer: Tokenizer
    settings: dict[str, Any]
    """Fields of ClassifierConfig that follow from it."""
    weights: dict[str, Tensor]

    @classmethod
    def open(cls, run: str | Path) -> "Pretrained":
        """Opens a run folder of `unrolled train`.

        Raises:
            CheckpointError: it is missing or damaged, or no recurrent language model, or one with
                something in its layers that a classifier does not have.
        """
        opened = load(run)
        config, model = opened.config.model, opened.model
        if not isinstance(model, RecurrentModel) or not isinstance(config, RecurrentConfig):
            problem = "is not a recurrent language model"
            raise CheckpointError(opened.path, problem, "Train one with --model lstm.")
        for name in NOT_TAKEN_OVER:
            value, default = getattr(config, name), getattr(RecurrentConfig, name)
            if value != default:
                problem = f"has {name} {value}, which a classifier cannot take over"
                raise CheckpointError(opened.path, problem, f"Train one with {name} {default}.")
        settings = {
            "kind": config.kind,
            "nonlinearity": config.nonlinearity,
            "embedding_size": config.embedding_size,
            "hidden_sizes": (config.hidden_size,) * config.num_layers,
            "embedding_scale": model.embedding.scale,
            "bidirectional": False,
        }
        return cls(opened.tokenizer, settings, dict(model.state_dict()))

    def load_into(self, model: RecurrentClassifier) -> None:
        """Overwrites words and recurrent layers; the head stays as it is."""
        state = model.state_dict()
        state["embedding.weight"].copy_(self.weights["embedding.weight"])
        for name, value in self.weights.items():
            if name.startswith("stack.layers."):
                state[f"encoders.0.{name.removeprefix('stack.')}"].copy_(value)


LANGUAGE_MODEL = "language-model"
BACKWARD_LANGUAGE_MODEL = "backward-language-model"
TEXTS, BEGUN_WITH = ".jsonl", ".sha256"
"""Beside a language model: the texts while it is trained of them, and what it was begun with."""


def pretrain(
    folder: Path,
    texts: Sequence[str],
    request: TrainRequest,
    callbacks: Callbacks,
) -> Pretrained:
    """Trains a language model for a recurrent classifier, or goes on with the one that was begun.

    Args:
        request: Without its texts.

    Raises:
        CheckpointError: it was started with other texts or settings.
        Interrupted: it was asked to stop.
    """
    path, begun = folder.with_suffix(TEXTS), folder.with_suffix(BEGUN_WITH)
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    signature = hashlib.sha256((repr(request) + lines).encode()).hexdigest()
    if (folder / CONFIG).exists():
        if not begun.is_file() or begun.read_text("utf-8") != signature:
            remedy = "Repeat the command that started it, or choose another --out."
            raise CheckpointError(folder, "was started with other texts or settings", remedy)
        if load_config(folder).results is None:
            resume(folder, **vars(callbacks))
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, lines)
        write_text(begun, signature)
        callbacks.on_event(Message(text=f"Of {len(texts):,} texts."))
        data = replace(request.data, texts=(str(path),))
        train(folder, replace(request, data=data), **vars(callbacks))
    path.unlink(missing_ok=True)
    return Pretrained.open(folder)


def forget_pretraining(out: Path) -> None:
    """Removes what only an interrupted training needs."""
    for name in (LANGUAGE_MODEL, BACKWARD_LANGUAGE_MODEL):
        for suffix in (TEXTS, BEGUN_WITH):
            (out / name).with_suffix(suffix).unlink(missing_ok=True)
