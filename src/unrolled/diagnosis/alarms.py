"""Warnings of a training: what is wrong, in plain words, and the step to take."""

import math
from dataclasses import dataclass, field
from typing import Any

from ..settings.training import TrainConfig

Record = dict[str, Any]


@dataclass
class Trend:
    """The loss, smoothed over about fifty updates, beside the lowest that it has been."""

    value: float = 0.0
    lowest: float = math.inf
    _weight: float = field(default=0.0, repr=False)

    KEEP, SETTLED, FACTOR, LEAST = 0.98, 0.3, 2.0, 0.5
    """Decay; weight from which the mean counts; rise that is alarming, as a factor and in nats."""

    def add(self, nats: float) -> None:
        """Hears the loss of one update."""
        self._weight = self.KEEP * self._weight + 1 - self.KEEP
        self.value += (nats - self.value) * (1 - self.KEEP) / self._weight
        if self._weight >= self.SETTLED:
            self.lowest = min(self.lowest, self.value)

    @property
    def diverges(self) -> bool:
        """Whether it has risen far above its lowest."""
        return self.value > max(self.FACTOR * self.lowest, self.lowest + self.LEAST)


def _warning(condition: str, text: str) -> Record:
    return {"kind": "warning", "condition": condition, "text": text}


def _lower_rate(config: TrainConfig) -> str:
    return f"--learning-rate to {config.learning_rate / 3:.1g}"


def vanishing(horizon: int | None, gated: bool) -> Record:
    """Hardly anything of the gradient is left after a few steps."""
    remedy = "Try --forget-bias 3 or --gate-init chrono." if gated else "Use --model gru or lstm."
    found = f"after {horizon} steps less than 1 % is left, so nothing further back is learned"
    return _warning("vanishing", f"Gradients vanish: {found}. {remedy}")


def exploding(found: str, config: TrainConfig, gated: bool) -> Record:
    """The gradient grows on its way back through the text."""
    other = ", or --clip-norm" if gated else ", or use --model gru or lstm"
    return _warning("exploding", f"Gradients explode: {found}. Lower {_lower_rate(config)}{other}.")


def large(record: Record, config: TrainConfig) -> Record:
    """Nearly every gradient is clipped to a small part of itself."""
    times = record["norm_median"] / config.clip_norm
    found = f"{record['clip_rate']:.0%} of the updates are clipped, at {times:,.0f} times"
    remedy = f"Lower {_lower_rate(config)}, or raise --clip-norm"
    return _warning("exploding", f"Gradients are large: {found} --clip-norm. {remedy}.")


def diverging(loss: Trend, config: TrainConfig) -> Record:
    """The loss has risen far above what it was."""
    found = f"{loss.value:.2f} nats per token after {loss.lowest:.2f}"
    text = f"The loss rises: {found}. If it does not fall again, lower {_lower_rate(config)}."
    return _warning("diverging", text)
