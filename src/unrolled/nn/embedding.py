"""Token embedding, and the softmax that shares its weights."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ShapeError
from ..ops.embedding import embedding
from ..ops.linear_log_probs import Candidates, linear_log_probs, sampled_log_probs
from ..settings.models import SMALL_VOCABULARY

LARGE_VOCABULARY_STD = 0.1


class TiedEmbedding(nn.Module):
    """Embeds tokens and predicts tokens with one matrix `weight (V, E)` and a `bias (V,)`.

    Source: Press & Wolf 2017; Inan et al. 2017.
    """

    def __init__(self, vocab_size: int, embedding_size: int) -> None:
        super().__init__()
        # What is read wants size 1, what is predicted from wants small logits: the matrix begins
        # with rows of length 1, and reading multiplies by sqrt(E). Not for large vocabularies:
        # Adam's steps are of one size, and would throw the features of rare tokens about.
        few = vocab_size <= SMALL_VOCABULARY
        self.scale = embedding_size**0.5 if few else 1.0
        self.weight = nn.Parameter(torch.empty(vocab_size, embedding_size))
        nn.init.normal_(self.weight, 0, embedding_size**-0.5 if few else LARGE_VOCABULARY_STD)
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(
        self,
        tokens: Tensor,
        factors: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Embeds `tokens (...)` as `(..., E)`, each times its own of `factors (...)`."""
        if factors is None:
            factors = self.weight.new_full(tokens.shape, self.scale)
        else:
            factors = self.scale * factors
        return embedding(tokens, self.weight, factors, dtype)

    def log_probs(self, hidden: Tensor) -> Tensor:
        """Log-probability of every next token, `(B, T, V)` float32, from `hidden (B, T, E)`."""
        logits = F.linear(hidden, self.weight, self.bias)
        return F.log_softmax(logits, -1, dtype=self.bias.dtype)

    def score(
        self, hidden: Tensor, targets: Tensor, candidates: Candidates | None = None
    ) -> Tensor:
        """Log-probability of `targets (B, T)` alone, `(B, T)` float32, from `hidden (B, T, E)`.

        With candidates it is an estimate, for training.
        """
        inputs = hidden.flatten(0, 1), self.weight, self.bias, targets.flatten()
        if candidates is None:
            return linear_log_probs(*inputs).view(targets.shape)
        return sampled_log_probs(*inputs, candidates).view(targets.shape)

    @torch.no_grad()
    def set_bias(self, log_probs: Tensor) -> None:
        """Starts from known log-probabilities, `(V,)`, of the tokens on their own."""
        self.bias.copy_(log_probs)


def check_tokens(tokens: Tensor, targets: Tensor | None = None) -> None:
    """Raises ShapeError unless tokens are `(B, T)`, T >= 1, and targets, where given, the same."""
    if tokens.dim() != 2 or tokens.shape[1] == 0:
        raise ShapeError("tokens", "(B, T) with T >= 1", tuple(tokens.shape))
    if targets is not None and targets.shape != tokens.shape:
        raise ShapeError("targets", f"(B, T) = {tuple(tokens.shape)}", tuple(targets.shape))
