"""What the loop trains: a model with its batches and losses; here, a language model."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..inference.evaluation import num_validation_tokens, to_bits_per_byte, validation_nats
from ..models.base import NeuralModel, State, detach_state, state_from_tensors, state_to_tensors
from ..ops.linear_log_probs import make_sampler
from ..results.events import LossUnit, Paced, Standing, Validation
from ..runs.folder import MODEL
from ..settings.training import ClassifierTrainConfig, TrainConfig
from ..system.files import write_atomically
from ..text.store import TokenStore
from .batches import Batch, BatchStream
from .optimizer import ParameterGroup, trapezoid
from .pace import PaceWatch

Model = TypeVar("Model", bound=nn.Module)
Config = TypeVar("Config", TrainConfig, ClassifierTrainConfig)


class Trainee(ABC, Generic[Model, Config]):
    """What the loop trains: a model with its batches, its loss and its validation."""

    model: Model
    config: Config
    unit: ClassVar[LossUnit]
    betas: tuple[float, float] = (0.9, 0.999)
    """Of AdamW."""
    clip_value: float = 0.0
    """Largest single entry of the gradient; 0: not clipped."""
    average_fraction: float = 0.0
    """Last part of the budget over which weights are averaged; validated is the mean at the end."""
    validates_average: ClassVar[bool] = False
    """Whether what is validated is the mean of the weights since the last validation."""
    num_validations: ClassVar[tuple[int, int]]
    """Over a budget: as a rule, and at least, where one takes long."""
    does_not_fit: ClassVar[tuple[str, str]]
    """What a checkpoint is called that belongs to another training, and the next step."""

    @abstractmethod
    def parameter_groups(self) -> list[ParameterGroup]:
        """All parameters, in an order that stays the same: checkpoints go by it."""

    @abstractmethod
    def rate_factor(self, fraction: float) -> float:
        """The part of the learning rate that is used where this part of the budget is used up."""

    @abstractmethod
    def next_batch(self) -> Any:
        """What the next update learns from."""

    @abstractmethod
    def backward(self, batch: Any) -> tuple[float, int]:
        """Adds the gradients of a batch; returns its loss in nats, and its tokens."""

    @abstractmethod
    def validate(self) -> float:
        """The loss of the model, in evaluation mode, on validation text, in nats."""

    @abstractmethod
    def fraction_of_epochs(self, num_epochs: float, num_tokens: int) -> float:
        """The part of so many passes that is read, with so many tokens."""

    def closing_seconds(self, validation_seconds: float) -> float:
        """Time to keep back for what follows the last update."""
        return validation_seconds

    def keep_pace(self, standing: Standing, update_seconds: float) -> Paced | None:
        """Called after every validation: measures precision and threads again if need be.

        Args:
            update_seconds: Spent in training steps so far.
        """
        return None

    def in_unit(self, nats: float, split: str) -> float:
        """A loss on a split, in the unit of the events."""
        return nats

    def validation_event(
        self, standing: Standing, nats: float | None, valid_nats: float
    ) -> Validation:
        """What is reported of a validation; `nats` is the loss of the last batch, if any."""
        train = None if nats is None else self.in_unit(nats, "train")
        return Validation(**standing, train=train, valid=self.in_unit(valid_nats, "valid"))

    def save_best(self, run: Path, best: dict[str, Tensor]) -> None:
        """Writes the best weights where others use them while the training goes on."""

    def signature(self) -> str:
        """What a checkpoint has to belong to; empty where config.json says it."""
        return ""

    @abstractmethod
    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON values that a checkpoint needs besides weights and optimizer."""

    @abstractmethod
    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> dict[str, Any]:
        """Takes back what `state` gave, and returns the values that are not its own."""


def autocast(precision: str) -> torch.autocast:
    """Matrix products in bfloat16 where the run decided for it."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")


class LanguageModelTrainee(Trainee[NeuralModel, TrainConfig]):
    """A neural language model that reads a text.

    Args:
        unigram: Log-probabilities of the tokens on their own, `(V,)`.
        closing_tokens: To be scored after the last step, inside the budget.
        validation_tokens: Most to be read in a validation; default: those of 40 kB.
    """

    unit: ClassVar[LossUnit] = "bits/byte"
    num_validations: ClassVar[tuple[int, int]] = (20, 8)
    does_not_fit: ClassVar[tuple[str, str]] = ("does not fit config.json", "Train the run again.")

    def __init__(
        self,
        model: NeuralModel,
        store: TokenStore,
        config: TrainConfig,
        unigram: Tensor,
        closing_tokens: int = 0,
        validation_tokens: int | None = None,
    ) -> None:
        self.model, self.config = model, config
        self.store, self.closing_tokens = store, closing_tokens
        num_tokens = num_validation_tokens(store)
        self.validation_tokens = min(num_tokens, validation_tokens or num_tokens)
        self.betas = (config.beta1, config.beta2)
        self.clip_value, self.average_fraction = config.clip_value, config.average_fraction
        self.batches = BatchStream(
            *(store, "train", config.batch_size, config.sequence_length, config.seed),
            length_variation=config.length_variation,
        )
        self.sampler = make_sampler(unigram, config.candidates)
        self.watch: PaceWatch | None = None
        """Of the speed, where precision or threads are open."""
        self.carried: State = model.initial_state(self.batches.batch_size)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Matrices, which decay, and vectors (biases, norms), which do not."""
        matrices = [value for value in self.model.parameters() if value.dim() > 1]
        vectors = [value for value in self.model.parameters() if value.dim() <= 1]
        return [
            {"params": matrices, "weight_decay": self.config.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]

    def rate_factor(self, fraction: float) -> float:
        """Up, flat, down."""
        return trapezoid(fraction, self.config.warmup_fraction, self.config.decay_fraction)

    def next_batch(self) -> Batch:
        """The next piece of every lane."""
        return self.batches.take()

    def backward(self, batch: Batch) -> tuple[float, int]:
        """The nats are those of the next tokens, without what else is minimized."""
        if batch.starts_epoch or not self.config.carry_state:
            self.carried = self.model.initial_state(self.batches.batch_size)
        candidates = self.sampler.draw() if self.sampler else None
        with autocast(self.config.precision):
            loss, main, state = self.model.loss(
                batch.tokens, batch.targets, self.carried, candidates
            )
        loss.backward()
        self.carried = detach_state(state)
        return main.item(), batch.tokens.numel()

    def validate(self) -> float:
        """Nats per token on the first validation tokens."""
        with autocast(self.config.precision):
            return validation_nats(self.model, self.store, self.validation_tokens)

    def fraction_of_epochs(self, num_epochs: float, num_tokens: int) -> float:
        """The part of so many passes over the lanes that is read."""
        return num_tokens / (num_epochs * self.batches.tokens_per_epoch)

    def closing_seconds(self, validation_seconds: float) -> float:
        """Two candidates are validated at the end, then the splits are scored in float32."""
        rate = self.validation_tokens / validation_seconds
        closing = 1.5 * self.closing_tokens / rate + 0.5 if self.closing_tokens else 0.0
        return 2 * validation_seconds + closing

    def keep_pace(self, standing: Standing, update_seconds: float) -> Paced | None:
        """Goes on with the precision and threads that are fastest now."""
        if self.watch is None:
            return None
        found = self.watch.look(standing["tokens"], update_seconds)
        if found is None:
            return None
        speed, pace = found
        self.config = replace(self.config, precision=pace.precision, threads=pace.threads)
        text = f"Trained at {speed:,.0f} tokens/s of late; measured again: {pace}."
        return Paced(
            **standing,
            precision=pace.precision,
            threads=pace.threads,
            tokens_per_second=pace.tokens_per_second,
            text=text,
        )

    def in_unit(self, nats: float, split: str) -> float:
        """Bits per byte of the split, spelling included."""
        return to_bits_per_byte(nats, self.store.split(split))

    def save_best(self, run: Path, best: dict[str, Tensor]) -> None:
        """Writes model.safetensors."""
        write_atomically(run / MODEL, lambda path: save_file(best, path))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The carried state, the place in the text, and what is validated."""
        place = {"epoch": self.batches.epoch, "position": self.batches.position}
        place["validation_tokens"] = self.validation_tokens
        return state_to_tensors(self.carried, "carried"), place

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> dict[str, Any]:
        """Takes them back."""
        self.batches.epoch, self.batches.position = values.pop("epoch"), values.pop("position")
        self.validation_tokens = values.pop("validation_tokens", self.validation_tokens)
        self.carried = state_from_tensors(self.carried, tensors, "carried")
        return values
