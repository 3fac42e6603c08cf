"""The kinds of model, and what each has no use for."""

from typing import Literal, TypeAlias

Size: TypeAlias = Literal["small", "medium", "large"]
Kind: TypeAlias = Literal["ngram", "rnn", "gru", "lstm", "mingru", "transformer"]
KINDS: tuple[Kind, ...] = ("ngram", "rnn", "gru", "lstm", "mingru", "transformer")
COMPARED: tuple[Kind, ...] = ("ngram", "rnn", "gru", "lstm", "transformer")
"""What is compared where nothing is chosen."""

UNUSED: dict[str, tuple[str, ...]] = {
    "rnn": ("forget_bias", "gate_init", "max_timescale"),
    "gru": ("nonlinearity",),
    "lstm": ("nonlinearity",),
    "mingru": (
        *("nonlinearity", "weight_dropout", "state_dropout", "zoneout", "layer_norm"),
        "recurrent_init",
    ),
}
"""Settings of RecurrentConfig that a kind of layer has nothing for."""
