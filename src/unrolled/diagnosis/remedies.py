"""What helps a recurrent model to remember: one switch each, with its source, and short trials.

Each trial trains for the same time on the model's own text.
"""

import math
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..inference.evaluation import evaluate
from ..models.recurrent import RecurrentModel
from ..results.diagnosis import Cure, FinalBits, Flow, Tried
from ..results.events import OnEvent, ignore, named
from ..runs.folder import Run
from ..runs.prepared import PreparedText
from ..settings.kinds import KINDS, KindName, is_unused
from ..settings.models import RecurrentConfig
from ..settings.training import Budget, TrainConfig
from ..system.machine import using_threads
from ..training.request import TrainRequest
from .flow import WARM_UP, gradient_flow, longest, text_windows
from .memory import measure_memory
from .monitor import train

SMALLER_IS_STRONGER = ("clip_norm", "clip_value")
"""Settings that do more the smaller they are, but nothing at 0; numbers else do more the larger."""


@dataclass(frozen=True)
class Remedy:
    """One change to a model or to its training."""

    name: str
    source: str
    model: dict[str, Any] = field(default_factory=dict)
    """Fields of RecurrentConfig."""
    train: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig."""
    kind: KindName | None = None
    """Another architecture."""

    @property
    def flags(self) -> str:
        """As `unrolled train` takes it."""
        default = RecurrentConfig()
        model = {key: v for key, v in self.model.items() if v != getattr(default, key)}
        settings = {"model": self.kind} if self.kind else model | self.train
        return " ".join(_flag(name, value) for name, value in settings.items())

    def changes(self, model: RecurrentConfig, train: TrainConfig) -> bool:
        """Whether it is for this model and does more than what the run has already."""
        if self.kind is not None:
            return self.kind != model.kind
        unused = KINDS[model.kind].unused
        if any(name in unused for name in self.model):
            return False
        if self.model.get("recurrent_init") and KINDS[model.kind].gated:
            return False  # gates keep a state without it
        if self.model.get("connections") and model.num_layers == 1:
            return "num_layers" in self.model
        if self.model.get("attention") and model.hidden_size % 2:
            return False  # positions turn pairs of features
        now = asdict(model) | asdict(train)
        settings = self.model or self.train
        return any(_does_more(name, value, now[name]) for name, value in settings.items())


def _does_more(name: str, value: Any, now: Any) -> bool:
    """Whether a setting goes beyond what it is now, or is another one."""
    numbers = [isinstance(one, int | float) and not isinstance(one, bool) for one in (value, now)]
    if not all(numbers):
        return bool(value != now) and value is not None
    return bool(not now or value < now if name in SMALLER_IS_STRONGER else value > now)


def _flag(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value}"


def remedies(model: RecurrentConfig, train: TrainConfig) -> list[Remedy]:
    """All remedies that change something for a run."""
    longer = Remedy(
        "longer truncation",
        "Williams & Peng 1990",
        train={"sequence_length": 2 * train.sequence_length},
    )
    layers = Remedy(
        "two layers, summed" if model.num_layers <= 2 else "layers summed",
        "Melis et al. 2018",
        model={"num_layers": max(2, model.num_layers), "connections": "sum"},
    )
    return [one for one in (*REMEDIES, longer, layers) if one.changes(model, train)]


REMEDIES = (
    *(
        Remedy(kind.title, kind.source, kind=kind.name)
        for kind in KINDS.values()
        if kind.gated or kind.family == "transformer"
    ),
    Remedy("smaller gradient norm", "Pascanu et al. 2013", train={"clip_norm": 0.1}),
    Remedy("gradient values clipped", "Mikolov 2012", train={"clip_value": 1e-3}),
    Remedy(
        "forget bias",
        "Jozefowicz et al. 2015",
        model={"forget_bias": 2.0, "gate_init": "constant"},
    ),
    Remedy(
        "chrono gates",
        "Tallec & Ollivier 2018",
        model={"gate_init": "chrono", "forget_bias": None},
    ),
    Remedy(
        "uniform gates",
        "Gu et al. 2020",
        model={"gate_init": "uniform", "forget_bias": None},
    ),
    Remedy(
        "identity start",
        "Le et al. 2015",
        model={"recurrent_init": "identity"},  # with relu, as in the paper, language models diverge
    ),
    Remedy("layer normalization", "Ba et al. 2016", model={"layer_norm": True}),
    Remedy("residual connections", "He et al. 2016", model={"connections": "residual"}),
    Remedy("zoneout", "Krueger et al. 2017", model={"zoneout": 0.1}),
    Remedy("state dropout", "Gal & Ghahramani 2016", model={"state_dropout": 0.1}),
    Remedy("weight dropout", "Merity et al. 2018", model={"weight_dropout": 0.2}),
    Remedy("random truncation", "Merity et al. 2018", train={"length_variation": 0.75}),
    Remedy("carried state", "Zaremba et al. 2014", train={"carry_state": True}),
    Remedy("lookahead", "Gloeckle et al. 2024", model={"lookahead": 0.3}),
    Remedy("one attention head", "Merity 2019", model={"attention": 64}),
)
"""Changes of architecture first: where they help, they help most."""


NO_CURE = "Remedies are for recurrent models: leave --cure out."
SHORTEST_SECONDS = 5.0
"""A training shorter than this shows nothing."""
SLOWER = 2
"""Other architectures take so much longer to measure, on average, and to load."""
MEMORY_TARGETS = 400
"""Tokens that each trial's used memory is measured on."""
NUM_ROWS = 16
"""Places that each trial's gradient is averaged over: measuring takes from the time to train."""
UNCHANGED = "unchanged"
SIZES = ("embedding_size", "hidden_size")
DROPOUTS = ("input_dropout", "hidden_dropout", "output_dropout")
"""What other recurrent architectures take over; the rest is their own preset's."""


def trial_budget(run: Run, text: PreparedText, budget: Budget) -> Budget:
    """The budget of each trial: an even part of a time, less what measuring takes.

    Raises:
        ConfigError: the model is not recurrent, or the time is too short.
    """
    if budget.unit != "seconds":
        return budget
    number = len(remedies_of(run)) + 1
    began = time.monotonic()
    _look(run, text)
    measuring = time.monotonic() - began
    share = (budget.amount - measuring) / number - SLOWER * measuring
    if share < SHORTEST_SECONDS:
        least = math.ceil(number * (SLOWER * measuring + SHORTEST_SECONDS) + measuring)
        rule = f"at least {least}s for {number} trainings"
        raise ConfigError("cure", rule, budget, "Give more time, or a number of tokens.")
    return Budget(share, "seconds")


def cure(run: Run, text: PreparedText, out: Path, each: Budget, on_event: OnEvent = ignore) -> Cure:
    """Trains the model as it is, then with one remedy at a time, and ranks what they changed.

    Every training starts from scratch, from the same seed, with the same budget: a remedy that
    makes steps slower pays for it. They are ranked by bits per byte of the validation split;
    the test split, where there is one, is scored for the unchanged and the best one alone.

    Args:
        run: A recurrent run; its settings are those of the unchanged model.
        text: The text to train on, in the run's tokens.
        out: Gets a run folder for each trial.
        each: Of each trial, see `trial_budget`.
        on_event: Receives the events of all trainings; `event.run` names the remedy.
    """
    chosen = remedies_of(run)
    valid_only = {name: info for name, info in text.store.splits.items() if name != "test"}
    shown = replace(text, store=replace(text.store, splits=valid_only))

    def tried(remedy: Remedy | None) -> tuple[Tried, Run]:
        name = remedy.name if remedy else UNCHANGED
        folder = out / name.replace(" ", "-")
        trial = train(folder, _request(run, each, remedy), named(on_event, name), text=shown)
        return _measure(trial, shown, remedy), trial

    unchanged, first = tried(None)
    rows = [tried(remedy) for remedy in chosen]
    rows = [(_gained(row, unchanged), trial) for row, trial in rows]
    rows.sort(key=lambda row: -math.inf if row[0].gain is None else row[0].gain, reverse=True)
    test = None
    if "test" in text.store.splits and rows:
        test = FinalBits(_test_bits(first, text), _test_bits(rows[0][1], text))
    budget = str(replace(each, amount=round(each.amount)))
    return Cure(budget, unchanged, [row for row, _ in rows], test)


def _gained(row: Tried, unchanged: Tried) -> Tried:
    """A row with what its remedy changed."""
    if row.bits_per_byte is None or unchanged.bits_per_byte is None:
        return row
    return replace(row, gain=unchanged.bits_per_byte - row.bits_per_byte)


def remedies_of(run: Run) -> list[Remedy]:
    """What can be tried on a run.

    Raises:
        ConfigError: the model is not recurrent.
    """
    model = run.config.model
    if not isinstance(model, RecurrentConfig):
        raise ConfigError("model", "a recurrent one", model.kind, NO_CURE)
    return remedies(model, _train_config(run))


def _request(run: Run, each: Budget, remedy: Remedy | None) -> TrainRequest:
    """The run's own settings, zeros included, with those of the remedy."""
    model, train_settings = run.config.model, vars(_train_config(run)).copy()
    seed, _ = train_settings.pop("seed"), train_settings.pop("budget")
    settings = {
        name: value
        for name, value in asdict(model).items()
        if name != "kind" and not is_unused(model.kind, name)
    }
    kind = model.kind
    if remedy is None:
        pass
    elif remedy.kind is None:
        settings |= remedy.model
        train_settings |= remedy.train
    else:
        kind = remedy.kind
        settings = _of_another_kind(kind, settings)
        del train_settings["learning_rate"]  # each architecture has its own
        if KINDS[kind].family == "transformer":
            del train_settings["batch_size"]
    return TrainRequest(kind, run.config.data, "small", each, seed, settings, train_settings)


def _of_another_kind(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What another architecture takes over: width, depth and dropout, so that these are equal."""
    kind = KINDS[name]
    if kind.family == "transformer":
        return {"dropout": settings["hidden_dropout"]}
    names = SIZES + DROPOUTS
    if kind.num_layers == 1:  # else its preset says how layers go on top of each other
        names += ("num_layers", "connections")
    if "weight_dropout" in kind.uses:
        names += ("weight_dropout",)
    return {name: settings[name] for name in names if name in settings}


def _train_config(run: Run) -> TrainConfig:
    assert run.config.train is not None  # a recurrent model was trained
    return run.config.train


def _measure(run: Run, text: PreparedText, remedy: Remedy | None) -> Tried:
    bits = run.results.bits_per_byte
    flow, effective = _look(run, text)
    return Tried(
        name=remedy.name if remedy else UNCHANGED,
        flags=remedy.flags if remedy else "",
        source=remedy.source if remedy else "",
        bits_per_byte=bits if math.isfinite(bits) else None,
        gain=None,
        half_life=flow.half_life if flow else None,
        horizon=flow.horizon if flow else None,
        effective=effective,
        tokens_per_second=run.results.train_tokens_per_second,
    )


def _look(run: Run, text: PreparedText) -> tuple[Flow | None, float]:
    """The longest path of the gradient where there is one, and the tokens of context used."""
    tokens, flow = text.store.tokens("valid"), None
    with using_threads(1):  # small steps: one is fastest
        if isinstance(run.model, RecurrentModel):
            exact = deepcopy(run.model).double()
            flow = longest(gradient_flow(exact, text_windows(tokens, NUM_ROWS), WARM_UP))
        kind, split = run.config.model.kind, text.store.split("valid")
        memory = measure_memory(kind, run.model, tokens, split, num_targets=MEMORY_TARGETS)
    return flow, memory.effective


def _test_bits(trial: Run, text: PreparedText) -> float:
    return evaluate(trial.model, text.store, "test").bits_per_byte
