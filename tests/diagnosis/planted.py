"""Models and texts of which it is known how far back they look."""

import math

import numpy as np
import torch
from torch import Tensor

from unrolled.text.store import SplitInfo

V = 11


class LooksBack:
    """A `LanguageModel` that expects the token `distance` back again, and looks at nothing else."""

    vocab_size = V

    def __init__(self, distance: int, sure: float = 0.8) -> None:
        self.distance = distance
        self.sure = sure

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.full((batch_size, self.distance - 1), -1)

    def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        past = torch.cat([state, tokens], 1)
        seen = past[:, : tokens.shape[1]]  # `distance` before the next token
        probabilities = torch.full((*tokens.shape, V), (1 - self.sure) / (V - 1))
        known = seen.clamp(min=0)[:, :, None]
        probabilities.scatter_(2, known, self.sure)
        probabilities[seen < 0] = 1 / V
        return probabilities.log(), past[:, tokens.shape[1] :].clone()

    def advance(self, tokens: Tensor, state: Tensor) -> Tensor:
        return self.read(tokens, state)[1]

    def score(self, tokens: Tensor, targets: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        log_probs, state = self.read(tokens, state)
        return log_probs.gather(2, targets[:, :, None])[:, :, 0], state


class Fading:
    """A `LanguageModel` for which a token costs base + gain / (tokens read), by its id."""

    vocab_size = V
    base = 1 + 0.3 * np.arange(V)
    gain = 0.2 * np.arange(V)[::-1]

    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size)

    def advance(self, tokens: Tensor, state: Tensor) -> Tensor:
        return state + tokens.shape[1]

    def score(self, tokens: Tensor, targets: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        steps = state[:, None] + torch.arange(1, tokens.shape[1] + 1)
        costs = torch.tensor(self.base)[targets] + torch.tensor(self.gain)[targets] / steps
        return -costs.float(), steps[:, -1]


def echo(num_tokens: int, distance: int, seed: int = 0) -> np.ndarray:
    """A boundary, then a text in which a token mostly repeats the one `distance` back."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, V, num_tokens + 1)
    ids[0] = 0
    for position in range(distance + 1, num_tokens + 1):
        if generator.random() < 0.8:
            ids[position] = ids[position - distance]
    return ids.astype(np.uint16)


def split_of(tokens: np.ndarray, num_bytes: int, spelling_nats: float = 0.0) -> SplitInfo:
    """Counts of a text of so many bytes."""
    number = len(tokens) - 1
    return SplitInfo(number, 1, num_bytes, num_bytes, number, int(spelling_nats > 0), spelling_nats)


def every_number(value: object) -> list[float]:
    """All numbers in nested dicts and lists."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in every_number(part)]
    if isinstance(value, list):
        return [number for part in value for number in every_number(part)]
    return [value] if isinstance(value, int | float) else []


def are_finite(value: object) -> bool:
    return all(math.isfinite(number) for number in every_number(value))
