"""What the neural language models share."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ..nn.embedding import TiedEmbedding, check_tokens
from ..ops.sampled_log_probs import Candidates
from .base import State


class NeuralModel(nn.Module, ABC):
    """A `LanguageModel` with weights; predicts through the tied `embedding`."""

    vocab_size: int
    embedding: TiedEmbedding

    @abstractmethod
    def initial_state(self, batch_size: int) -> Any:
        """Returns the state before any token was read, for B rows."""

    @abstractmethod
    def read(self, tokens: Tensor, state: Any) -> tuple[Tensor, State]:
        """Reads `tokens (B, T)`; returns log-probabilities `(B, T, V)` and the next state."""

    @abstractmethod
    def _pieces(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Cuts `tokens (B, T)` along time into what is computed at once."""

    @abstractmethod
    def _hidden(self, tokens: Tensor, state: Any) -> tuple[Tensor, State]:
        """What the softmax reads after each of one piece of tokens, `(B, T, E)`, and the state."""

    def advance(self, tokens: Tensor, state: Any) -> State:
        """Reads `tokens (B, T)`; returns the next state."""
        check_tokens(tokens)
        for piece in self._pieces(tokens):
            _, state = self._hidden(piece, state)
        return state

    def score(
        self, tokens: Tensor, targets: Tensor, state: Any, candidates: Candidates | None = None
    ) -> tuple[Tensor, State]:
        """Reads `tokens (B, T)`; returns log-probabilities of `targets (B, T)` and the state.

        With candidates they are estimates from a part of the vocabulary, for training.
        """
        check_tokens(tokens, targets)
        scores = []
        for piece, following in zip(self._pieces(tokens), self._pieces(targets), strict=True):
            hidden, state = self._hidden(piece, state)
            scores.append(self.embedding.score(hidden, following, candidates))
        return torch.cat(scores, 1), state

    def loss(
        self, tokens: Tensor, targets: Tensor, state: Any, candidates: Candidates | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """What training minimizes, for `tokens` and `targets (B, T)`.

        Returns:
            loss: Nats, auxiliary losses included.
            main: Mean nats of a target alone.
            state: What has been read now.
        """
        log_probs, state = self.score(tokens, targets, state, candidates)
        main = -log_probs.mean()
        return main, main, state

    def set_output_bias(self, log_probs: Tensor) -> None:
        """Starts from the unigram distribution, `(V,)` in nats: saves the first hundred steps."""
        self.embedding.set_bias(log_probs)

    def num_parameters(self) -> int:
        """Trained numbers, the tied matrix counted once."""
        return sum(parameter.numel() for parameter in self.parameters())
