"""Recurrent language models: Elman RNN, GRU and LSTM."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..config import RecurrentConfig
from ..errors import ConfigError
from ..nn.dropout import embedding_dropout
from ..nn.elman import Elman
from ..nn.embedding import TiedEmbedding, check_tokens
from ..nn.gru import GRU
from ..nn.lstm import LSTM
from ..nn.min_gru import MinGRU
from ..nn.stack import Layer, RecurrentStack, StackState
from .neural import NeuralModel

LAYERS: dict[str, Callable[[RecurrentConfig, int], Layer]] = {
    "rnn": lambda config, input_size: Elman(
        input_size, config.hidden_size, config.nonlinearity, config.weight_dropout
    ),
    "gru": lambda config, input_size: GRU(input_size, config.hidden_size, config.weight_dropout),
    "lstm": lambda config, input_size: LSTM(input_size, config.hidden_size, config.weight_dropout),
    "mingru": lambda config, input_size: MinGRU(input_size, config.hidden_size),
}
PIECE = 1024
"""Time steps computed at a time where no gradient is needed."""


class RecurrentModel(NeuralModel):
    """Embedding, L recurrent layers with carried state, projection to E, tied softmax.

    A `LanguageModel`: start with `initial_state(B)`, then `read` or `score` pieces of any length.
    The state is `(B, L, H)` for Elman RNN and GRU, `(h, c)` of such for LSTM.

    Raises:
        ConfigError: a setting is out of its range.
    """

    def __init__(self, config: RecurrentConfig, vocab_size: int) -> None:
        super().__init__()
        _check(config)
        self.vocab_size = vocab_size
        self.embedding_dropout = config.embedding_dropout
        self.embedding = TiedEmbedding(vocab_size, config.embedding_size)
        widths = [config.embedding_size] + [config.hidden_size] * (config.num_layers - 1)
        self.stack = RecurrentStack(
            [LAYERS[config.kind](config, width) for width in widths],
            config.input_dropout,
            config.hidden_dropout,
            config.output_dropout,
        )
        same = config.hidden_size == config.embedding_size
        self.projection = (
            nn.Identity()
            if same
            else nn.Linear(config.hidden_size, config.embedding_size, bias=False)
        )

    def initial_state(self, batch_size: int) -> StackState:
        """Returns the zero state for B rows."""
        return self.stack.initial_state(batch_size)

    def read(self, tokens: Tensor, state: StackState) -> tuple[Tensor, StackState]:
        """Reads `tokens (B, T)`; returns log-probabilities `(B, T, V)` and the next state."""
        check_tokens(tokens)
        hidden, state = self._hidden(tokens, state)
        return self.embedding.log_probs(hidden), state

    def _pieces(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Cuts a long text where no gradient needs the whole."""
        return tokens.split(tokens.shape[1] if torch.is_grad_enabled() else PIECE, 1)

    def _hidden(self, tokens: Tensor, state: StackState) -> tuple[Tensor, StackState]:
        """What the softmax reads, `(B, T, E)`."""
        x = self.embedding(tokens)
        x = embedding_dropout(x, tokens, self.vocab_size, self.embedding_dropout, self.training)
        y, state = self.stack(x, state)
        return self.projection(y), state


def _check(config: RecurrentConfig) -> None:
    for name in ("embedding_size", "hidden_size", "num_layers"):
        if (value := getattr(config, name)) < 1:
            raise ConfigError(name, "at least 1", value, "Use a larger one.")
    kinds = ("input", "hidden", "output", "embedding", "weight")
    for name in (f"{kind}_dropout" for kind in kinds):
        if not 0 <= (value := getattr(config, name)) < 1:
            raise ConfigError(name, "at least 0 and below 1", value, "Use for example 0.3.")
