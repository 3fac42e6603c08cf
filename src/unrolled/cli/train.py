"""`unrolled train`: one model on one text."""

import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import ConfigError
from ..settings.data import DataConfig
from ..settings.kinds import SizeChoice
from ..settings.training import Budget
from .options import DataOptions, Kind, ModelOptions, Texts, TrainOptions, given, required


def train(  # noqa: PLR0913  a parameter is a flag
    texts: Texts = [],  # noqa: B006  cyclopts reads the default, nothing changes it
    /,
    *,
    model: Kind | None = None,
    out: Path,
    budget: str | None = None,
    size: SizeChoice | None = None,
    seed: int | None = None,
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
        Kind of model, or module:Class for one of yours; default: lstm.
    out
        Run folder to write.
    budget
        Wall-clock time (90s, 10m, 1h), tokens (2Mtokens) or epochs (3epochs); default: 10m.
    size
        Size of the network; options under Model override it. Default: auto, by the budget, the
        text and the speed of this machine.
    seed
        Random seed of initialization, dropout and batch order; default: 0.
    resume
        Resume a stopped or killed run with its own text and settings.
    tensorboard
        Folder for TensorBoard event files; the run writes to a subfolder of its name.
    """
    began = time.monotonic()
    if resume:
        chosen = {"model": model, "budget": budget, "size": size, "seed": seed}
        _check_alone(texts, data, chosen | given(model_options) | given(train_options))
    limit = Budget.parse(budget or "10m")
    source = DataConfig() if resume else data.config(required(texts))
    from ..diagnosis.monitor import GradientMonitor
    from ..diagnosis.monitor import train as library_train
    from ..results.events import Interrupted
    from ..system.interrupt import stop_on_interrupt
    from ..training.language_model import resume as library_resume
    from ..training.request import TrainRequest
    from .progress import shown
    from .tables import print_results

    try:
        with shown(tensorboard, out) as on_event, stop_on_interrupt() as stop:
            if resume:
                run = library_resume(out, on_event, stop, GradientMonitor)
            else:
                request = TrainRequest(
                    kind=model or "lstm",
                    data=source,
                    size=size or "auto",
                    budget=limit,
                    seed=seed or 0,
                    model_settings=given(model_options),
                    train_settings=given(train_options),
                )
                run = library_train(out, request, on_event, stop, began)
    except (Interrupted, KeyboardInterrupt):
        saved = f"and saved. Resume with: unrolled train --resume --out {out}"
        is_saved = (out / "config.json").is_file()
        print(f"Stopped {saved}" if is_saved else "Stopped.", file=sys.stderr)
        return 130
    print_results(out, run.config.model.kind, run.results)
    return 0


def _check_alone(texts: list[str], data: DataOptions, chosen: dict[str, object]) -> None:
    """Raises ConfigError where --resume stands beside what the run has settled."""
    plain = vars(DataOptions())
    other = {name: value for name, value in vars(data).items() if value != plain[name]}
    for name, value in {"TEXT": " ".join(texts) or None, **other, **chosen}.items():
        if value is not None:
            remedy = "The run goes on with its own text and settings."
            raise ConfigError(name, "left out with --resume", value, remedy)
