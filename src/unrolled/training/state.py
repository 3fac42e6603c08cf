"""The weights of a model in training: as they are, their mean over a while, and the best so far."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


@dataclass
class TrainedWeights:
    """All tensors that a training changes, and how they go into a checkpoint and back."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: Weights = field(init=False)
    """Uniform mean of the weights at the moments that were added."""
    best: Weights = field(init=False)

    def __post_init__(self) -> None:
        self.average, self.best = clone_weights(self.model), clone_weights(self.model)

    def add_to_average(self, number: int) -> None:
        """Makes the mean of the weights at `number` - 1 moments that of `number`, with these."""
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 / number)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Gives the model the mean for a while, then its own weights again."""
        current = clone_weights(self.model)
        self.model.load_state_dict(self.average)
        yield
        self.model.load_state_dict(current)

    def keep_best(self) -> None:
        """Remembers the weights as they are as the best."""
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.best[name].copy_(value)

    def to_tensors(self) -> dict[str, Tensor]:
        """For a checkpoint: the weights, the optimizer's state and that of the random numbers."""
        parts = {"model": self.model.state_dict(), "average": self.average, "best": self.best}
        tensors = {
            f"{part}.{name}": value
            for part, found in parts.items()
            for name, value in found.items()
        }
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items()}
        return tensors | {"rng": torch.get_rng_state()}

    def from_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Takes back what `to_tensors` gave.

        Raises:
            KeyError, RuntimeError, ValueError: it was of another model.
        """
        parts: dict[str, Weights] = {"optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor
        for part in ("average", "best", "model"):  # loading shows whether all fit
            self.model.load_state_dict(parts[part])
        self.average, self.best = parts["average"], parts["best"]
        state = self.optimizer.state_dict()
        for name, tensor in parts["optimizer"].items():
            index, _, key = name.partition(".")
            state["state"].setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict(state)
        torch.set_rng_state(tensors["rng"])


def clone_weights(model: nn.Module) -> Weights:
    """A copy of all weights."""
    return {name: value.clone() for name, value in model.state_dict().items()}
