"""The n-gram model as a language model: its state is the last N - 1 tokens."""

import os

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ConfigError, ShapeError
from ..ngram.kneser_ney import UNSEEN, KneserNey
from ..nn.embedding import check_tokens
from .base import State


class NgramModel:
    """A `LanguageModel` around `KneserNey`: tensors in, tensors out, no gradient.

    Build it with `NgramModel(estimate(count_ngrams(tokens, order, vocab_size)))` or
    `NgramModel.load(path)`. The state is `(B, N - 1)` int64, oldest first, -1 for nothing read.
    """

    def __init__(self, kneser_ney: KneserNey) -> None:
        self.kneser_ney = kneser_ney
        self.vocab_size = kneser_ney.vocab_size
        self.order = kneser_ney.order
        self.notes = kneser_ney.notes

    def initial_state(self, batch_size: int) -> Tensor:
        """Returns the state before any token was read, `(B, N - 1)`."""
        return torch.full((batch_size, self.order - 1), UNSEEN)

    def read(self, tokens: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Reads `tokens (B, T)`; returns log-probabilities `(B, T, V)` and the next state."""
        check_tokens(tokens)
        history = self._history(tokens, state)
        log_probs = self.kneser_ney.next_log_probs(self._contexts(history))
        shape = (*tokens.shape, self.vocab_size)
        return torch.from_numpy(log_probs).reshape(shape), self._last(history)

    def advance(self, tokens: Tensor, state: State) -> Tensor:
        """Reads `tokens (B, T)`; returns the next state."""
        check_tokens(tokens)
        return self._last(self._history(tokens, state))

    def score(self, tokens: Tensor, targets: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """Reads `tokens (B, T)`; returns log-probabilities of `targets (B, T)` and the state."""
        check_tokens(tokens, targets)
        check_ids(targets, self.vocab_size)
        history = self._history(tokens, state)
        following = targets.numpy()
        if torch.equal(tokens[:, 1:], targets[:, :-1]):
            rows = np.concatenate([history, following[:, -1:]], 1)  # (B, N + T)
            scores = self._score_rows(rows)[:, self.order :]
        else:
            rows = np.concatenate([self._contexts(history), following.reshape(-1, 1)], 1)
            scores = self._score_rows(rows)[:, -1:]
        return torch.from_numpy(scores.reshape(tokens.shape)), self._last(history)

    def num_parameters(self) -> int:
        """Stored n-grams."""
        return self.kneser_ney.num_ngrams

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model as safetensors, atomically."""
        self.kneser_ney.save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "NgramModel":
        """Maps a saved model into memory.

        Raises:
            CheckpointError: the file is missing, damaged or of another kind.
        """
        return cls(KneserNey.load(path))

    def _history(self, tokens: Tensor, state: State) -> NDArray[np.int64]:
        """State and tokens in one, `(B, N - 1 + T)`."""
        assert isinstance(state, Tensor)
        expected = (len(tokens), self.order - 1)
        if state.shape != expected:
            raise ShapeError("state", f"(B, N - 1) = {expected}", tuple(state.shape))
        check_ids(tokens, self.vocab_size)
        return torch.cat([state, tokens], 1).numpy()

    def _contexts(self, history: NDArray[np.int64]) -> NDArray[np.int64]:
        """The N - 1 tokens up to each that was read, `(B * T, N - 1)`."""
        width = self.order - 1
        ends = np.arange(width, history.shape[1])
        columns = ends[:, None] + np.arange(1 - width, 1)
        return history[:, columns].reshape(len(history) * len(ends), width)

    def _score_rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores each token of each row; right from column N - 1, where rows look no further back.

        The rows are read as one stream, which is what `score_stream` is fast at.
        """
        return self.kneser_ney.score_stream(np.append(UNSEEN, rows)).reshape(rows.shape)

    def _last(self, history: NDArray[np.int64]) -> Tensor:
        start = history.shape[1] - (self.order - 1)
        return torch.from_numpy(history[:, start:].copy())


def check_ids(tokens: Tensor, vocab_size: int) -> None:
    """Raises ConfigError unless all tokens, of which there are some, are 0 to V - 1."""
    for extreme in (int(tokens.min()), int(tokens.max())):
        if not 0 <= extreme < vocab_size:
            remedy = "Encode the text with the model's own tokenizer."
            raise ConfigError("tokens", f"ids from 0 to {vocab_size - 1}", extreme, remedy)
