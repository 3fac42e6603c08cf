"""`unrolled train`: one model on one text."""

import time
from pathlib import Path
from typing import Literal

from ..config import Size
from .options import DataOptions, ModelOptions, Texts, TrainOptions, given


def train(
    texts: Texts = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    *,
    model: Literal["ngram", "rnn", "gru", "lstm", "transformer"] = "lstm",
    out: Path,
    budget: str = "10m",
    size: Size = "medium",
    seed: int = 0,
    resume: bool = False,
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
        Sets what the options below leave open.
    seed
        Of initialization, dropout and the order of batches.
    resume
        Go on with a run that was stopped or killed; all other settings are its own.
    """
    began = time.monotonic()
    from ..config import Budget
    from ..errors import ConfigError
    from ..training import TrainRequest
    from ..training import train as library_train
    from .progress import Progress, stop_on_interrupt

    with Progress() as progress, stop_on_interrupt() as stop:
        if resume:
            from ..training import resume as library_resume

            config = library_resume(out, progress, stop)
        elif not texts:
            raise ConfigError("TEXT", "given", "none", "Name files or folders, or - for stdin.")
        else:
            request = TrainRequest(
                kind=model,
                data=data.config(texts),
                size=size,
                budget=Budget.parse(budget),
                seed=seed,
                model_settings=given(model_options),
                train_settings=given(train_options),
            )
            config = library_train(out, request, progress, stop, began)
    from .tables import print_results

    print_results(out, config)
    return 0
