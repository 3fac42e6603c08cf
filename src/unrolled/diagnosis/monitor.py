"""Watching a training: gradient norms, the gradient through time, and warnings with a next step.

Looks consume no random numbers and leave weights, gradients and optimizer as they were: the same
weights come out with and without watching. All looks together take at most 1 % of the training.
"""

import math
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from ..inference.evaluation import even_windows
from ..models.recurrent import RecurrentModel
from ..nn.layer import Layer
from ..results.diagnosis import Flow
from ..runs.folder import read_log
from ..text.store import TokenStore
from ..training.loop import Training
from .alarms import Record, Trend, diverging, exploding, large, vanishing
from .flow import gradient_flow, longest
from .verdict import judge

FlowMeasure = Callable[[RecurrentModel, Tensor, int], list[Flow]]

SHARE = 0.01
"""Of the training time, at most, that looks at the gradient take."""
FIRST, MOST, FEWEST = 0.05, 40, 5
"""Part of the budget before the first record; most and fewest records of a training, about."""
GAP_SECONDS = 20.0
"""Between two records, unless these were more or fewer then."""
ROWS, WARM_UP, LENGTH = 16, 64, 128
"""Of the text that is looked at, always the same: lags reach back LENGTH - 1 steps."""
SETTLED = 0.2
"""Part of the budget after which a model that keeps no gradient is said to vanish."""
VANISHED_WITHIN = 10
"""Steps after which less than 1 % of the gradient is left."""
CLIPPED, FAR_ABOVE, ENOUGH = 0.95, 10.0, 50
"""Share of updates clipped, median norm over --clip-norm, updates to judge by: large gradients."""


class Watch:
    """Hears every update of one training; now and then answers with records for its log.

    `fit(training, listener, watch=Watch(training))`. "gradient" records have the norm before
    clipping, the clip rate and, of recurrent models, the gradient through time; "warning" records
    have a text and come once per condition and run, also where the run was resumed.
    """

    def __init__(self, training: Training, flow: FlowMeasure = gradient_flow) -> None:
        self.training, self.flow = training, flow
        self.tokens = sample(training.store)
        self.norms: list[float] = []
        self.num_clipped = 0
        self.loss = Trend()
        self.began: tuple[float, float] | None = None
        """Seconds and part of the budget at the first update that was heard."""
        self.next_seconds = 0.0
        self.spent_seconds, self.look_seconds = 0.0, math.inf
        """Of all looks, and of the last one."""
        self.warned: set[str] = set()
        for record in read_log(training.run):
            self._remember(record)

    def __call__(self, nats: float, norm: float, clipped: bool) -> list[Record]:
        """Hears nats per token, the norm before clipping, and whether it was clipped."""
        if self.began is None:
            self.began = self.training.progress.seconds, self.training.fraction
        self.norms.append(norm)
        self.num_clipped += clipped
        self.loss.add(nats)
        records: list[Record] = []
        if self.loss.diverges and "diverging" not in self.warned:
            records.append(diverging(self.loss, self.training.config))
        if self._due():
            records += self._report()
        fresh = [row for row in records if row.get("condition") not in self.warned]
        self.warned |= {row["condition"] for row in fresh if "condition" in row}
        return fresh

    def _remember(self, record: Record) -> None:
        """Goes on after a record that an earlier part of the run has written."""
        if record["kind"] == "warning":
            self.warned.add(record["condition"])
        if record["kind"] == "gradient":
            self.next_seconds = record["seconds"] + GAP_SECONDS
            self.look_seconds = record.get("look_seconds", self.look_seconds)
            self.spent_seconds += record.get("look_seconds", 0.0)

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

    def _report(self) -> list[Record]:
        """What there is to say since the last time."""
        training, progress = self.training, self.training.progress
        whole = progress.seconds + self._seconds_left()
        gap = min(max(GAP_SECONDS, whole / MOST), whole / FEWEST)
        self.next_seconds = progress.seconds + gap
        norms = [norm for norm in self.norms if math.isfinite(norm)] or [0.0]
        record = {
            "kind": "gradient",
            "norm_median": median(norms),
            "norm_greatest": max(norms),
            "clip_rate": self.num_clipped / len(self.norms),
        }
        warnings = [large(record, training.config)] if self._is_large(record) else []
        self.norms, self.num_clipped = [], 0
        if flows := self._look():
            best = longest(flows)
            record |= thinned(best) | {"look_seconds": round(self.look_seconds, 3)}
            warnings += judged(flows, training)
        return [record, *warnings]

    def _is_large(self, record: Record) -> bool:
        far = record["norm_median"] > FAR_ABOVE * self.training.config.clip_norm
        return far and record["clip_rate"] > CLIPPED and len(self.norms) >= ENOUGH

    def _look(self) -> list[Flow]:
        """The gradient through time of every layer; nothing where it cannot be had or afforded."""
        model = self.training.model
        if not isinstance(model, RecurrentModel) or not self._can_afford():
            return []
        began = time.monotonic()
        flows = look(model, self.tokens, self.flow)
        self.look_seconds = time.monotonic() - began
        self.spent_seconds += self.look_seconds
        # Weights that are about to diverge have no gradient to speak of.
        finite = all(math.isfinite(share) for flow in flows for share in flow.shares)
        return flows if finite else []

    def _can_afford(self) -> bool:
        """The first look is paid by the whole budget, the others by the time that is used up."""
        progress, rows = self.training.progress, self.training.batches.batch_size
        cost, purse = self.look_seconds, progress.update_seconds
        if math.isinf(cost):  # a step of the look is about as dear as one of the training
            cost = self.tokens.shape[1] * rows * progress.update_seconds / progress.tokens
            purse += self._seconds_left()
        return self.spent_seconds + cost <= SHARE * purse


def judged(flows: list[Flow], training: Training) -> list[Record]:
    """What the gradient through time gives reason to warn of."""
    verdict, horizon = judge(flows), longest(flows).horizon
    layers = [module for module in training.model.modules() if isinstance(module, Layer)]
    gated = all(layer.keep_gate is not None for layer in layers)
    if verdict.kind == "exploding":
        found = f"in layer {verdict.layer} they grow {verdict.growth:,.0f} times on the way back"
        return [exploding(found, training.config, gated)]
    gone = horizon is not None and horizon < VANISHED_WITHIN
    return [vanishing(horizon, gated)] if gone and training.fraction >= SETTLED else []


def sample(store: TokenStore) -> Tensor:
    """Rows of the training text that lie evenly in it, `(ROWS, WARM_UP + LENGTH + 1)`.

    A shorter text gives shorter rows.
    """
    tokens = store.tokens("train")
    length = min(WARM_UP + LENGTH + 1, len(tokens))
    return even_windows(tokens, ROWS, length)


def look(model: RecurrentModel, tokens: Tensor, flow: FlowMeasure = gradient_flow) -> list[Flow]:
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


def thinned(flow: Flow) -> Record:
    """The part of a flow that goes into the log: lags 0, 1, 2, 3, 5, 8, ... and the last one."""
    wanted, following = {flow.lags[-1]}, (0, 1)
    while following[0] < flow.lags[-1]:
        wanted.add(following[0])
        following = following[1], max(sum(following), following[1] + 1)
    kept = [pair for pair in zip(flow.lags, flow.shares, strict=True) if pair[0] in wanted]
    return {
        "layer": flow.layer,
        "path": flow.path,
        "lags": [lag for lag, _ in kept],
        "shares": [float(f"{share:.4g}") for _, share in kept],
        "half_life": flow.half_life,
        "horizon": flow.horizon,
    }
