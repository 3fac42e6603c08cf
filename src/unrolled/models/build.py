"""Configuration → model: one visible dict."""

from collections.abc import Callable
from pathlib import Path
from textwrap import shorten

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ..errors import CheckpointError
from ..settings.kinds import kind_row
from ..settings.models import ModelConfig, NgramConfig, flat_settings
from .base import LanguageModel, NeuralModel
from .ngram import NgramModel
from .own import build_own
from .recurrent import RecurrentModel
from .transformer import TransformerModel

FAMILIES: dict[str, Callable[..., NeuralModel]] = {
    "recurrent": RecurrentModel,
    "transformer": TransformerModel,
    "own": build_own,
}


SIZES = "embedding_size", "hidden_size", "num_layers"
LARGEST_WEIGHT = 1e9
"""In a damaged file a weight may be 1e30: its products overflow, and figures are no numbers."""


def build(config: ModelConfig, vocab_size: int) -> NeuralModel:
    """Builds an untrained neural model; an n-gram is counted instead, see `ngram/`."""
    return FAMILIES[kind_row(config.kind).family](config, vocab_size)


def load_model(path: Path, config: ModelConfig, vocab_size: int) -> LanguageModel:
    """Loads the weights of a saved model for use, without gradients.

    Raises:
        CheckpointError: the file is missing, damaged, of another shape than its configuration, or
            holds weights that no training reaches.
    """
    if not path.is_file():
        raise CheckpointError(path, "does not exist", "Train the run to its end, or --resume it.")
    if isinstance(config, NgramConfig):
        return NgramModel.load(path)
    for name in SIZES:  # a wrong number is named before memory is taken for it
        size = flat_settings(config).get(name, 0)
        if isinstance(size, int) and 4 * size > path.stat().st_size:
            raise CheckpointError(path, f"is too small for {name} {size}", "Train the run again.")
    model = build(config, vocab_size)
    try:
        model.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        reason = shorten(str(error), 200, placeholder=" and more").rstrip(". ")
        raise CheckpointError(path, f"cannot be loaded: {reason}", "Train the run again.") from None
    if (name := unusable_weight(model)) is not None:
        raise CheckpointError(path, f"has unusable numbers in {name}", "Train the run again.")
    return model.eval().requires_grad_(False)


def unusable_weight(model: nn.Module) -> str | None:
    """The name of a weight beyond `LARGEST_WEIGHT`, infinite or no number; None: there is none."""
    for name, weight in model.state_dict().items():
        least, most = weight.aminmax()
        if not -LARGEST_WEIGHT <= least <= most <= LARGEST_WEIGHT:
            return name
    return None
