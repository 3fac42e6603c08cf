"""Recurrent language models, of any kind of layer."""

import math
from typing import Any, TypeAlias, get_args

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from ..nn.build import build_layer
from ..nn.dropout import embedding_dropout
from ..nn.embedding import TiedEmbedding, check_tokens
from ..nn.past_attention import PastAttention
from ..nn.stack import RecurrentStack, Runner, StackState, run_layer
from ..ops.calling import input_type
from ..ops.sampled_log_probs import Candidates
from ..settings.check import check_choice
from ..settings.kinds import KINDS, RECURRENT
from ..settings.models import Connections, GateInit, RecurrentConfig, RecurrentInit
from .base import State
from .neural import NeuralModel

RecurrentState: TypeAlias = StackState | tuple[StackState, Tensor, Tensor, Tensor]
"""Of the layers; with attention also keys and values `(B, C, 1, H)` and steps read `(B,)`."""
PIECE = 1024
"""Time steps computed at a time where no gradient is needed."""


class RecurrentModel(NeuralModel):
    """Embedding, L recurrent layers with carried state, projection to E, tied softmax.

    A `LanguageModel`: start with `initial_state(B)`, then `read` or `score` pieces of any length.
    The state is that of `RecurrentStack`; with attention it is the first of four parts, see
    `nn/past_attention.py`.

    Raises:
        ConfigError: a setting is out of its range, or one that the kind has no use for.
    """

    def __init__(self, config: RecurrentConfig, vocab_size: int) -> None:
        super().__init__()
        _check(config)
        self.vocab_size = vocab_size
        self.embedding_dropout = config.embedding_dropout
        self.lookahead = config.lookahead
        self.embedding = TiedEmbedding(vocab_size, config.embedding_size)
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

    def read(self, tokens: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """Reads `tokens (B, T)`; returns log-probabilities `(B, T, V)` and the next state."""
        check_tokens(tokens)
        hidden, state = self._hidden(tokens, state)
        return self.embedding.log_probs(hidden), state

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

    def _pieces(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Cuts a long text where no gradient needs the whole."""
        return tokens.split(tokens.shape[1] if torch.is_grad_enabled() else PIECE, 1)

    def _hidden(
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


def _check(config: RecurrentConfig) -> None:
    check_choice("kind", config.kind, RECURRENT)
    for name in KINDS[config.kind].unused:
        value, default = getattr(config, name), getattr(RecurrentConfig, name)
        if value != default:
            rule = f"left at {default} for {config.kind}"
            raise ConfigError(name, rule, value, "It has nothing that this could act on.")
    for name in ("embedding_size", "hidden_size", "num_layers"):
        if (value := getattr(config, name)) < 1:
            raise ConfigError(name, "at least 1", value, "Use a larger one.")
    kinds = ("input", "hidden", "output", "embedding", "weight", "state")
    for name in (*(f"{kind}_dropout" for kind in kinds), "zoneout"):
        if not 0 <= (value := getattr(config, name)) < 1:
            raise ConfigError(name, "at least 0 and below 1", value, "Use for example 0.3.")
    _check_remedies(config)


def _check_remedies(config: RecurrentConfig) -> None:
    choices = {"recurrent_init": RecurrentInit, "gate_init": GateInit, "connections": Connections}
    for name, kind in choices.items():
        check_choice(name, getattr(config, name), get_args(kind))
    bias = config.forget_bias
    if bias is not None and config.gate_init != "constant":
        rule = f"left out for gate_init {config.gate_init}"
        raise ConfigError("forget_bias", rule, bias, "Leave one of the two out.")
    if bias is not None and not math.isfinite(bias):
        raise ConfigError("forget_bias", "a finite number", bias, "Use for example 1.")
    if config.max_timescale < 2:
        remedy = "Use for example 100."
        raise ConfigError("max_timescale", "at least 2", config.max_timescale, remedy)
    if config.attention < 0:
        remedy = "Use for example 64, or 0 for no attention."
        raise ConfigError("attention", "0 or more", config.attention, remedy)
    if config.attention and config.hidden_size % 2:
        remedy = f"Use {config.hidden_size + 1}."
        raise ConfigError("hidden_size", "even for attention", config.hidden_size, remedy)
    if not 0 <= config.lookahead < math.inf:
        remedy = "Use for example 0.3."
        raise ConfigError("lookahead", "0 or more and finite", config.lookahead, remedy)
