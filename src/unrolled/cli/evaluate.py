"""`unrolled evaluate`: what a text costs a trained model."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .options import GivenTexts, Texts, required


def evaluate(
    run: Path,
    texts: Texts = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    /,
    *,
    json_output: Annotated[bool, Parameter(name="--json", negative=())] = False,
    options: GivenTexts = GivenTexts(),  # noqa: B008
) -> int:
    """Evaluate a run on a text: bits per byte and perplexity, with baselines.

    Example: unrolled evaluate runs/a other-texts/

    Parameters
    ----------
    run
        Run folder.
    json_output
        Print one JSON object instead of a table.
    """
    required(texts)
    from ..runs.folder import load
    from .tables import print_evaluation

    opened = load(run)
    evaluation = opened.evaluate(texts, options.column, options.documents, options.file_format())
    if json_output:
        print(json.dumps(evaluation.to_json(), indent=2))
    else:
        print_evaluation(opened.config.model.kind, evaluation, ", ".join(texts))
    return 0
