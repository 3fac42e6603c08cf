"""Language models on your own text: train, compare, diagnose, use.

import unrolled
run = unrolled.load("runs/a")
print(unrolled.generate(run.model, run.tokenizer, "Once")[0])

`dir(unrolled)` lists the public names; docs/api.md describes them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .system.machine import bound_spinning

if TYPE_CHECKING:
    from .classification.estimator import TextClassifier as TextClassifier
    from .classification.request import ClassifyRequest as ClassifyRequest
    from .classification.run import classify as classify
    from .comparison.comparison import compare as compare
    from .comparison.request import CompareRequest as CompareRequest
    from .diagnosis.examination import DiagnoseRequest as DiagnoseRequest
    from .diagnosis.examination import diagnose as diagnose
    from .diagnosis.monitor import train as train
    from .errors import UnrolledError as UnrolledError
    from .inference.evaluation import evaluate as evaluate
    from .inference.generation import SamplingConfig as SamplingConfig
    from .inference.generation import generate as generate
    from .inference.generation import stream as stream
    from .inference.next_words import Candidate as Candidate
    from .inference.next_words import next_tokens as next_tokens
    from .inference.next_words import next_words as next_words
    from .inference.surprisal import TextScore as TextScore
    from .inference.surprisal import rank as rank
    from .inference.surprisal import score_text as score_text
    from .inference.surprisal import score_texts as score_texts
    from .models.base import NeuralModel as NeuralModel
    from .probes.request import ProbeRequest as ProbeRequest
    from .probes.run import probe as probe
    from .results.classification import Classification as Classification
    from .results.comparison import Comparison as Comparison
    from .results.diagnosis import Diagnosis as Diagnosis
    from .results.events import Interrupted as Interrupted
    from .results.loss import Evaluation as Evaluation
    from .results.loss import Loss as Loss
    from .results.probes import Probes as Probes
    from .results.run import RunResults as RunResults
    from .runs.folder import Run as Run
    from .runs.folder import load as load
    from .settings.data import DataConfig as DataConfig
    from .settings.data import FileFormat as FileFormat
    from .settings.training import Budget as Budget
    from .training.request import TrainRequest as TrainRequest

bound_spinning()

_HOME = {
    "TextClassifier": "classification.estimator",
    "ClassifyRequest": "classification.request",
    "classify": "classification.run",
    "CompareRequest": "comparison.request",
    "compare": "comparison.comparison",
    "DiagnoseRequest": "diagnosis.examination",
    "diagnose": "diagnosis.examination",
    "train": "diagnosis.monitor",
    "UnrolledError": "errors",
    "evaluate": "inference.evaluation",
    "SamplingConfig": "inference.generation",
    "generate": "inference.generation",
    "stream": "inference.generation",
    "Candidate": "inference.next_words",
    "next_tokens": "inference.next_words",
    "next_words": "inference.next_words",
    "TextScore": "inference.surprisal",
    "rank": "inference.surprisal",
    "score_text": "inference.surprisal",
    "score_texts": "inference.surprisal",
    "NeuralModel": "models.base",
    "ProbeRequest": "probes.request",
    "probe": "probes.run",
    "Classification": "results.classification",
    "Comparison": "results.comparison",
    "Diagnosis": "results.diagnosis",
    "Interrupted": "results.events",
    "Evaluation": "results.loss",
    "Loss": "results.loss",
    "Probes": "results.probes",
    "RunResults": "results.run",
    "Run": "runs.folder",
    "load": "runs.folder",
    "DataConfig": "settings.data",
    "FileFormat": "settings.data",
    "Budget": "settings.training",
    "TrainRequest": "training.request",
}

__all__ = sorted(_HOME)


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Imports a public name at first use: `import unrolled` itself loads no torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
