"""Recurrent text classifiers: embedding, recurrent layers, pooling, one linear layer."""

from contextlib import nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels import input_type
from ..nn.build import build_layer
from ..ops.dropout import locked_dropout
from ..ops.embedding import embedding
from ..ops.pool import pool
from ..settings.models import ClassifierConfig, Pooling, RecurrentConfig

PARTS: dict[Pooling, tuple[str, ...]] = {
    "last": ("last",),
    "max": ("max",),
    "mean": ("mean",),
    "all": ("last", "max", "mean"),
}


class Pool:
    """Gathers states `(T, B, H)` that come in pieces: texts are read in constant memory.

    Steps at or after a row's length do not count. Source of all three together: Howard & Ruder 2018
    (ULMFiT).
    """

    def __init__(self, kind: Pooling, lengths: Tensor) -> None:
        """Takes the lengths of the rows, `(B,)`, each 1 or more."""
        self.kind, self.lengths = kind, lengths
        self.read = 0
        self.found: tuple[Tensor, ...] = ()

    def add(self, y: Tensor) -> None:
        """Adds the states of the next piece, `(P, B, H)`."""
        left = self.lengths - self.read  # steps inside each row from here on, or none
        self.read += len(y)
        last, greatest, total = pool(y, left)
        if self.found:
            last_before, greatest_before, total_before = self.found
            last = torch.where((left >= 1)[:, None], last, last_before)
            greatest = torch.maximum(greatest_before, greatest)
            total = total_before + total
        self.found = last, greatest, total

    def vector(self) -> Tensor:
        """The vector of each row, `(B, H)`, or `(B, 3H)` for all: last, greatest, mean."""
        last, greatest, total = self.found
        known = {"last": last, "max": greatest, "mean": total / self.lengths[:, None]}
        return torch.cat([known[part] for part in PARTS[self.kind]], 1)


PIECE = 1024
"""Time steps computed at a time; between pieces the state is carried, but no gradient."""
GRADIENT_TOKENS = 1 << 15
"""Tokens of a batch, counted from the end, that gradients are remembered for."""
STD = 0.1


class Encoder(nn.Module):
    """Reads texts in one direction: `tokens (B, T)` of `lengths (B,)` to one vector each."""

    def __init__(self, config: ClassifierConfig, backward: bool) -> None:
        super().__init__()
        self.backward, self.pooling = backward, config.pooling
        self.hidden_dropout = config.hidden_dropout
        widths = (config.embedding_size, *config.hidden_sizes)
        layers = [
            build_layer(
                RecurrentConfig(
                    config.kind,
                    hidden_size=hidden_size,
                    nonlinearity=config.nonlinearity,
                    weight_dropout=config.weight_dropout,
                ),
                input_size,
            )
            for input_size, hidden_size in pairwise(widths)
        ]
        self.layers = nn.ModuleList(layers)
        self.states = [(layer.num_states, layer.hidden_size) for layer in layers]

    def forward(
        self,
        tokens: Tensor,
        lengths: Tensor,
        embedding: "WordDropEmbedding",
        shift: Tensor | None = None,
    ) -> Tensor:
        """Returns `(B, H)`, or `(B, 3H)` where everything is pooled."""
        if self.backward:
            tokens = reverse(tokens, lengths)
            shift = None if shift is None else reverse(shift, lengths)
        batch_size, num_steps = tokens.shape
        states = [[torch.zeros(batch_size, width)] * number for number, width in self.states]
        pool = Pool(self.pooling, lengths)
        remembered = GRADIENT_TOKENS // batch_size
        for start in range(0, num_steps, PIECE):
            piece = tokens[:, start : start + PIECE]
            far = start + PIECE <= num_steps - remembered
            with torch.no_grad() if far else nullcontext():
                moved = None if shift is None else shift[:, start : start + PIECE]
                y = embedding(piece.T, None if moved is None else moved.transpose(0, 1))
                for number, layer in enumerate(self.layers):
                    if number:
                        y = locked_dropout(y, self.hidden_dropout, self.training)
                    y, *state = layer(y, *states[number])
                    states[number] = [part.detach() for part in state]
                pool.add(y)
        return pool.vector()


class WordDropEmbedding(nn.Module):
    """An embedding that leaves out single words while training: they are embedded as zero."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.vocab_size, config.embedding_size))
        nn.init.normal_(self.weight, 0, STD)
        self.word_dropout, self.scale = config.word_dropout, config.embedding_scale

    def forward(self, tokens: Tensor, shift: Tensor | None = None) -> Tensor:
        """Embeds `tokens (...)` as `(..., E)`, and adds what is to be added, of that shape."""
        factors = self.weight.new_full(tokens.shape, self.scale)
        if self.training and self.word_dropout:
            factors *= torch.empty_like(factors).bernoulli_(1 - self.word_dropout)
        if shift is not None:  # in full precision: a shift is small
            return embedding(tokens, self.weight, factors) + shift
        return embedding(tokens, self.weight, factors, input_type(self.weight))

    def embed(self, tokens: Tensor) -> Tensor:
        """The same with no word left out, in full precision."""
        return embedding(tokens, self.weight, self.weight.new_full(tokens.shape, self.scale))


class RecurrentClassifier(nn.Module):
    """Log-probabilities of K classes for `tokens (B, T)` of `lengths (B,)`.

    What stands after a row's length changes nothing. Two directions share their embedding only.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        directions = (False, True) if config.bidirectional else (False,)
        self.embedding = WordDropEmbedding(config)
        self.encoders = nn.ModuleList(Encoder(config, backward) for backward in directions)
        width = len(directions) * len(PARTS[config.pooling]) * config.hidden_sizes[-1]
        # Two classes are one question.
        self.head = nn.Linear(width, config.num_classes if config.num_classes > 2 else 1)

    def forward(self, tokens: Tensor, lengths: Tensor, shift: Tensor | None = None) -> Tensor:
        """Returns log-probabilities `(B, K)`, float32.

        Args:
            shift: `(B, T, E)`, added to the words' vectors: its gradient is theirs.
        """
        vectors = [encoder(tokens, lengths, self.embedding, shift) for encoder in self.encoders]
        x = F.dropout(torch.cat(vectors, 1), self.config.dropout, self.training)
        with torch.autocast("cpu", enabled=False):
            scores = self.head(x)
        if scores.shape[1] == 1:
            return torch.cat([F.logsigmoid(-scores), F.logsigmoid(scores)], 1)
        return scores.log_softmax(1)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from the output to the input: head, recurrent layers from the top, words."""
        groups = [list(self.head.parameters())]
        depth = len(self.config.hidden_sizes)
        for level in reversed(range(depth)):
            name = f"layers.{level}"
            layers = [encoder.get_submodule(name) for encoder in self.encoders]
            groups.append([value for layer in layers for value in layer.parameters()])
        return [*groups, list(self.embedding.parameters())]


def reverse(x: Tensor, lengths: Tensor) -> Tensor:
    """Each row of `x (B, T)` or `(B, T, E)` from its end to its beginning; padding stays."""
    steps = torch.arange(x.shape[1])
    last = lengths[:, None] - 1
    places = torch.where(steps <= last, last - steps, steps)
    if x.dim() == 2:
        return x.gather(1, places)
    rows = places + torch.arange(len(x))[:, None] * x.shape[1]
    return embedding(rows, x.flatten(0, 1))  # whose way back is the fast one
