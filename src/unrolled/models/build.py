"""Configuration → model: one visible dict."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..config import ModelConfig, NgramConfig
from ..errors import CheckpointError
from .base import LanguageModel
from .ngram import NgramModel
from .recurrent import RecurrentModel
from .transformer import TransformerModel

BUILDERS: dict[str, Any] = {
    "rnn": RecurrentModel,
    "gru": RecurrentModel,
    "lstm": RecurrentModel,
    "transformer": TransformerModel,
}


def build(config: ModelConfig, vocab_size: int) -> torch.nn.Module:
    """Builds an untrained neural model; an n-gram is counted instead, see `ngram/`."""
    return BUILDERS[config.kind](config, vocab_size)


def load_model(path: Path, config: ModelConfig, vocab_size: int) -> LanguageModel:
    """Loads the weights of a saved model for use, without gradients.

    Raises:
        CheckpointError: the file is missing, damaged, or of another shape than its configuration.
    """
    if not path.is_file():
        raise CheckpointError(path, "does not exist", "Train the run to its end, or --resume it.")
    if isinstance(config, NgramConfig):
        return NgramModel.load(path)
    model = build(config, vocab_size)
    try:
        model.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(path, f"cannot be loaded: {reason}", "Train the run again.") from None
    return model.eval().requires_grad_(False)


def save_weights(model: torch.nn.Module, path: Path) -> None:
    """Writes the weights as safetensors; the caller makes it atomic."""
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
