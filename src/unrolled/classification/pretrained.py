"""A language model as the beginning of a classifier: words and recurrent layers are taken over.

Source: Dai & Le 2015; Howard & Ruder 2018.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import CheckpointError
from ..models.classifier import RecurrentClassifier
from ..models.recurrent import RecurrentModel
from ..runs.folder import load
from ..settings.models import RecurrentConfig
from ..text.tokenizers import Tokenizer

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
