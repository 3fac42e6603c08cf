"""Dropout for recurrent networks: noise that stays the same over all time steps of a read."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..ops.dropout import dropout


def locked_dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Drops features of each sequence, the same ones at every time step.

    Source: Gal & Ghahramani 2016.

    Args:
        x: `(T, B, H)`.
        p: Probability of a feature to be dropped.
    """
    if not training or p == 0:
        return x
    return x * F.dropout(x.new_ones(1, *x.shape[1:]), p)


def embedding_dropout(tokens: Tensor, vocab_size: int, p: float, training: bool) -> Tensor | None:
    """Drops whole word types: every occurrence of a dropped type is embedded as zero.

    Source: Gal & Ghahramani 2016.

    Args:
        tokens: `(...)`.
        p: Probability of a type to be dropped.

    Returns:
        What each token's vector is multiplied by, `(...)`; None where nothing is dropped.
    """
    if not training or p == 0:
        return None
    return F.dropout(torch.ones(vocab_size, device=tokens.device), p)[tokens]


def weight_dropout(weight: Tensor, p: float, training: bool) -> Tensor:
    """Drops single recurrent weights, the same ones at every time step.

    Source: Merity et al. 2018 (AWD-LSTM).

    Args:
        weight: `(H, H)` or gates of that shape on top of each other.
        p: Probability of a weight to be dropped.
    """
    if not training or p == 0:
        return weight
    return dropout(weight, p)


def zoneout(new: Tensor, old: Tensor, p: float, training: bool) -> Tensor:
    """A step's new state, in which some units keep the old one: the state is never dropped.

    In evaluation every unit is at its expectation, (1 - p) new + p old.
    Source: Krueger et al. 2017 (arXiv 1606.01305).

    Args:
        new, old: State after and before the step, each `(B, H)`.
        p: Probability of a unit to keep its state.
    """
    if p == 0:
        return new
    if not training:
        return torch.lerp(new, old, p)
    return torch.where(torch.rand_like(new) < p, old, new)
