"""The article's program with `torch.nn.LSTM`; `protocol.py` says how it is driven."""

import protocol
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Article(nn.Module):
    """The article's network."""

    def __init__(self) -> None:
        super().__init__()
        first, second = protocol.HIDDEN_SIZES
        self.embedding = nn.Embedding(protocol.VOCAB_SIZE, protocol.EMBEDDING_SIZE)
        self.first = nn.LSTM(protocol.EMBEDDING_SIZE, first, batch_first=True)
        self.second = nn.LSTM(first, second, batch_first=True)
        self.dense = nn.Linear(second, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `(B, 1)` of `tokens (B, T)`."""
        y, _ = self.first(self.embedding(tokens))  # (B, T, H)
        _, (h, _) = self.second(y)
        return self.dense(h[0])


def serve(build: type[nn.Module], precisions: tuple[str, ...], package: str) -> None:
    """Trains a network that reads `tokens (B, T)`; `package` is named beside torch."""
    bfloat16 = protocol.read_precision(*precisions) == "bfloat16"
    torch.set_num_threads(protocol.THREADS)
    torch.manual_seed(0)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), protocol.LEARNING_RATE, fused=True)
    tokens, labels = protocol.make_batch()
    tokens, labels = torch.tensor(tokens, dtype=torch.int32), torch.tensor(labels)

    def step() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(tokens)
        loss = F.binary_cross_entropy_with_logits(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    protocol.serve(step, tuple(dict.fromkeys((package, "torch"))))


if __name__ == "__main__":
    serve(Article, ("float32", "bfloat16"), "torch")
