"""How much of a classifier's gradient arrives at each word of a text."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..classification.classifier import Classifier
from ..classification.documents import Documents
from ..errors import LabelError
from ..models.classifier import PIECE, RecurrentClassifier
from ..results.diagnosis import WordFlow
from ..text.labels import plain

NUM_TEXTS = 64
TINY = 1e-300
SHORTEST = 8
"""Words that a text must have."""


def measure_words(classifier: Classifier, texts: Sequence[str]) -> WordFlow:
    """Gradient at each position of texts of about the same length, as the model reads them.

    The texts that are as long as the median or longer are cut to its length, at most the 1,024
    last words, so that every position is one of a word in all of them; where the model reads
    padding, it follows.

    Raises:
        LabelError: there is no recurrent model, or no text of 8 words or more.
    """
    member = classifier.recurrent
    if member is None:
        problem = "is linear: it reads no word after another"
        raise LabelError("The classifier", problem, "Train one with --kind gru or lstm.")
    tokenizer, limit = member.tokenizer, member.config.max_tokens
    documents = Documents.encode([plain(text) for text in texts], tokenizer, limit)
    lengths = documents.lengths
    length = min(PIECE, int(np.median(lengths))) if len(lengths) else 0
    if length < SHORTEST:
        remedy = f"Give texts of at least {SHORTEST} words."
        raise LabelError("The texts", f"have {length} words in the median", remedy)
    rows = np.flatnonzero(lengths >= length)[:NUM_TEXTS]
    starts = documents.starts[rows + 1] - length
    ids = np.concatenate([documents.ids[start : start + length] for start in starts])
    padded_to = limit if member.config.post_padding_unmasked else None
    cut = Documents(ids, np.arange(len(rows) + 1) * length)
    tokens, read = replace(cut, padded_to=padded_to).batch(np.arange(len(rows)))
    norms = word_gradient(member.model, tokens, read)
    return WordFlow(
        positions=list(range(1, len(norms) + 1)),
        shares=(norms / norms.max().clamp(min=TINY)).tolist(),
        length=length,
        padded_to=padded_to,
    )


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
