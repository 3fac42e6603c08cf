"""Causal attention over a sliding window: the block of the Transformer, and one recurrent head."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDEST_PLAIN = 128
"""Features of a head up to which scores may be rounded to bfloat16: they grow with their root."""


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


def attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """softmax(q k / sqrt(d)) v.  Source: Vaswani et al. 2017.

    Args:
        query: `(B, T, heads, d)`.
        keys, values: `(B, K, heads, d)`.
        mask: True where attention is allowed, `(B, 1, T, K)`.

    Returns:
        y: `(B, T, heads, d)`.
    """
    if query.dtype != torch.bfloat16 or query.shape[-1] > WIDEST_PLAIN:
        heads_first = (x.transpose(1, 2) for x in (query, keys, values))
        return F.scaled_dot_product_attention(*heads_first, attn_mask=mask).transpose(1, 2)
    # In bfloat16 torch's fused attention takes more than twice as long as its products do.
    scores = torch.einsum("bthd,bkhd->bhtk", query * query.shape[-1] ** -0.5, keys)
    barrier = scores.new_zeros(mask.shape).masked_fill(~mask, -math.inf)
    weights = (scores + barrier).softmax(-1, dtype=torch.float32)
    return torch.einsum("bhtk,bkhd->bthd", weights.to(values.dtype), values)


class Attention(nn.Module):
    """Multi-head attention: `query_key_value (3D, D)`, `output (D, D)`, two norms `(D / heads,)`.

    Queries and keys are normalized: scores begin within sqrt(d), and grow with the gains of the
    norms alone.  Source: Henry et al. 2020; Dehghani et al. 2023 (ViT-22B).
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query_key_value = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.output = nn.Linear(hidden_size, hidden_size, bias=False)
        self.query_norm = nn.RMSNorm(hidden_size // num_heads, eps=1e-6)
        self.key_norm = nn.RMSNorm(hidden_size // num_heads, eps=1e-6)

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
        precise = self.query_norm.weight.dtype
        query = rotate(self.query_norm(query.to(precise)), cos, sin).to(new.dtype)
        new_keys = rotate(self.key_norm(new_keys.to(precise)), cos, sin).to(new.dtype)
        num_kept = mask.shape[-1] - x.shape[1]
        all_keys = _join(keys, num_kept, new_keys)
        all_values = _join(values, num_kept, new_values)
        y = attend(query, all_keys, all_values, mask)
        return self.output(y.flatten(2)), _keep(keys, all_keys), _keep(values, all_values)


def _join(kept: Tensor, num_kept: int, new: Tensor) -> Tensor:
    """The last ones of `kept (B, context, heads, d)`, and `new (B, T, heads, d)` behind them."""
    return torch.cat((kept[:, kept.shape[1] - num_kept :].to(new.dtype), new), 1)


def _keep(kept: Tensor, joined: Tensor) -> Tensor:
    """The last `context` of all, in the shape and precision of `kept`."""
    last = joined[:, max(0, joined.shape[1] - kept.shape[1]) :].to(kept.dtype)
    num_unused = kept.shape[1] - last.shape[1]
    return torch.cat((kept[:, :num_unused], last), 1) if num_unused else last


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


SMALLEST_PIECE = 64
"""Steps computed at once, where the window is shorter: a piece costs its length times both."""


class PastAttention(nn.Module):
    """Adds to each output what one head finds in it and in at most `context` outputs before it.

    y + attention(norm(y)), with rotary positions. The state is keys (rotated) and values of the
    last outputs, each `(B, context, 1, H)`, and the number of steps read, `(B,)`: the cut into
    reads changes nothing.  Source: Merity 2019 (SHA-RNN, arXiv 1911.11423).

    Args:
        hidden_size: H, even.
        context: Steps before the present one, 1 or more.
    """

    def __init__(self, hidden_size: int, context: int) -> None:
        super().__init__()
        self.context = context
        self.norm = nn.RMSNorm(hidden_size, eps=1e-6)
        self.attention = Attention(hidden_size, num_heads=1)
        std = hidden_size**-0.5
        nn.init.normal_(self.attention.query_key_value.weight, 0, std)
        # At first it adds little: outputs of recurrent layers are small.
        nn.init.normal_(self.attention.output.weight, 0, std / 10)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the state before any step, for B rows."""
        weight = self.norm.weight
        shape = (batch_size, self.context, 1, len(weight))
        counts = torch.zeros(batch_size, dtype=torch.int64, device=weight.device)
        return weight.new_zeros(shape), weight.new_zeros(shape), counts

    def forward(
        self, y: Tensor, keys: Tensor, values: Tensor, counts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Reads outputs `y (B, T, H)`; returns `(B, T, H)` and the next state."""
        added = []
        y = y.to(self.norm.weight.dtype)
        for piece in y.split(max(self.context, SMALLEST_PIECE), 1):
            num_new = piece.shape[1]
            # Slots that no row has filled are not looked at.
            num_kept = min(self.context, int(counts.max()))
            mask = window_mask(num_new, num_kept, self.context, counts)
            positions = counts[:, None] + torch.arange(num_new, device=counts.device)
            angles = rotary_angles(positions, y.shape[2])
            cos, sin = (angle.to(y.dtype) for angle in angles)
            found, keys, values = self.attention(self.norm(piece), keys, values, cos, sin, mask)
            added.append(found)
            counts = counts + num_new
        return y + torch.cat(added, 1), keys, values, counts
