"""A quasi-recurrent network (Bradbury et al. 2016), as a model of one's own.

unrolled train my-texts/ --model own_model:QRNN --budget 5m --out runs/qrnn
unrolled compare my-texts/ --models ngram lstm own_model:QRNN --budget 10m --out runs/mine

A convolution over the last `kernel` tokens makes all gates of all steps at once; only the pooling
c_t = f_t * c_{t-1} + (1 - f_t) * z_t,  h_t = o_t * c_t  goes from step to step.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unrolled import NeuralModel
from unrolled.ops.scan import scan

SIZES = {"small": 256, "medium": 512, "large": 1024}


class Layer(nn.Module):
    """A convolution and fo-pooling; remembers the last inputs `(B, K - 1, E)` and c `(B, H)`."""

    def __init__(self, input_size: int, hidden_size: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(input_size, 3 * hidden_size, kernel)

    def forward(self, x: Tensor, past: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reads `x (B, T, E)`; returns `h (B, T, H)` and what it remembers now."""
        x = torch.cat([past, x], 1)
        gates = self.conv(x.transpose(1, 2)).permute(2, 0, 1)  # (T, B, 3H)
        z, f, o = gates.to(c.dtype).chunk(3, -1)
        f = torch.sigmoid(f)
        cells, c = scan(f, (1 - f) * torch.tanh(z), c)
        h = torch.sigmoid(o) * cells
        return h.transpose(0, 1), x[:, x.shape[1] - past.shape[1] :], c


class QRNN(NeuralModel):
    """Embedding, quasi-recurrent layers, and the softmax that shares the embedding's weights."""

    learning_rate = 4e-3

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int = 512,
        num_layers: int = 2,
        kernel: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(vocab_size, hidden_size)
        self.hidden_size, self.kernel, self.dropout = hidden_size, kernel, dropout
        self.layers = nn.ModuleList(
            Layer(hidden_size, hidden_size, kernel) for _ in range(num_layers)
        )

    @classmethod
    def preset(cls, size: str, vocab_size: int) -> dict[str, int]:
        """--size chooses the width."""
        return {"hidden_size": SIZES[size]}

    def initial_state(self, batch_size: int) -> tuple[tuple[Tensor, Tensor], ...]:
        """Nothing was read: zeros, of each layer."""
        zeros = self.embedding.weight.new_zeros(batch_size, self.kernel, self.hidden_size)
        return tuple((zeros[:, 1:], zeros[:, 0]) for _ in self.layers)

    def forward(self, tokens: Tensor, state: tuple) -> tuple[Tensor, tuple]:
        """Reads `tokens (B, T)`; returns what the softmax reads, `(B, T, E)`, and the state."""
        x, after = self.embedding(tokens), []
        for layer, (past, c) in zip(self.layers, state, strict=True):
            x, *remembered = layer(F.dropout(x, self.dropout, self.training), past, c)
            after.append(tuple(remembered))
        return F.dropout(x, self.dropout, self.training), tuple(after)
