"""A language model as what the loop trains: running text with carried state."""

from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import save_file
from torch import Tensor

from ..inference.evaluation import num_validation_tokens, to_bits_per_byte, validation_nats
from ..models.base import NeuralModel, State, detach_state, state_from_tensors, state_to_tensors
from ..ops.linear_log_probs import make_sampler
from ..results.events import LossUnit
from ..runs.folder import MODEL
from ..settings.training import TrainConfig
from ..system.files import write_atomically
from ..text.store import TokenStore
from .batches import Batch, BatchStream
from .loop import Trainee, autocast
from .optimizer import ParameterGroup, trapezoid


class LanguageModelTrainee(Trainee[NeuralModel, TrainConfig]):
    """A neural language model that reads a text.

    Args:
        unigram: Log-probabilities of the tokens on their own, `(V,)`.
        closing_tokens: To be scored after the last step, inside the budget.
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
    ) -> None:
        self.model, self.config = model, config
        self.store, self.closing_tokens = store, closing_tokens
        self.betas = (config.beta1, config.beta2)
        self.clip_value, self.average_fraction = config.clip_value, config.average_fraction
        self.batches = BatchStream(
            *(store, "train", config.batch_size, config.sequence_length, config.seed),
            length_variation=config.length_variation,
        )
        self.sampler = make_sampler(unigram, config.candidates)
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
            return validation_nats(self.model, self.store)

    def fraction_of_epochs(self, num_epochs: float, num_tokens: int) -> float:
        """The part of so many passes over the lanes that is read."""
        return num_tokens / (num_epochs * self.batches.tokens_per_epoch)

    def closing_seconds(self, validation_seconds: float) -> float:
        """Two candidates are validated at the end, then the splits are scored in float32."""
        rate = num_validation_tokens(self.store) / validation_seconds
        closing = 1.5 * self.closing_tokens / rate + 0.5 if self.closing_tokens else 0.0
        return 2 * validation_seconds + closing

    def in_unit(self, nats: float, split: str) -> float:
        """Bits per byte of the split, spelling included."""
        return to_bits_per_byte(nats, self.store.split(split))

    def save_best(self, run: Path, best: dict[str, Tensor]) -> None:
        """Writes model.safetensors."""
        write_atomically(run / MODEL, lambda path: save_file(best, path))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The carried state, and the place in the text."""
        place = {"epoch": self.batches.epoch, "position": self.batches.position}
        return state_to_tensors(self.carried, "carried"), place

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> dict[str, Any]:
        """Takes both back."""
        self.batches.epoch, self.batches.position = values.pop("epoch"), values.pop("position")
        self.carried = state_from_tensors(self.carried, tensors, "carried")
        return values
