"""The Transformer language model, for comparison: it remembers by keeping a window of the past."""

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ShapeError
from ..nn.attention import Block, rotary_angles, window_mask
from ..settings.models import TransformerConfig
from .base import NeuralModel

Layers: TypeAlias = tuple[tuple[Tensor, Tensor], ...]
Cache: TypeAlias = tuple[Layers, Tensor]
"""Rotated keys and values of each layer, `(B, context, heads, d)`, and tokens read, `(B,)`."""


class TransformerModel(NeuralModel):
    """Decoder with pre-norm RMSNorm, normalized queries and keys, rotary positions, SwiGLU.

    The softmax is tied.

    A `LanguageModel`: start with `initial_state(B)`, then `read` or `score` pieces of any length.
    Each layer sees a token and at most `context` tokens before it. The state keeps their keys and
    values, so a text never becomes too long, and the cut into pieces changes nothing.

    Raises:
        ConfigError: a setting is out of its range.
    """

    def __init__(self, config: TransformerConfig, vocab_size: int) -> None:
        super().__init__(vocab_size, config.hidden_size)
        self.config = config
        width, heads = config.hidden_size, config.num_heads
        self.head_width = width // heads
        self.blocks = nn.ModuleList(
            Block(width, heads, config.dropout) for _ in range(config.num_layers)
        )
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self._initialize()

    def _initialize(self) -> None:
        std = self.config.hidden_size**-0.5
        for name, parameter in self.blocks.named_parameters():
            if parameter.dim() == 2:
                # The residual stream adds two outputs per layer; this keeps its size.
                residual = (2 * len(self.blocks)) ** -0.5 if ".output." in name else 1.0
                nn.init.normal_(parameter, 0, std * residual)
        # A token's own embedding is most of what reaches the tied softmax: at full size the
        # untrained model would be sure that every token repeats.
        nn.init.constant_(self.norm.weight, std)

    def initial_state(self, batch_size: int) -> Cache:
        """Returns an empty cache for B rows."""
        config, weight = self.config, self.embedding.weight
        shape = (batch_size, config.context, config.num_heads, self.head_width)
        layers = tuple((weight.new_zeros(shape), weight.new_zeros(shape)) for _ in self.blocks)
        return layers, torch.zeros(batch_size, dtype=torch.int64, device=weight.device)

    def pieces(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Cuts a long text: attention over a piece costs its length times that of the window."""
        return tokens.split(self.config.context, 1)

    def forward(self, tokens: Tensor, state: Cache) -> tuple[Tensor, Cache]:
        """What the softmax reads, `(B, T, D)`, for T <= context."""
        layers, counts = state
        if len(counts) != len(tokens):
            raise ShapeError("state", f"(B,) = ({len(tokens)},) counts", tuple(counts.shape))
        num_new, context = tokens.shape[1], self.config.context
        num_kept = min(context, int(counts.max()))  # slots that no row has filled are not looked at
        mask = window_mask(num_new, num_kept, context, counts)
        positions = counts[:, None] + torch.arange(num_new, device=counts.device)
        x = F.dropout(self.embedding(tokens), self.config.dropout, self.training)
        cos, sin = (angle.to(x.dtype) for angle in rotary_angles(positions, self.head_width))
        kept = []
        for block, (keys, values) in zip(self.blocks, layers, strict=True):
            x, keys, values = block(x, keys, values, cos, sin, mask)
            kept.append((keys, values))
        return self.norm(x), (tuple(kept), counts + num_new)
