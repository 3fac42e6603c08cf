"""AdamW, its learning rate over the budget, and the clipping of gradients."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import torch
from torch import Tensor, nn


class ParameterGroup(TypedDict):
    """Parameters that learn alike."""

    params: list[nn.Parameter]
    weight_decay: float
    slower: NotRequired[float]
    """They learn at a rate this much smaller; default 1."""
    thaws_at: NotRequired[float]
    """Part of the budget before which they do not learn; default 0."""


def make_optimizer(
    groups: Sequence[ParameterGroup], betas: tuple[float, float]
) -> torch.optim.Optimizer:
    """AdamW over groups of parameters; `set_rates` gives it its learning rate."""
    return torch.optim.AdamW([dict(group) for group in groups], betas=betas, fused=True)


def set_rates(optimizer: torch.optim.Optimizer, rate: float, fraction: float) -> None:
    """Gives every group its part of the learning rate, and thaws those whose time has come.

    Source: Howard & Ruder 2018 (discriminative fine-tuning, gradual unfreezing).

    Args:
        fraction: Of the budget that is used up.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate / group.get("slower", 1.0)
        if (thaws_at := group.get("thaws_at")) is not None:
            for parameter in group["params"]:
                parameter.requires_grad_(fraction >= thaws_at)


def trapezoid(fraction: float, warmup: float, decay: float) -> float:
    """Part of the learning rate at a part of the budget: linearly up, flat, linearly down to zero.

    Args:
        warmup: Part of the budget over which it rises, from a twentieth.
        decay: Part of the budget over which it falls.
    """
    up = fraction / warmup if warmup else 1.0
    down = (1 - fraction) / decay if decay else 1.0
    return max(0.0, min(1.0, max(up, 0.05), down))


def triangle(fraction: float, warmup: float) -> float:
    """The same, linearly up from a hundredth and then down at once."""
    return max(0.0, min(fraction / warmup + 0.01, (1 - fraction) / (1 - warmup)))


def clip_gradients(model: nn.Module, max_norm: float, max_value: float = 0.0) -> Tensor:
    """Clips the gradient, single entries first, then its norm; returns the norm before either.

    Source: Mikolov 2012 (entries), Pascanu et al. 2013 (norm).

    Args:
        max_value: Of single entries; 0: these are not clipped.
    """
    if not max_value:
        return nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    grads = [value.grad for value in model.parameters() if value.grad is not None]
    norm = nn.utils.get_total_norm(grads)
    nn.utils.clip_grad_value_(model.parameters(), max_value)
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    return norm
