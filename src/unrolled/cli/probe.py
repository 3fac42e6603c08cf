"""`unrolled probe`: what each kind of layer can remember."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..probes.request import CURES, LENGTHS, MODELS, PLAIN, TASKS, ProbeRequest
from ..report.words import Language
from ..settings.training import Budget

Many = Parameter(negative=(), consume_multiple=True)
MODELS_HELP = f"Layers: {', '.join(PLAIN)} and variants with a remedy: {', '.join(CURES)}."


def probe(  # noqa: PLR0913  a parameter is a flag
    *,
    out: Path,
    tasks: Annotated[tuple[str, ...], Many] = TASKS,
    models: Annotated[tuple[str, ...], Many, Parameter(help=MODELS_HELP)] = MODELS,
    lengths: Annotated[tuple[int, ...], Many] = LENGTHS,
    budget: str = "10m",
    parameters: int = ProbeRequest.num_parameters,
    batch_size: int | None = None,
    seed: int = 0,
    language: Language = "en",
) -> int:
    """Train layers on synthetic memory tasks of increasing length.

    Example: unrolled probe --tasks adding --models rnn gru --lengths 20 50 --out runs/probe

    Parameters
    ----------
    out
        Folder to write: results.json and report.html. Finished trials in it are kept: after a stop,
        the same command resumes.
    tasks
        Tasks: adding, copy, selective-copy, recall, parity.
    lengths
        Sequence lengths T; a model that fails at one skips the longer ones.
    budget
        Wall-clock time for everything (10m), or tokens that each trial trains on (2Mtokens).
    parameters
        Number of parameters of every model, without its embedding.
    batch_size
        Sequences per update; default: 16 to 64, by task.
    seed
        Random seed of sequences and weights.
    language
        Language of the verdict and the report: en or zh.
    """
    amount = Budget.parse(budget)
    request = ProbeRequest(tasks, models, lengths, amount, parameters, batch_size, seed, language)
    from ..probes.run import REPORT
    from ..probes.run import probe as run
    from .progress import Trials
    from .tables import print_probes

    with Trials() as on_trial:
        result = run(out, request, on_trial)
    print_probes(result, request, out / REPORT)
    return 0
