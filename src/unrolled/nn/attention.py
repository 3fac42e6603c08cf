"""Causal attention over a sliding window, and the block of the Transformer around it."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rotary_angles(positions: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the angles by which a position turns pairs of features.

    angle(p, i) = p * 10000^(-2 i / d).  Source: Su et al. 2021 (RoFormer).
    In float64, so that a position in the billions is as exact as the first.

    Args:
        positions: `(B, T)` int64.
        width: Features of one head, d, even.

    Returns:
        cos, sin: Each `(B, T, 1, d / 2)` float64.
    """
    pairs = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device)
    angles = positions[:, :, None, None] * 10000 ** (-pairs / width)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns feature pairs (i, i + d / 2) of `x (B, T, heads, d)`.

    The product of two turned vectors depends on the difference of their positions alone.
    """
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), -1)


def window_mask(num_new: int, num_kept: int, context: int, counts: Tensor) -> Tensor:
    """Which keys a query may see: itself, and at most `context` valid ones before it.

    Args:
        num_new: T, queries; their keys are the last T of all K.
        num_kept: K - T, keys kept from earlier reads.
        counts: How many of the kept keys are valid, the last ones, `(B,)`; more than there are
            means all.

    Returns:
        mask: True where attention is allowed, `(B, 1, T, K)`.
    """
    keys = torch.arange(num_kept + num_new, device=counts.device)
    queries = keys[num_kept:, None]
    window = (keys <= queries) & (keys >= queries - context)  # (T, K)
    valid = keys >= num_kept - counts[:, None]  # (B, K)
    return window & valid[:, None, None]


class Attention(nn.Module):
    """Multi-head attention: `query_key_value (3D, D)`, `output (D, D)`."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query_key_value = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.output = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, cos: Tensor, sin: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Reads T steps with the keys and values of earlier ones at hand.

        Args:
            x: `(B, T, D)`.
            keys, values: Kept ones, the keys rotated, each `(B, context, heads, d)`.
            cos, sin: Of the positions of the T steps, each `(B, T, 1, d / 2)`.
            mask: `(B, 1, T, K)` over the last K keys, kept and new.

        Returns:
            y: `(B, T, D)`.
            keys, values: The last `context` of all, kept and new.
        """
        new = self.query_key_value(x).unflatten(-1, (3, self.num_heads, -1))
        query, new_keys, new_values = new.unbind(2)  # (B, T, heads, d)
        all_keys = torch.cat((keys, rotate(new_keys, cos, sin).to(keys.dtype)), 1)
        all_values = torch.cat((values, new_values.to(values.dtype)), 1)
        num_seen = mask.shape[-1]
        y = F.scaled_dot_product_attention(
            rotate(query, cos, sin).transpose(1, 2),
            all_keys[:, -num_seen:].transpose(1, 2),
            all_values[:, -num_seen:].transpose(1, 2),
            attn_mask=mask,
        )
        # Views: what is kept is copied once, when the next read joins it with its own.
        context = keys.shape[1]
        y = self.output(y.transpose(1, 2).flatten(2))
        return y, all_keys[:, -context:], all_values[:, -context:]


class SwiGLU(nn.Module):
    """Gated feed-forward layer: W_out (silu(W_gate x) * W_value x).

    Two thirds of the usual four-fold width, as it has three matrices.  Source: Shazeer 2020.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        width = 32 * math.ceil(8 * hidden_size / 3 / 32)
        self.gate_value = nn.Linear(hidden_size, 2 * width, bias=False)
        self.output = nn.Linear(width, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps `(..., D)` to `(..., D)`."""
        gate, value = self.gate_value(x).chunk(2, -1)
        return self.output(F.silu(gate) * value)


class Block(nn.Module):
    """One Transformer layer: x + attention(norm(x)), then x + swiglu(norm(x))."""

    def __init__(self, hidden_size: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.attention_norm = nn.RMSNorm(hidden_size, eps=1e-6)
        self.attention = Attention(hidden_size, num_heads)
        self.feed_norm = nn.RMSNorm(hidden_size, eps=1e-6)
        self.feed = SwiGLU(hidden_size)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, cos: Tensor, sin: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Reads T steps; arguments and results as those of `Attention`."""
        y, keys, values = self.attention(self.attention_norm(x), keys, values, cos, sin, mask)
        x = x + F.dropout(y, self.dropout, self.training)
        x = x + F.dropout(self.feed(self.feed_norm(x)), self.dropout, self.training)
        return x, keys, values
