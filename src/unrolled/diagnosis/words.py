"""Gradient at the words of a text classifier, by position, padding included."""

from typing import Any

import torch
from torch import Tensor

from ..models.classifier import RecurrentClassifier


def word_gradient(model: RecurrentClassifier, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Norm of the gradient of the decision at each position's embedded word, averaged over texts.

    The decision is the log-odds of the first two classes; both directions of a bidirectional
    model are added. It is the gradient that training gets: none goes back beyond a piece of text,
    see models/classifier.py, but through the pooling.

    Args:
        tokens: `(B, T)` as the model reads them; a model that reads padding has it as text.
        lengths: Steps that are read, `(B,)`.

    Returns:
        `(T,)` float64.
    """
    outputs: list[Tensor] = []

    def keep(module: torch.nn.Module, inputs: Any, output: Tensor) -> Tensor:
        outputs.append(output.detach().requires_grad_())
        return outputs[-1]

    was_training = model.training
    hook = model.eval().embedding.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            log_probs = model(tokens, lengths)
            odds = (log_probs[:, 1] - log_probs[:, 0]).sum()
            slopes = torch.autograd.grad(odds, outputs, allow_unused=True, materialize_grads=True)
    finally:
        hook.remove()
        model.train(was_training)
    pieces = len(outputs) // len(model.encoders)
    total = torch.zeros(tokens.shape, dtype=torch.float64)
    for number, encoder in enumerate(model.encoders):
        found = slopes[number * pieces : (number + 1) * pieces]
        norms = torch.cat([slope.double().norm(dim=2) for slope in found], 1)
        total += _in_text_order(norms, lengths) if encoder.backward else norms
    return total.mean(0)


def _in_text_order(norms: Tensor, lengths: Tensor) -> Tensor:
    """Turns rows that were read from their end."""
    steps = torch.arange(norms.shape[1])
    last = lengths[:, None] - 1
    return norms.gather(1, torch.where(steps <= last, last - steps, steps))
