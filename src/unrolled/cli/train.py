"""`unrolled train`: one model on one text."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..settings.data import DataConfig
from ..settings.kinds import KindName, Size
from ..settings.training import Budget
from .options import DataOptions, ModelOptions, Texts, TrainOptions, given, required


def train(  # noqa: PLR0913  a parameter is a flag
    texts: Texts = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    /,
    *,
    model: KindName = "lstm",
    out: Path,
    budget: str = "10m",
    size: Size = "medium",
    seed: int = 0,
    resume: Annotated[bool, Parameter(negative=())] = False,
    tensorboard: Path | None = None,
    data: DataOptions = DataOptions(),  # noqa: B008
    model_options: ModelOptions = ModelOptions(),  # noqa: B008
    train_options: TrainOptions = TrainOptions(),  # noqa: B008
) -> int:
    """Train one language model within a budget.

    Example: unrolled train my-texts/ --model lstm --budget 10m --out runs/a

    Parameters
    ----------
    model
        Kind of model.
    out
        Run folder to write.
    budget
        Wall-clock time (90s, 10m, 1h), tokens (2Mtokens) or passes (3epochs).
    size
        Of the network; the options under Model override it.
    seed
        Of initialization, dropout and the order of batches.
    resume
        Go on with a run that was stopped or killed; all other settings are its own.
    tensorboard
        Folder for TensorBoard event files; the run gets a folder of its name in it.
    """
    began = time.monotonic()
    limit = Budget.parse(budget)
    source = DataConfig() if resume else data.config(required(texts))
    from ..system.interrupt import stop_on_interrupt
    from ..training import language_model
    from ..training.loop import Interrupted
    from .inputs import saved_input
    from .progress import Progress
    from .tables import print_results

    try:
        with (
            saved_input(source, out) as source,
            Progress() as progress,
            _events(tensorboard, out, progress) as hear,
            stop_on_interrupt() as stop,
        ):
            if resume:
                config = language_model.resume(out, hear, stop)
            else:
                request = language_model.TrainRequest(
                    kind=model,
                    data=source,
                    size=size,
                    budget=limit,
                    seed=seed,
                    model_settings=given(model_options),
                    train_settings=given(train_options),
                )
                config = language_model.train(out, request, hear, stop, began)
    except Interrupted:
        print(
            f"Stopped and saved. Go on with: unrolled train --resume --out {out}", file=sys.stderr
        )
        return 130
    print_results(out, config)
    return 0


def _events(
    folder: Path | None, out: Path, progress: Callable[[dict[str, Any]], None]
) -> AbstractContextManager[Callable[[dict[str, Any]], None]]:
    """What hears the training: the terminal, and event files where they are asked for."""
    if folder is None:
        return nullcontext(progress)
    from ..training.tensorboard import EventFiles

    return EventFiles(folder / out.resolve().name, progress)
