"""`unrolled evaluate`: what a text costs a trained model."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..settings.data import DataConfig
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
    config = DataConfig(tuple(required(texts)))
    from ..runs.folder import load
    from .options import saved_input
    from .tables import print_evaluation

    opened = load(run)
    with saved_input(config) as saved:
        evaluation = opened.evaluate(saved.texts, **vars(options))
    if json_output:
        print(json.dumps(evaluation.to_json(), indent=2))
    else:
        print_evaluation(opened.config.model.kind, evaluation, ", ".join(texts))
    return 0
