"""The kinds of model, one row each: all that the rest of the package knows of them by name."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

Size: TypeAlias = Literal["small", "medium", "large"]
SIZES: tuple[Size, ...] = ("small", "medium", "large")
SizeChoice: TypeAlias = Literal["auto", "small", "medium", "large"]
Family: TypeAlias = Literal["ngram", "recurrent", "transformer"]
Match: TypeAlias = Literal["time", "tokens", "parameters"]
"""What a comparison holds equal."""

GATE_SETTINGS = ("forget_bias", "gate_init", "max_timescale")
"""Of layers with a gate that keeps the state."""
MATRIX_SETTINGS = ("weight_dropout", "state_dropout", "zoneout", "layer_norm", "recurrent_init")
"""Of layers in which a matrix reads the state."""
LAYER_SETTINGS = ("nonlinearity", *GATE_SETTINGS, *MATRIX_SETTINGS)
"""Fields of RecurrentConfig that only some layers have a use for."""


@dataclass(frozen=True)
class Kind:
    """A kind of model, and what is chosen by it."""

    name: str
    """As flags and config.json have it."""
    title: str
    """As prose has it."""
    source: str
    family: Family = "recurrent"
    """Which class of model it is built as."""
    layer: str = ""
    """Of a recurrent kind, "module:Class" in nn/."""
    uses: tuple[str, ...] = ()
    """Those of LAYER_SETTINGS that the layer has a use for."""
    num_layers: int = 1
    """Of presets and probes. More than one layer has residual connections."""
    learning_rate: float = 1e-3
    """Peak in the training of a language model."""
    probe_learning_rate: float = 1e-3
    """Where the search of a probe begins."""
    compared: bool = False
    """Whether `unrolled compare` takes it where nothing is chosen."""

    @property
    def unused(self) -> tuple[str, ...]:
        """Settings that the layer has nothing for."""
        return tuple(name for name in LAYER_SETTINGS if name not in self.uses)

    @property
    def gated(self) -> bool:
        """Whether a gate keeps the state."""
        return "gate_init" in self.uses


_ROWS = (
    Kind("ngram", "n-gram", "Chen & Goodman 1999", "ngram", compared=True),
    Kind(
        "rnn",
        "Elman RNN",
        "Elman 1990",
        layer="elman:Elman",
        uses=("nonlinearity", *MATRIX_SETTINGS),
        compared=True,
    ),
    Kind(
        "gru",
        "GRU",
        "Cho et al. 2014",
        layer="gru:GRU",
        uses=(*GATE_SETTINGS, *MATRIX_SETTINGS),
        learning_rate=3e-3,
        probe_learning_rate=5e-3,
        compared=True,
    ),
    Kind(
        "lstm",
        "LSTM",
        "Hochreiter & Schmidhuber 1997",
        layer="lstm:LSTM",
        uses=(*GATE_SETTINGS, *MATRIX_SETTINGS),
        learning_rate=4e-3,
        probe_learning_rate=5e-3,
        compared=True,
    ),
    Kind(
        "mingru",
        "minGRU",
        "Feng et al. 2024",
        layer="min_gru:MinGRU",
        uses=GATE_SETTINGS,
        num_layers=3,  # its gates see what came before only through the layers below
        learning_rate=6e-3,
        probe_learning_rate=3e-3,
    ),
    Kind(
        "transformer",
        "Transformer",
        "Vaswani et al. 2017",
        "transformer",
        learning_rate=2e-3,
        compared=True,
    ),
)
KINDS = {kind.name: kind for kind in _ROWS}
RECURRENT = tuple(name for name, kind in KINDS.items() if kind.family == "recurrent")
COMPARED = tuple(name for name, kind in KINDS.items() if kind.compared)

if TYPE_CHECKING:
    KindName: TypeAlias = str
    RecurrentName: TypeAlias = str
    ClassifierName: TypeAlias = str
else:  # the choices of the command line are the rows
    KindName = Literal[tuple(KINDS)]
    RecurrentName = Literal[RECURRENT]
    ClassifierName = Literal[(*RECURRENT, "linear")]


def kinds_with(setting: str) -> str:
    """Names the kinds of layer that have a use for a setting: "rnn, gru, lstm"."""
    return ", ".join(name for name in RECURRENT if setting in KINDS[name].uses)


def is_unused(kind: str, setting: str) -> bool:
    """Whether a kind of layer has no use for a setting."""
    return kind in RECURRENT and setting in KINDS[kind].unused
