"""Monitoring a training: gradient norms, the gradient through time, and warnings with a next step.

Looks consume no random numbers and leave weights, gradients and optimizer as they were: the same
weights come out with and without them. All looks together take at most 1 % of the training.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from ..inference.evaluation import even_windows
from ..models.base import NeuralModel
from ..nn.layer import Layer
from ..results.diagnosis import Flow
from ..results.events import (
    Condition,
    GradientFlow,
    GradientNorms,
    LoggedEvent,
    OnEvent,
    Stop,
    Warned,
    ignore,
    never,
)
from ..runs.folder import Run, read_log
from ..runs.prepared import PreparedText
from ..text.store import TokenStore
from ..training import language_model
from ..training.loop import Training
from ..training.request import TrainRequest
from ..training.trainee import LanguageModelTrainee
from .flow import gradient_flow, judge, keeps_state, longest

FlowMeasure = Callable[[NeuralModel, Tensor, int], list[Flow]]

SHARE = 0.01
"""Of the training time, at most, that looks at the gradient take."""
FIRST, MOST, FEWEST = 0.05, 40, 5
"""Part of the budget before the first event; most and fewest events of a training, about."""
GAP_SECONDS = 20.0
"""Between two events, unless these were more or fewer then."""
ROWS, WARM_UP, LENGTH = 16, 64, 128
"""Of the text that is looked at, always the same: lags reach back LENGTH - 1 steps."""
SETTLED = 0.2
"""Part of the budget after which a model that keeps no gradient is warned of."""
ALARMING_HORIZON = 10
"""Steps after which less than 1 % of the gradient is left: fewer are worth a warning at once. The
verdict of a finished model is stricter, see verdict.py."""
CLIPPED, FAR_ABOVE, ENOUGH = 0.95, 10.0, 50
"""Share of updates clipped, median norm over --clip-norm, updates to judge by: large gradients."""


@dataclass
class Trend:
    """The loss, smoothed over about fifty updates, beside the lowest that it has been."""

    value: float = 0.0
    lowest: float = math.inf
    _weight: float = field(default=0.0, repr=False)

    KEEP, SETTLED, FACTOR, LEAST = 0.98, 0.3, 2.0, 0.5
    """Decay; weight from which the mean counts; rise that is alarming, as a factor and in nats."""

    def add(self, nats: float) -> None:
        """Takes in the loss of one update."""
        self._weight = self.KEEP * self._weight + 1 - self.KEEP
        self.value += (nats - self.value) * (1 - self.KEEP) / self._weight
        if self._weight >= self.SETTLED:
            self.lowest = min(self.lowest, self.value)

    @property
    def diverges(self) -> bool:
        """Whether it has risen far above its lowest."""
        return self.value > max(self.FACTOR * self.lowest, self.lowest + self.LEAST)


class GradientMonitor:
    """Looks at every update of one training; now and then answers with events for its log.

    `fit(training, on_event, monitor=GradientMonitor(training))`. Events of the kind "gradient" have
    the norm before clipping, the clip rate and, of recurrent language models, the gradient through
    time; warnings have a text and come once per condition and run, also where the run was resumed.
    """

    def __init__(self, training: Training, flow: FlowMeasure = gradient_flow) -> None:
        self.training, self.flow = training, flow
        self.norms: list[float] = []
        self.num_clipped = 0
        self.loss = Trend()
        self.began: tuple[float, float] | None = None
        """Seconds and part of the budget at the first update."""
        self.next_seconds = 0.0
        self.spent_seconds, self.look_seconds = 0.0, math.inf
        """Of all looks, and of the last one."""
        self.warned: set[str] = set()
        for event in read_log(training.run) if training.run else ():
            self._remember(event)

    def __call__(self, nats: float, norm: float, clipped: bool) -> list[GradientNorms | Warned]:
        """Takes in the loss, the norm before clipping, and whether it was clipped."""
        if self.began is None:
            self.began = self.training.progress.seconds, self.training.fraction
        self.norms.append(norm)
        self.num_clipped += clipped
        self.loss.add(nats)
        events: list[GradientNorms | Warned] = []
        if self.loss.diverges and "diverging" not in self.warned:
            events.append(diverging(self.loss, self.training))
        if self._due():
            events += self._report()
        fresh = [
            event
            for event in events
            if not isinstance(event, Warned) or event.condition not in self.warned
        ]
        self.warned |= {event.condition for event in fresh if isinstance(event, Warned)}
        return fresh

    def _remember(self, event: LoggedEvent) -> None:
        """Goes on after an event that an earlier part of the run has logged."""
        if isinstance(event, Warned):
            self.warned.add(event.condition)
        if isinstance(event, GradientNorms):
            self.next_seconds = event.seconds + GAP_SECONDS
        if isinstance(event, GradientFlow):
            self.look_seconds = event.look_seconds
            self.spent_seconds += event.look_seconds

    def _due(self) -> bool:
        assert self.began is not None
        _, first = self.began
        reached = self.training.fraction - first > max(0.0, FIRST * (1 - first))
        return reached and self.training.progress.seconds >= self.next_seconds

    def _seconds_left(self) -> float:
        """Expected at the pace so far."""
        assert self.began is not None
        seconds, fraction = self.training.progress.seconds, self.training.fraction
        pace = (seconds - self.began[0]) / (fraction - self.began[1])
        return max(0.0, 1 - fraction) * pace

    def _report(self) -> list[GradientNorms | Warned]:
        """What there is to say since the last time."""
        training, progress = self.training, self.training.progress
        whole = progress.seconds + self._seconds_left()
        gap = min(max(GAP_SECONDS, whole / MOST), whole / FEWEST)
        self.next_seconds = progress.seconds + gap
        finite = [norm for norm in self.norms if math.isfinite(norm)] or [0.0]
        norms = GradientNorms(
            **training.standing(),
            norm_median=median(finite),
            norm_greatest=max(finite),
            clip_rate=self.num_clipped / len(self.norms),
        )
        warnings = [large(norms, training)] if self._is_large(norms) else []
        self.norms, self.num_clipped = [], 0
        if flows := self._look():
            best = longest(flows)
            warnings += judged(flows, training)
            return [with_flow(norms, best, round(self.look_seconds, 3)), *warnings]
        return [norms, *warnings]

    def _is_large(self, norms: GradientNorms) -> bool:
        far = norms.norm_median > FAR_ABOVE * self.training.config.clip_norm
        return far and norms.clip_rate > CLIPPED and len(self.norms) >= ENOUGH

    def _look(self) -> list[Flow]:
        """The gradient through time of every layer; nothing where it cannot be had or afforded."""
        trainee, model = self.training.trainee, self.training.model
        if not (isinstance(trainee, LanguageModelTrainee) and keeps_state(model)):
            return []
        tokens = sample(trainee.store)
        if not self._can_afford(tokens.shape[1] * trainee.batches.batch_size):
            return []
        began = time.monotonic()
        flows = look(model, tokens, self.flow)
        self.look_seconds = time.monotonic() - began
        self.spent_seconds += self.look_seconds
        # Weights that are about to diverge have no gradient to speak of.
        finite = all(math.isfinite(share) for flow in flows for share in flow.shares)
        return flows if finite else []

    def _can_afford(self, num_tokens: int) -> bool:
        """The first look is paid by the whole budget, the others by the time that is used up."""
        progress = self.training.progress
        cost, purse = self.look_seconds, progress.update_seconds
        if math.isinf(cost):  # a step of the look is about as dear as one of the training
            cost = num_tokens * progress.update_seconds / progress.tokens
            purse += self._seconds_left()
        return self.spent_seconds + cost <= SHARE * purse


def judged(flows: list[Flow], training: Training) -> list[Warned]:
    """What the gradient through time gives reason to warn of."""
    verdict, horizon = judge(flows), longest(flows).horizon
    if verdict.kind == "exploding":
        return [exploding(verdict.layer, verdict.growth, training)]
    gone = horizon is not None and horizon < ALARMING_HORIZON
    return [vanishing(horizon, training)] if gone and training.fraction >= SETTLED else []


def sample(store: TokenStore) -> Tensor:
    """Rows of the training text that lie evenly in it, `(ROWS, WARM_UP + LENGTH + 1)`.

    A shorter text gives shorter rows.
    """
    tokens = store.tokens("train")
    length = min(WARM_UP + LENGTH + 1, len(tokens))
    return even_windows(tokens, ROWS, length)


def look(model: NeuralModel, tokens: Tensor, flow: FlowMeasure = gradient_flow) -> list[Flow]:
    """Measures the gradient through time and leaves no trace: not in random numbers either."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    was_training = model.training
    model.eval()
    try:
        for weight in weights:  # only states are asked for: saves the backward pass a third
            weight.requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            return flow(model, tokens, (tokens.shape[1] - 1) * WARM_UP // (WARM_UP + LENGTH))
    finally:
        for weight in weights:
            weight.requires_grad_(True)
        model.train(was_training)


def with_flow(norms: GradientNorms, flow: Flow, look_seconds: float) -> GradientFlow:
    """Adds the part of a flow that goes into the log: lags 0, 1, 2, 3, 5, 8, ... and the last."""
    wanted, following = {flow.lags[-1]}, (0, 1)
    while following[0] < flow.lags[-1]:
        wanted.add(following[0])
        following = following[1], max(sum(following), following[1] + 1)
    kept = [pair for pair in zip(flow.lags, flow.shares, strict=True) if pair[0] in wanted]
    return GradientFlow(
        **vars(norms),
        layer=flow.layer,
        path=flow.path,
        lags=[lag for lag, _ in kept],
        shares=[float(f"{share:.4g}") for _, share in kept],
        half_life=flow.half_life,
        horizon=flow.horizon,
        look_seconds=look_seconds,
    )


def vanishing(horizon: int | None, training: Training) -> Warned:
    """Hardly anything of the gradient is left after a few steps."""
    remedy = "Use --model gru or lstm."
    if _is_gated(training):
        remedy = "Try --forget-bias 3 or --gate-init chrono."
    left = (
        f"after {horizon} steps less than 1 % is left, so hardly anything further back is learned"
    )
    return _warned(training, "vanishing", f"Gradients vanish: {left}. {remedy}")


def exploding(layer: int | None, growth: float | None, training: Training) -> Warned:
    """The gradient grows on its way back through the text."""
    other = ", or --clip-norm" if _is_gated(training) else ", or use --model gru or lstm"
    grown = f"in layer {layer} they grow {growth:,.0f} times on the way back"
    text = f"Gradients explode: {grown}. Lower {_lower_rate(training)}{other}."
    return _warned(training, "exploding", text)


def large(norms: GradientNorms, training: Training) -> Warned:
    """Nearly every gradient is clipped to a small part of itself."""
    times = norms.norm_median / training.config.clip_norm
    clipped = f"{norms.clip_rate:.0%} of the updates are clipped, at {times:,.0f} times"
    remedy = f"Lower {_lower_rate(training)}, or raise --clip-norm"
    return _warned(training, "exploding", f"Gradients are large: {clipped} --clip-norm. {remedy}.")


def diverging(loss: Trend, training: Training) -> Warned:
    """The loss has risen far above what it was."""
    unit = "token" if training.trainee.unit == "bits/byte" else "text"
    risen = f"{loss.value:.2f} nats per {unit} after {loss.lowest:.2f}"
    text = f"The loss rises: {risen}. If it does not fall again, lower {_lower_rate(training)}."
    return _warned(training, "diverging", text)


def _warned(training: Training, condition: Condition, text: str) -> Warned:
    return Warned(**training.standing(), condition=condition, text=text)


def _lower_rate(training: Training) -> str:
    return f"--learning-rate to {training.config.learning_rate / 3:.1g}"


def _is_gated(training: Training) -> bool:
    layers = [module for module in training.model.modules() if isinstance(module, Layer)]
    return bool(layers) and all(layer.keep_gate is not None for layer in layers)


def train(
    run: str | Path,
    request: TrainRequest,
    on_event: OnEvent = ignore,
    stop: Stop = never,
    began: float | None = None,
    text: PreparedText | None = None,
) -> Run:
    """Trains one language model in a new run folder, its gradients monitored.

    Args:
        run: A new folder.
        on_event: Receives what happens, see `unrolled.results.events`.
        stop: Asked after every step; once true, the run is saved and training ends.
        began: `time.monotonic()` when the budget began to run; default now.
        text: Default: `request.data`, prepared inside the run; its tokens are removed at the end.

    Raises:
        UnrolledError: the request cannot be carried out.
        Interrupted: `stop` said so; the run can be resumed.
    """
    return language_model.train(run, request, on_event, stop, GradientMonitor, began, text)
