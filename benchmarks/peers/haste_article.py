"""The article's program with Haste's LSTM; `protocol.py` says how it is driven.

Haste has kernels for GPUs only: on a CPU it runs its loop of torch operations.
"""

import protocol
from haste_pytorch import LSTM
from torch import Tensor, nn
from torch_article import serve


class Article(nn.Module):
    """The article's network."""

    def __init__(self) -> None:
        super().__init__()
        first, second = protocol.HIDDEN_SIZES
        self.embedding = nn.Embedding(protocol.VOCAB_SIZE, protocol.EMBEDDING_SIZE)
        self.first = LSTM(protocol.EMBEDDING_SIZE, first)
        self.second = LSTM(first, second)
        self.dense = nn.Linear(second, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `(B, 1)` of `tokens (B, T)`."""
        y, _ = self.first(self.embedding(tokens.T))  # (T, B, H)
        _, (h, _) = self.second(y)
        return self.dense(h[0])


if __name__ == "__main__":
    serve(Article, ("float32",), "haste-pytorch-cpu")
