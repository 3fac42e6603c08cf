"""What helps a recurrent model to remember: one switch each, with its source."""

from dataclasses import asdict, dataclass, field
from typing import Any

from ..settings.kinds import KINDS, KindName
from ..settings.models import RecurrentConfig
from ..settings.training import TrainConfig

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
