"""Causal attention over a sliding window, and the block of the Transformer around it."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rotary_table(num_positions: int, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines by which positions turn pairs of features.

    angle(p, i) = p * 10000^(-2 i / d).  Source: Su et al. 2021 (RoFormer).

    Args:
        width: Features of one head, d, even.

    Returns:
        cos, sin: Each `(num_positions, d / 2)`.
    """
    rates = 10000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(num_positions, dtype=torch.float64)[:, None] * rates
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns feature pairs (i, i + d / 2) of `x (..., T, d)` by the angles of T positions.

    The product of two turned vectors depends on the difference of their positions alone.
    """
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), -1)


def window_mask(num_new: int, num_kept: int, context: int, counts: Tensor) -> Tensor:
    """Which keys a query may see: itself, and at most `context` valid ones before it.

    Args:
        num_new: T, queries; their keys are the last T of all K.
        num_kept: K - T, keys kept from earlier reads.
        counts: How many of the kept keys are valid, the last ones, `(B,)`.

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
        """Reads T steps after K - T kept ones.

        Args:
            x: `(B, T, D)`.
            keys, values: Kept ones, unrotated, each `(B, K - T, heads, d)`.
            cos, sin: Of positions 0 to K - 1, each `(K, d / 2)`.
            mask: `(B, 1, T, K)`, as `window_mask` makes it.

        Returns:
            y: `(B, T, D)`.
            keys, values: Kept and new ones, each `(B, K, heads, d)`.
        """
        new = self.query_key_value(x).unflatten(-1, (3, self.num_heads, -1))
        query, new_keys, new_values = new.unbind(2)  # (B, T, heads, d)
        keys = torch.cat((keys, new_keys), 1)
        values = torch.cat((values, new_values), 1)
        T = x.shape[1]
        y = F.scaled_dot_product_attention(
            rotate(query.transpose(1, 2), cos[-T:], sin[-T:]),
            rotate(keys.transpose(1, 2), cos, sin),
            values.transpose(1, 2),
            attn_mask=mask,
        )
        return self.output(y.transpose(1, 2).flatten(2)), keys, values


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
