"""Gradient at the words of a text classifier, by position, padding included."""

import torch
from torch import Tensor

from ..models.classifier import RecurrentClassifier


def word_gradient(model: RecurrentClassifier, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Norm of the gradient of the decision at each position's embedded word, averaged over texts.

    The decision is the log-odds of the first two classes. It is the gradient that training gets:
    none goes back beyond a piece of text, see models/classifier.py, but through the pooling.

    Args:
        tokens: `(B, T)` as the model reads them; a model that reads padding has it as text.
        lengths: Steps that are read, `(B,)`.

    Returns:
        `(T,)` float64.
    """
    was_training = model.training
    shift = torch.zeros(*tokens.shape, model.config.embedding_size, requires_grad=True)
    with torch.enable_grad():
        log_probs = model.eval()(tokens, lengths, shift)
        (slope,) = torch.autograd.grad((log_probs[:, 1] - log_probs[:, 0]).sum(), shift)
    model.train(was_training)
    return slope.double().norm(dim=2).mean(0)
