"""Language models on your own text: train, compare, use.

import unrolled
run = unrolled.load("runs/a")
print(unrolled.generate(run.model, run.tokenizer, "Once")[0])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import load as load
    from .classification.estimator import TextClassifier as TextClassifier
    from .comparison import compare as compare
    from .config import Budget as Budget
    from .config import DataConfig as DataConfig
    from .evaluation import evaluate as evaluate
    from .examination import DiagnoseRequest as DiagnoseRequest
    from .examination import diagnose as diagnose
    from .generation import SamplingConfig as SamplingConfig
    from .generation import generate as generate
    from .generation import stream as stream
    from .prediction import next_tokens as next_tokens
    from .prediction import next_words as next_words
    from .scoring import rank as rank
    from .scoring import score_text as score_text
    from .scoring import score_texts as score_texts
    from .training import TrainRequest as TrainRequest
    from .training import train as train

_HOME = {
    "load": "checkpoint",
    "TextClassifier": "classification.estimator",
    "compare": "comparison",
    "Budget": "config",
    "DataConfig": "config",
    "diagnose": "examination",
    "DiagnoseRequest": "examination",
    "evaluate": "evaluation",
    "SamplingConfig": "generation",
    "generate": "generation",
    "next_tokens": "prediction",
    "next_words": "prediction",
    "stream": "generation",
    "rank": "scoring",
    "score_text": "scoring",
    "score_texts": "scoring",
    "TrainRequest": "training",
    "train": "training",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Imports a public name at first use: `import unrolled` itself loads no torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
