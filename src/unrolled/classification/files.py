"""A classifier in one file: safetensors with the settings as JSON in its header."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError, ConfigError
from ..models.classifier import RecurrentClassifier
from ..runs.folder import CLASSIFIER
from ..settings.models import ClassifierConfig
from ..settings.training import ClassifierTrainConfig
from ..system.files import write_atomically
from ..text.tokenizers import tokenizer_from_dict
from .classifier import Classifier, Member, RecurrentMember
from .linear import LinearModel

FILE, KIND, FORMAT = CLASSIFIER, "unrolled classifier", "unrolled classifier 2"
REMEDY, AGAIN = "Restore it, or train again.", "Use that version, or train again."


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Writes a classifier, whole or not at all."""
    linear = classifier.linear
    parts = ("columns", "ratios", "weights", "bias")
    tensors = {f"linear.{name}": torch.from_numpy(getattr(linear, name)) for name in parts}
    values: dict[str, Any] = {
        "classes": classifier.classes,
        "linear": {"unit": linear.unit, "penalty": linear.penalty},
        "recurrent": {},
        "weights": classifier.weights,
        "alone": classifier.alone,
        "info": classifier.info,
    }
    for name, member in classifier.members.items():
        if isinstance(member, RecurrentMember):
            state = member.model.state_dict()
            tensors |= {f"{name}.{key}": value.contiguous() for key, value in state.items()}
            values["recurrent"][name] = {
                "model": member.model.config.to_json(),
                "train": member.config.to_json(),
                "tokenizer": member.tokenizer.to_dict(),
                "mirrored": member.mirrored,
            }
    header = {"format": FORMAT, "values": json.dumps(values, ensure_ascii=False)}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, header))


def load_classifier(path: str | Path) -> Classifier:
    """Opens a classifier: the file, or the folder that `unrolled classify train` wrote.

    Raises:
        CheckpointError: it is missing, damaged, or something else.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        remedy = "Make one with: unrolled classify train"
        raise CheckpointError(path, "does not exist", remedy)
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found = header.get("format", "")
        if found.startswith(KIND) and found != FORMAT:
            raise CheckpointError(path, "was written by another version of unrolled", AGAIN)
        if found != FORMAT:
            raise CheckpointError(path, "is not a classifier", "Name one, or train one.")
        return _build(json.loads(header["values"]), tensors)
    except (SafetensorError, ConfigError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise CheckpointError(path, f"is damaged ({reason})", REMEDY) from None


def _build(values: dict[str, Any], tensors: dict[str, Tensor]) -> Classifier:
    names = ("columns", "ratios", "weights", "bias")
    parts: dict[str, Any] = {name: tensors[f"linear.{name}"].numpy() for name in names}
    members: dict[str, Member] = {"linear": LinearModel(**values["linear"], **parts)}
    for name, settings in values["recurrent"].items():
        members[name] = _recurrent(settings, f"{name}.", tensors)
    return Classifier(
        values["classes"], members, values["weights"], values["alone"], values["info"]
    )


def _recurrent(
    settings: dict[str, Any], prefix: str, tensors: dict[str, Tensor]
) -> RecurrentMember:
    model = RecurrentClassifier(ClassifierConfig.from_json(settings["model"]))
    found = (name for name in tensors if name.startswith(prefix))
    model.load_state_dict({name.removeprefix(prefix): tensors[name] for name in found})
    return RecurrentMember(
        model.eval().requires_grad_(False),
        tokenizer_from_dict(settings["tokenizer"]),
        ClassifierTrainConfig.from_json(settings["train"]),
        settings["mirrored"],
    )
