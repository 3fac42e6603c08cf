"""Recurrent language models, of any kind of layer."""

from typing import Any, TypeAlias

from torch import Tensor, nn

from ..kernels import input_type
from ..nn.attention import PastAttention
from ..nn.build import build_layer
from ..nn.embedding import check_tokens
from ..nn.stack import RecurrentStack, Runner, StackState, run_layer
from ..ops.dropout import embedding_dropout
from ..ops.linear_log_probs import Candidates
from ..settings.models import RecurrentConfig
from .base import NeuralModel, State

RecurrentState: TypeAlias = StackState | tuple[StackState, Tensor, Tensor, Tensor]
"""Of the layers; with attention also keys and values `(B, C, 1, H)` and steps read `(B,)`."""


class RecurrentModel(NeuralModel):
    """Embedding, L recurrent layers with carried state, projection to E, tied softmax.

    A `LanguageModel`: start with `initial_state(B)`, then `read` or `score` pieces of any length.
    The state is that of `RecurrentStack`; with attention it is the first of four parts, see
    `nn/attention.py`.
    """

    def __init__(self, config: RecurrentConfig, vocab_size: int) -> None:
        super().__init__(vocab_size, config.embedding_size)
        self.embedding_dropout = config.embedding_dropout
        self.lookahead = config.lookahead
        widths = [config.embedding_size] + [config.hidden_size] * (config.num_layers - 1)
        self.stack = RecurrentStack(
            [build_layer(config, width) for width in widths],
            config.input_dropout,
            config.hidden_dropout,
            config.output_dropout,
            config.connections,
        )
        sizes = config.hidden_size, config.embedding_size
        same = config.hidden_size == config.embedding_size
        self.projection = nn.Identity() if same else nn.Linear(*sizes, bias=False)
        self.attention = (
            PastAttention(config.hidden_size, config.attention) if config.attention else None
        )
        self.ahead = nn.Linear(*sizes, bias=False) if config.lookahead else None

    def initial_state(self, batch_size: int) -> RecurrentState:
        """Returns the zero state for B rows."""
        state = self.stack.initial_state(batch_size)
        if self.attention is None:
            return state
        return state, *self.attention.initial_state(batch_size)

    def loss(
        self,
        tokens: Tensor,
        targets: Tensor,
        state: RecurrentState,
        candidates: Candidates | None = None,
    ) -> tuple[Tensor, Tensor, State]:
        """What training minimizes, see `NeuralModel.loss`.

        With lookahead, that weight times the loss of the tokens after the next is added; a
        projection of their own reads the same outputs.  Source: Gloeckle et al. 2024 (arXiv
        2404.19737); Trinh et al. 2018 for recurrent networks.
        """
        if self.ahead is None or tokens.shape[-1] < 2:
            return super().loss(tokens, targets, state, candidates)
        check_tokens(tokens, targets)
        outputs, state = self._outputs(tokens, state)
        main = -self.embedding.score(self.projection(outputs), targets, candidates).mean()
        ahead = self.ahead(outputs[:, :-1])
        later = -self.embedding.score(ahead, targets[:, 1:], candidates).mean()
        return main + self.lookahead * later, main, state

    def forward(
        self, tokens: Tensor, state: RecurrentState, run: Runner = run_layer
    ) -> tuple[Tensor, RecurrentState]:
        """What the softmax reads, `(B, T, E)`; `run` runs each layer, see nn/stack.py."""
        outputs, state = self._outputs(tokens, state, run)
        return self.projection(outputs), state

    def _outputs(
        self, tokens: Tensor, state: Any, run: Runner = run_layer
    ) -> tuple[Tensor, RecurrentState]:
        """What the projection reads, `(B, T, H)`."""
        factors = embedding_dropout(tokens, self.vocab_size, self.embedding_dropout, self.training)
        x = self.embedding(tokens, factors, input_type(self.embedding.weight))
        if self.attention is None:
            return self.stack(x, state, run)
        of_stack, *past = state
        y, of_stack = self.stack(x, of_stack, run)
        y, *past = self.attention(y, *past)
        return y, (of_stack, *past)
