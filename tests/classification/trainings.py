"""A small classifier in training, to look at."""

from pathlib import Path

import numpy as np
import torch

from unrolled.classification.documents import Documents, Labelled
from unrolled.classification.trainee import ClassifierTrainee
from unrolled.models.classifier import RecurrentClassifier
from unrolled.settings.models import ClassifierConfig
from unrolled.settings.training import ClassifierTrainConfig
from unrolled.text.tokenizers import ByteTokenizer
from unrolled.training.loop import Training
from unrolled.training.throughput import without_clock


def make_training(folder: Path | None = None, **settings) -> Training:
    """Of 32 texts that one letter tells apart."""
    texts = ["aab", "abb", "ba", "bbb"] * 8
    labels = np.array([0, 1, 0, 1] * 8)
    documents = Documents.encode(texts, ByteTokenizer())
    targets = Labelled(texts, labels)
    torch.manual_seed(0)
    config = ClassifierConfig(257, 2, embedding_size=4, hidden_sizes=(4, 4))
    values = {"threads": 1, "batch_size": 8, "precision": "float32"} | settings
    train_config = without_clock(ClassifierTrainConfig(**values))
    model = RecurrentClassifier(config)
    trainee = ClassifierTrainee(model, documents, targets, documents, targets, train_config)
    return Training(trainee, folder)
