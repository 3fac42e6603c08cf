"""Language models on your own text: train, compare, use.

    import unrolled
    run = unrolled.load("runs/a")
    print(unrolled.generate(run.model, run.tokenizer, "Once")[0])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import load as load
    from .compare import compare as compare
    from .config import Budget as Budget
    from .config import DataConfig as DataConfig
    from .evaluate import evaluate as evaluate
    from .generate import SamplingConfig as SamplingConfig
    from .generate import generate as generate
    from .generate import next_tokens as next_tokens
    from .generate import next_words as next_words
    from .generate import stream as stream
    from .score import rank as rank
    from .score import score_text as score_text
    from .score import score_texts as score_texts
    from .train import TrainRequest as TrainRequest
    from .train import train as train

_HOME = {
    "load": "checkpoint",
    "compare": "compare",
    "Budget": "config",
    "DataConfig": "config",
    "evaluate": "evaluate",
    "SamplingConfig": "generate",
    "generate": "generate",
    "next_tokens": "generate",
    "next_words": "generate",
    "stream": "generate",
    "rank": "score",
    "score_text": "score",
    "score_texts": "score",
    "TrainRequest": "train",
    "train": "train",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Imports a public name at first use: `import unrolled` itself loads no torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
