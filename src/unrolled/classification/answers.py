"""What a mixture answers on texts without labels: one more model learns from it.

A folder keeps the answers while that model is trained, so that it goes on with the same ones.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..atomic import write_atomically
from ..errors import CheckpointError
from ..fit import Interrupted
from .classifier import Classifier
from .metrics import Probs

ANSWERS = "answers.safetensors"


def answers(
    classifier: Classifier, texts: Sequence[str], folder: Path | None, stop: Callable[[], bool]
) -> Probs:
    """Probabilities of the classes, `(N, K)`: those that the folder has, or new ones.

    Raises:
        CheckpointError: those in the folder are damaged, or of other texts.
        Interrupted: `stop` said so.
    """
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    path = folder / ANSWERS if folder is not None else None
    if path is not None and path.exists():
        return _load(path, digest.hexdigest())
    found = []
    for _, probabilities in classifier.stream(texts):
        if stop():
            raise Interrupted
        found.append(probabilities)
    answered = np.array(found)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors, metadata = {"answers": torch.from_numpy(answered)}, {"of": digest.hexdigest()}
        write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata))
    return answered


def _load(path: Path, digest: str) -> Probs:
    try:
        with safe_open(path, "pt") as file:
            if file.metadata().get("of") != digest:
                remedy = "Repeat the command that began it, or choose another --out."
                raise CheckpointError(path, "was begun with other texts", remedy)
            return file.get_tensor("answers").numpy()
    except (SafetensorError, AttributeError) as error:
        problem = f"is damaged ({error})"
        raise CheckpointError(path, problem, "Remove it to begin anew.") from None
