"""The protocol of every language model, what can be done with a state, and what networks share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from ..nn.embedding import TiedEmbedding, check_tokens
from ..ops.linear_log_probs import Candidates

State: TypeAlias = "Tensor | tuple[State, ...]"
"""What a model remembers: a tensor, or a nested tuple of tensors, each `(B, ...)`."""


class LanguageModel(Protocol):
    """A state machine that reads tokens and predicts the next one.

    Start with `state = model.initial_state(B)`, read the boundary token first (id 0, which stands
    before and after every document), and feed the returned state back to continue the text.
    Reading a text in any pieces gives the same numbers.
    """

    @property
    def vocab_size(self) -> int:
        """V, the number of token ids."""
        ...

    def initial_state(self, batch_size: int) -> State:
        """Returns the state before any token was read, for B = `batch_size` rows."""
        ...

    def read(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Reads tokens and predicts after each of them.

        Args:
            tokens: Token ids, `(B, T)` int64.
            state: What was read before.

        Returns:
            log_probs: Natural-log probability of every next token, `(B, T, V)` float32.
            state: What has been read now.
        """
        ...

    def advance(self, tokens: Tensor, state: State) -> State:
        """Reads `tokens (B, T)` and predicts nothing; returns what has been read now."""
        ...

    def score(self, tokens: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
        """Reads tokens and returns only the log-probability of the given next tokens.

        The same numbers as `read` gathered at `targets`, without the other V - 1 of them.

        Args:
            tokens, targets: Token ids, each `(B, T)` int64; `targets[b, t]` follows `tokens[b, t]`.

        Returns:
            log_probs: `(B, T)` float32, in nats; differentiable for neural models.
            state: What has been read now.
        """
        ...


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Applies a function to the corresponding tensors of equally built states."""
    first = states[0]
    if isinstance(first, Tensor):
        return function(*states)
    return tuple(map_state(function, *parts) for parts in zip(*states, strict=True))


def detach_state(state: State) -> State:
    """Cuts the gradient: truncated backpropagation through time carries values only."""
    return map_state(Tensor.detach, state)


def stack_states(states: Sequence[State]) -> State:
    """Joins states along the batch: rows of several texts are then read together."""
    return map_state(lambda *tensors: torch.cat(tensors), *states)


def select_rows(state: State, rows: Tensor) -> State:
    """Takes rows of a batched state, `(R,)` int64: splits, reorders or repeats them."""
    return map_state(lambda tensor: tensor.index_select(0, rows), state)


def state_to_tensors(state: State, prefix: str = "state") -> dict[str, Tensor]:
    """Names every tensor of a state, so that it can be saved as safetensors."""
    if isinstance(state, Tensor):
        return {prefix: state.contiguous()}
    named: dict[str, Tensor] = {}
    for index, part in enumerate(state):
        named |= state_to_tensors(part, f"{prefix}.{index}")
    return named


def state_from_tensors(like: State, tensors: dict[str, Tensor], prefix: str = "state") -> State:
    """Rebuilds a saved state in the form of `like`, for example `model.initial_state(1)`."""
    if isinstance(like, Tensor):
        return tensors[prefix]
    return tuple(
        state_from_tensors(part, tensors, f"{prefix}.{index}") for index, part in enumerate(like)
    )


PIECE = 1024
"""Time steps computed at a time where no gradient is needed."""


class NeuralModel(nn.Module, ABC):
    """A `LanguageModel` with weights, which embeds and predicts tokens with one matrix.

    A subclass writes `initial_state` and `forward`, and may write `preset` and `learning_rate`; see
    docs/models.md. All else that is asked of a language model follows.

    Args:
        vocab_size: V.
        embedding_size: E, of `self.embedding`, which `forward` calls with tokens.
    """

    learning_rate: ClassVar[float] = 2e-3
    """Peak of the schedule where the user sets none; for our kinds settings/kinds.py has it."""

    def __init__(self, vocab_size: int, embedding_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = TiedEmbedding(vocab_size, embedding_size)

    @classmethod
    def preset(cls, size: str, vocab_size: int) -> dict[str, Any]:
        """Returns settings, of those that `__init__` takes, for "small", "medium" or "large"."""
        return {}

    @abstractmethod
    def initial_state(self, batch_size: int) -> Any:
        """Returns the state before any token was read, for B rows, each tensor `(B, ...)`."""

    @abstractmethod
    def forward(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Reads `tokens (B, T)`; returns what the softmax reads, `(B, T, E)`, and the next state.

        T is that of one of `pieces`. Tokens and state are not changed.
        """

    def pieces(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Cuts `tokens (B, T)` along time into what is computed at once.

        A long text is cut where no gradient needs the whole.
        """
        return tokens.split(tokens.shape[1] if torch.is_grad_enabled() else PIECE, 1)

    def read(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Reads `tokens (B, T)`; returns log-probabilities `(B, T, V)` and the next state."""
        check_tokens(tokens)
        log_probs = []
        for piece in self.pieces(tokens):
            hidden, state = self(piece, state)
            log_probs.append(self.embedding.log_probs(hidden))
        return torch.cat(log_probs, 1), state

    def advance(self, tokens: Tensor, state: Any) -> State:
        """Reads `tokens (B, T)`; returns the next state."""
        check_tokens(tokens)
        for piece in self.pieces(tokens):
            _, state = self(piece, state)
        return state

    def score(
        self, tokens: Tensor, targets: Tensor, state: Any, candidates: Candidates | None = None
    ) -> tuple[Tensor, State]:
        """Reads `tokens (B, T)`; returns log-probabilities of `targets (B, T)` and the state.

        With candidates they are estimates from a part of the vocabulary, for training.
        """
        check_tokens(tokens, targets)
        scores = []
        for piece, following in zip(self.pieces(tokens), self.pieces(targets), strict=True):
            hidden, state = self(piece, state)
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
