"""Language models on your own text: train, compare, use.

import unrolled
run = unrolled.load("runs/a")
print(unrolled.generate(run.model, run.tokenizer, "Once")[0])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classification.estimator import TextClassifier as TextClassifier
    from .comparison.comparison import compare as compare
    from .diagnosis.examination import DiagnoseRequest as DiagnoseRequest
    from .diagnosis.examination import diagnose as diagnose
    from .diagnosis.monitor import train as train
    from .inference.evaluation import evaluate as evaluate
    from .inference.generation import SamplingConfig as SamplingConfig
    from .inference.generation import generate as generate
    from .inference.generation import stream as stream
    from .inference.next_words import next_tokens as next_tokens
    from .inference.next_words import next_words as next_words
    from .inference.surprisal import rank as rank
    from .inference.surprisal import score_text as score_text
    from .inference.surprisal import score_texts as score_texts
    from .runs.folder import load as load
    from .settings.data import DataConfig as DataConfig
    from .settings.training import Budget as Budget
    from .training.language_model import TrainRequest as TrainRequest

_HOME = {
    "load": "runs.folder",
    "TextClassifier": "classification.estimator",
    "compare": "comparison.comparison",
    "Budget": "settings.training",
    "DataConfig": "settings.data",
    "evaluate": "inference.evaluation",
    "DiagnoseRequest": "diagnosis.examination",
    "diagnose": "diagnosis.examination",
    "SamplingConfig": "inference.generation",
    "generate": "inference.generation",
    "stream": "inference.generation",
    "next_tokens": "inference.next_words",
    "next_words": "inference.next_words",
    "rank": "inference.surprisal",
    "score_text": "inference.surprisal",
    "score_texts": "inference.surprisal",
    "TrainRequest": "training.language_model",
    "train": "diagnosis.monitor",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Imports a public name at first use: `import unrolled` itself loads no torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
