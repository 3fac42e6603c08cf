"""Predicted classes as lines of text."""

import json
from collections.abc import Iterable, Iterator

from ..inference.surprisal import TSV_ESCAPES
from .classifier import Classifier

NO_CLASS = "?"


def to_tsv(classifier: Classifier, texts: Iterable[str], abstain_below: float) -> Iterator[str]:
    """Class, its probability and the text, one text a line; "?" where it is below the bound."""
    yield "class\tprobability\ttext\n"
    for text, probabilities in classifier.stream(texts):
        best = int(probabilities.argmax())
        sure = probabilities[best] >= abstain_below
        name = str(classifier.classes[best]) if sure else NO_CLASS
        shown = text.translate(TSV_ESCAPES)
        yield f"{name.translate(TSV_ESCAPES)}\t{probabilities[best]:.4f}\t{shown}\n"


def to_jsonl(classifier: Classifier, texts: Iterable[str], abstain_below: float) -> Iterator[str]:
    """One object per text: class (null where it is below the bound) and all probabilities."""
    for text, probabilities in classifier.stream(texts):
        best = int(probabilities.argmax())
        sure = probabilities[best] >= abstain_below
        row = {
            "class": classifier.classes[best] if sure else None,
            "probabilities": {
                str(name): round(float(value), 6)
                for name, value in zip(classifier.classes, probabilities, strict=True)
            },
            "text": text,
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"
