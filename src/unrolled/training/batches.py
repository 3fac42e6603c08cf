"""Token store → batches: B lanes of running text, read piece by piece with carried state."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ConfigError
from ..settings.training import TrainConfig
from ..text.store import TokenStore

REMAP_EVERY = 256
"""Batches read before the file is mapped anew, so that read pages do not pile up in memory."""


@dataclass(frozen=True)
class Batch:
    """One piece of every lane."""

    tokens: Tensor  # (B, T)
    targets: Tensor  # (B, T), the token after each of `tokens`
    starts_epoch: bool
    """The lanes jump to new places: carried state does not belong to them."""


def batch_shape(num_tokens: int, batch_size: int, sequence_length: int) -> tuple[int, int]:
    """The lanes and the length `(B, T)` that a text of so many tokens has room for."""
    lanes = max(1, min(batch_size, num_tokens // (2 * sequence_length)))
    return lanes, max(1, min(sequence_length, num_tokens // 2))


def fitted(config: TrainConfig, num_tokens: int) -> TrainConfig:
    """The same with batches that a text of so many tokens has room for."""
    rows, length = batch_shape(num_tokens, config.batch_size, config.sequence_length)
    return replace(config, batch_size=rows, sequence_length=length)


class BatchStream:
    """Reads a split for ever, each epoch from a new random offset.

    The text is a ring cut into B equal lanes. Which tokens come next is a function of
    `(seed, epoch, position)` alone, so these two counters are all that a checkpoint keeps.
    """

    def __init__(
        self,
        store: TokenStore,
        split: str,
        batch_size: int,
        sequence_length: int,
        seed: int,
        length_variation: float = TrainConfig.length_variation,
    ) -> None:
        self.store, self.split = store, split
        self.length_variation = length_variation
        self.num_tokens = store.split(split).num_tokens
        shape = batch_shape(self.num_tokens, batch_size, sequence_length)
        (self.batch_size, self.sequence_length), self.seed = shape, seed
        if self.num_tokens < 16:
            raise ConfigError(
                "training text",
                "at least 16 tokens long",
                self.num_tokens,
                "Give more text, or a smaller --valid-fraction and --test-fraction.",
            )
        self.lane_length = self.num_tokens // self.batch_size
        self.epoch = self.position = 0
        self._tokens: NDArray[np.integer] | None = None
        self._reads = 0

    @property
    def tokens_per_epoch(self) -> int:
        """Tokens that one pass predicts."""
        return self.lane_length * self.batch_size

    def take(self) -> Batch:
        """Reads the next piece; its length varies by `length_variation`: cuts fall anywhere."""
        starts_epoch = self.position == 0
        rng = np.random.default_rng((self.seed, self.epoch, self.position))
        part = int(self.sequence_length * self.length_variation)
        length = self.sequence_length + int(rng.integers(-part, part + 1))
        length = max(1, min(length, self.lane_length - self.position))
        piece = self._read(length + 1)
        self.position += length
        if self.position >= self.lane_length:
            self.epoch, self.position = self.epoch + 1, 0
        return Batch(piece[:, :-1].contiguous(), piece[:, 1:].contiguous(), starts_epoch)

    def _read(self, length: int) -> Tensor:
        if self._tokens is None or self._reads % REMAP_EVERY == 0:
            self._tokens = self.store.tokens(self.split)
        self._reads += 1
        offset = int(np.random.default_rng((self.seed, self.epoch)).integers(self.num_tokens))
        starts = (
            offset + np.arange(self.batch_size) * self.lane_length + self.position
        ) % self.num_tokens
        # Token 0 and the last one are the same boundary, which closes the ring.
        columns = (starts[:, None] + np.arange(length)) % self.num_tokens
        return torch.from_numpy(self._tokens[columns].astype(np.int64))
