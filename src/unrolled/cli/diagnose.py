"""`unrolled diagnose`: what limits a model, and what helps."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..settings.training import Budget
from .options import GivenTexts, Texts, required

Measured = Annotated[
    Texts,
    Parameter(help="Texts to measure on; default: those of the run. A classifier needs some."),
]


def diagnose(
    run: Path,
    texts: Measured = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    /,
    *,
    out: Path,
    cure: str | None = None,
    language: Literal["en", "zh"] = "en",
    memory_seconds: float = 10.0,
    options: GivenTexts = GivenTexts(),  # noqa: B008
) -> int:
    """Diagnose a model: gradient flow, effective context length, and remedies.

    Example: unrolled diagnose runs/a --out runs/a-diagnosis --cure 10m

    Parameters
    ----------
    run
        Run folder, of a language model or a classifier.
    out
        Folder to write: report.html and results.json.
    cure
        Try the remedies in short trainings: wall-clock time for all (10m), or tokens for each
        (2Mtokens).
    language
        Language of the verdict and the report: en or zh.
    memory_seconds
        Approximate seconds for measuring the effective context length of each model; more seconds
        narrow the interval.
    """
    budget = None if cure is None else Budget.parse(cure)
    if texts:
        required(texts)
    from ..diagnosis.examination import REPORT, DiagnoseRequest
    from ..diagnosis.examination import diagnose as library_diagnose
    from .progress import Progress
    from .tables import print_diagnosis

    request = DiagnoseRequest(
        run,
        tuple(texts),
        options.column,
        options.documents,
        budget,
        language,
        memory_seconds,
        options.file_format(),
    )
    with Progress() as progress:
        result = library_diagnose(out, request, progress)
    print_diagnosis(result, language, out / REPORT)
    return 0
