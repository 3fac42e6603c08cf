"""What every model must beat: tokens drawn at random, uniformly or by their frequency."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ConfigError
from ..nn.embedding import check_tokens
from .base import State


class UnigramModel:
    """A `LanguageModel` that remembers nothing: one distribution for every place.

    Build it with `fit_unigram(tokens, vocab_size)`. The state is an empty tensor, `(B, 0)`.

    Args:
        log_probs: Natural-log probabilities, `(V,)`.
    """

    def __init__(self, log_probs: Tensor) -> None:
        self.log_probs = log_probs.float()
        self.vocab_size = len(log_probs)

    def initial_state(self, batch_size: int) -> Tensor:
        """Returns the state of B rows, `(B, 0)`."""
        return torch.zeros(batch_size, 0)

    def read(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns the distribution after each of `tokens (B, T)`, `(B, T, V)`, and the state."""
        check_tokens(tokens)
        return self.log_probs.expand(*tokens.shape, -1), state

    def score(self, tokens: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns the log-probabilities of `targets (B, T)` and the state."""
        check_tokens(tokens, targets)
        check_ids(targets, self.vocab_size)
        return self.log_probs[targets], state


class UniformModel(UnigramModel):
    """A `LanguageModel` for which all V tokens are equally likely."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__(torch.full((vocab_size,), -math.log(vocab_size)))


def fit_unigram(
    tokens: NDArray[np.integer], vocab_size: int, block_size: int = 1 << 22
) -> UnigramModel:
    """Counts tokens and adds one to each count, so that every token has a probability.

    Args:
        tokens: A stream that begins with the boundary, `(L,)`, also a memory map; the first token
            is context, not counted.

    Raises:
        ConfigError: a token is not from 0 to V - 1.
    """
    counts = np.ones(vocab_size)
    for start in range(1, len(tokens), block_size):
        block = np.asarray(tokens[start : start + block_size]).astype(np.int64)
        check_ids(torch.from_numpy(block), vocab_size)
        counts += np.bincount(block, minlength=vocab_size)
    return UnigramModel(torch.from_numpy(np.log(counts / counts.sum())))


def check_ids(tokens: Tensor, vocab_size: int) -> None:
    """Raises ConfigError unless all tokens, of which there are some, are 0 to V - 1."""
    for extreme in (int(tokens.min()), int(tokens.max())):
        if not 0 <= extreme < vocab_size:
            remedy = "Encode the text with the model's own tokenizer."
            raise ConfigError("tokens", f"ids from 0 to {vocab_size - 1}", extreme, remedy)
