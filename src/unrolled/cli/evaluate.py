"""`unrolled evaluate`: what a text costs a trained model."""

import json
import tempfile
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
    """Measure how well a run predicts any text, with simple models beside it.

    Example: unrolled evaluate runs/a other-texts/

    Parameters
    ----------
    run
        Run folder.
    json_output
        Print one JSON object instead of a table.
    """
    named = required(texts)
    from dataclasses import asdict

    from ..inference.evaluation import baselines
    from ..inference.evaluation import evaluate as library_evaluate
    from ..runs.folder import load
    from ..text.prepare import encode_texts
    from .inputs import saved_input
    from .tables import print_losses

    opened = load(run)
    column, documents = opened.reading(options.column, options.documents)
    with (
        saved_input(DataConfig(tuple(named))) as source,
        tempfile.TemporaryDirectory(prefix="unrolled-") as folder,
    ):
        store = encode_texts(source.texts, opened.tokenizer, Path(folder), column, documents)
        loss = library_evaluate(opened.model, store, "text").to_dict()
        rows = [asdict(row) for row in baselines(store, "text", opened.baselines)]
    if json_output:
        print(json.dumps({**loss, "baselines": rows}, indent=2))
    else:
        print_losses(opened.config["model"]["kind"], loss, rows, ", ".join(named))
    return 0
