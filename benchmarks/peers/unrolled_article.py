"""The article's program with `unrolled.nn.lstm.LSTM`; `protocol.py` says how it is driven."""

import protocol
import torch
from torch import Tensor, nn
from torch_article import serve

from unrolled.kernels import input_type
from unrolled.nn.lstm import LSTM
from unrolled.ops.embedding import embedding


class Article(nn.Module):
    """The article's network."""

    def __init__(self) -> None:
        super().__init__()
        first, second = protocol.HIDDEN_SIZES
        self.words = nn.Parameter(torch.randn(protocol.VOCAB_SIZE, protocol.EMBEDDING_SIZE))
        self.first = LSTM(protocol.EMBEDDING_SIZE, first)
        self.second = LSTM(first, second)
        self.dense = nn.Linear(second, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `(B, 1)` of `tokens (B, T)`."""
        y = embedding(tokens.T, self.words, dtype=input_type(self.words))  # (T, B, E)
        for layer in (self.first, self.second):
            zeros = y.new_zeros(len(tokens), layer.weight_hh.shape[1], dtype=layer.bias.dtype)
            y, h, _ = layer(y, zeros, zeros)
        return self.dense(h)


if __name__ == "__main__":
    serve(Article, ("float32", "bfloat16"), "unrolled")
