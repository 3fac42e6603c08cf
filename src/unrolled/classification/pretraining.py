"""Trains language models that a classifier begins from, in the classifier's folder."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CheckpointError
from ..results.events import Message
from ..runs.config import CONFIG, load_config
from ..settings.data import DataConfig
from ..settings.training import Budget
from ..system.files import write_text
from ..training import language_model
from ..training.loop import Callbacks
from .pretrained import Pretrained
from .training import ClassifierRequest

LANGUAGE_MODEL = "language-model"
BACKWARD_LANGUAGE_MODEL = "backward-language-model"
TEXTS, BEGUN_WITH = ".jsonl", ".sha256"
"""Beside a language model: the texts while it is trained of them, and what it was begun with."""


def pretrain(
    folder: Path,
    texts: Sequence[str],
    request: ClassifierRequest,
    budget: Budget,
    seed: int,
    callbacks: Callbacks,
) -> Pretrained:
    """Trains a language model for a recurrent classifier, or goes on with the one that was begun.

    Raises:
        CheckpointError: it was started with other texts or settings.
        Interrupted: it was asked to stop.
    """
    assert request.kind is not None
    path, begun = folder.with_suffix(TEXTS), folder.with_suffix(BEGUN_WITH)
    data = DataConfig(tokenizer=request.tokenizer, vocab_size=request.vocab_size, test_fraction=0)
    # Residual or summed connections are nothing that a classifier can take over.
    wanted = language_model.TrainRequest(
        request.kind, data, budget=budget, seed=seed, model_settings={"connections": "none"}
    )
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
    signature = hashlib.sha256((repr(wanted) + lines).encode()).hexdigest()
    if (folder / CONFIG).exists():
        if not begun.is_file() or begun.read_text("utf-8") != signature:
            remedy = "Repeat the command that started it, or choose another --out."
            raise CheckpointError(folder, "was started with other texts or settings", remedy)
        if load_config(folder).results is None:
            language_model.resume(folder, **vars(callbacks))
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, lines)
        write_text(begun, signature)
        callbacks.on_event(Message(text=f"Of {len(texts):,} texts."))
        wanted = replace(wanted, data=replace(data, texts=(str(path),)))
        language_model.train(folder, wanted, **vars(callbacks))
    path.unlink(missing_ok=True)
    return Pretrained.open(folder)


def forget_pretraining(out: Path) -> None:
    """Removes what only an interrupted training needs."""
    for name in (LANGUAGE_MODEL, BACKWARD_LANGUAGE_MODEL):
        for suffix in (TEXTS, BEGUN_WITH):
            (out / name).with_suffix(suffix).unlink(missing_ok=True)
