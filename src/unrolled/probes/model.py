"""The small sequence model of the probes: read, remember, answer where something is asked."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ..nn.attention import Block, rotary_angles, window_mask
from ..nn.build import build_layer
from ..nn.embedding import TiedEmbedding
from ..nn.layer import Layer
from ..nn.stack import RecurrentStack
from ..settings.kinds import KINDS
from ..settings.models import RecurrentConfig
from .request import Variant
from .tasks import Task

EMBEDDING_SIZE = 32
"""E, width of a symbol's vector for recurrent layers; a Transformer's is as wide as itself."""
NUM_HEADS, NUM_BLOCKS = 2, 2
"""Of a Transformer: attention needs a second layer to find what follows a symbol seen before."""


class AttentionStack(nn.Module):
    """Transformer blocks with causal attention over the whole sequence and rotary positions."""

    def __init__(self, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(hidden_size, NUM_HEADS, 0.0) for _ in range(num_layers))
        self.norm = nn.RMSNorm(hidden_size, eps=1e-6)
        for name, parameter in self.blocks.named_parameters():
            if parameter.dim() == 2:
                residual = (2 * num_layers) ** -0.5 if ".output." in name else 1.0
                nn.init.normal_(parameter, 0, hidden_size**-0.5 * residual)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(B, T, D)` to `(B, T, D)`; a step sees itself and those before it."""
        num_steps, width = x.shape[1:]
        nothing = x.new_zeros(len(x), 0, NUM_HEADS, width // NUM_HEADS)
        mask = window_mask(num_steps, 0, num_steps, torch.zeros(1, dtype=torch.int64))
        positions = torch.arange(num_steps)[None]
        cos, sin = (angle.to(x.dtype) for angle in rotary_angles(positions, width // NUM_HEADS))
        for block in self.blocks:
            x, _, _ = block(x, nothing, nothing, cos, sin, mask)
        return self.norm(x)


class ProbeModel(nn.Module):
    """Embedding (symbols) or plain inputs (numbers), recurrent layers or attention, read-out.

    Call it with `inputs (B, T)` or `(B, T, 2)` and `mask (B, T)`; it answers at the N steps where
    the mask is True, `(N, V)` or `(N, 1)`.
    """

    def __init__(self, task: Task, variant: Variant, hidden_size: int) -> None:
        super().__init__()
        self.kind, self.hidden_size = variant.kind, hidden_size
        attends = is_transformer(variant)
        self.num_layers = NUM_BLOCKS if attends else KINDS[variant.kind].num_layers
        width = hidden_size if attends else EMBEDDING_SIZE
        self.embedding: TiedEmbedding | None = None
        self.input: nn.Module = nn.Identity()
        if task.vocab_size is not None:
            self.embedding = TiedEmbedding(task.vocab_size, width)
            # All begin with small logits, whatever the vocabulary.
            nn.init.normal_(self.embedding.weight, 0, width**-0.5)
            self.embedding.scale = math.sqrt(width)
            self.output = nn.Linear(hidden_size, width)
        else:
            self.input = nn.Linear(2, width) if attends else nn.Identity()
            self.output = nn.Linear(hidden_size, 1)
        inputs = width if attends or task.vocab_size is not None else 2
        self.body: AttentionStack | RecurrentStack = (
            AttentionStack(hidden_size, self.num_layers)
            if attends
            else RecurrentStack([*_layers(variant, inputs, hidden_size, task.num_steps)])
        )

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Answers at the masked steps, in the order of rows, then steps."""
        x = self.input(inputs) if self.embedding is None else self.embedding(inputs)
        if isinstance(self.body, RecurrentStack):
            y, _ = self.body(x, self.body.initial_state(len(x)))
        else:
            y = self.body(x)
        outputs = self.output(y.flatten(0, 1)[mask.flatten().nonzero()[:, 0]])
        if self.embedding is None:
            return outputs
        return nn.functional.linear(outputs, self.embedding.weight, self.embedding.bias)

    def num_parameters(self) -> int:
        """All but the embedding: its size depends on the task, not on the kind of layer."""
        parts = (self.input, self.body, self.output)
        return sum(weight.numel() for part in parts for weight in part.parameters())

    def state_size(self, num_steps: int) -> int:
        """Numbers kept of the past after T steps: states, or keys and values of all steps."""
        if isinstance(self.body, RecurrentStack):
            return self.num_layers * self.body.num_states * self.hidden_size
        return 2 * self.num_layers * self.hidden_size * num_steps


def build(task: Task, variant: Variant, num_parameters: int, seed: int) -> ProbeModel:
    """Builds the model of a kind whose number of parameters is nearest to the given one."""
    step = 2 * NUM_HEADS if is_transformer(variant) else 2

    def count(steps: int) -> int:
        with torch.device("meta"):
            return ProbeModel(task, variant, step * steps).num_parameters()

    with torch.random.fork_rng(devices=()):
        steps = _nearest(count, num_parameters)
        torch.manual_seed(seed)
        return ProbeModel(task, variant, step * steps)


def _nearest(count: Callable[[int], int], wanted: int) -> int:
    """The n >= 1 whose count, which grows with n, is nearest to the wanted one."""
    low, high = 1, 2
    while count(high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return min((low, high), key=lambda n: abs(count(n) - wanted))


def is_transformer(variant: Variant) -> bool:
    """Whether a variant attends in place of a recurrence."""
    return KINDS[variant.kind].family == "transformer"


def _layers(variant: Variant, input_size: int, hidden_size: int, num_steps: int) -> Iterator[Layer]:
    """Layers of one kind with their cure."""
    config = RecurrentConfig(
        variant.kind,
        hidden_size=hidden_size,
        nonlinearity="relu" if variant.recurrent_init == "identity" else "tanh",
        recurrent_init=variant.recurrent_init,
        gate_init=variant.gate_init,
        max_timescale=max(num_steps, 2),
    )
    for width in [input_size] + [hidden_size] * (KINDS[variant.kind].num_layers - 1):
        yield build_layer(config, width)
