import math

import pytest
import torch

from unrolled.models.build import build
from unrolled.settings.training import TrainConfig
from unrolled.training.loop import Training
from unrolled.training.trainee import LanguageModelTrainee

from .trainings import CONFIG, MODEL, V, periodic


@pytest.fixture
def start(make_store, tmp_path):
    """Builds a training of a tiny LSTM: `start(config, model=...)`."""

    def build_training(config: TrainConfig = CONFIG, train=None, valid=None) -> Training:
        train = periodic(2000) if train is None else train
        store = make_store(V, train=train, valid=periodic(200) if valid is None else valid)
        torch.manual_seed(config.seed)
        unigram = torch.full((V,), -math.log(V))
        trainee = LanguageModelTrainee(build(MODEL, V), store, config, unigram)
        return Training(trainee, tmp_path)

    return build_training
