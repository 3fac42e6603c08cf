"""One attention head over the past outputs of a recurrent network."""

import torch
from torch import Tensor, nn

from .attention import Attention, rotary_angles, window_mask

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
