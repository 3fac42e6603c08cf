"""The figures of docs/lesson.md, each with the numbers that the page quotes.

    python benchmarks/lesson.py radius forget padding
    python benchmarks/lesson.py trained words --work runs/memory-length

`radius`: planted Elman networks against the powers of their spectral radius. `forget`: planted
LSTMs against their forget gates. `padding`: the article's sentiment program, untrained, with zeros
behind each text. `trained`: the runs that benchmarks/memory_length.py leaves, on their own
validation texts; `words`: what of their loss reaches the words themselves, Transformer included.
Writes FIGURES/lesson-FIGURE.svg and prints a markdown table for each; seconds
each, on one thread, and the same numbers every time.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from figures import save
from unrolled.classification.request import ARTICLE_MODEL
from unrolled.diagnosis.dynamics import lyapunov_exponents
from unrolled.diagnosis.flow import (
    WARM_UP,
    StepRecorder,
    gradient_flow,
    half_life,
    horizon,
    judge,
    text_windows,
)
from unrolled.diagnosis.words import word_gradient
from unrolled.models.classifier import RecurrentClassifier
from unrolled.models.recurrent import RecurrentModel
from unrolled.report.charts import Axis, Chart, Line, line, line_chart
from unrolled.results.diagnosis import Flow
from unrolled.results.interval import Interval
from unrolled.runs.folder import load
from unrolled.runs.prepared import PreparedText
from unrolled.settings.models import ClassifierConfig, RecurrentConfig

SYMBOLS, ROWS, LAGS = 50, 8, 60
RADII = (0.5, 0.9, 1.0, 1.2, 1.6, 2.0)
INPUTS = {"tiny inputs: tanh is linear": 1e-24, "inputs of normal size: tanh bends": 1.0}
FORGET_BIASES = (-2.0, 0.0, 1.0, 3.0)
SEEDS = range(20)
PLACES = 64
"""Of a real text, four times as many as `unrolled diagnose` looks at: smoother curves."""
WORDS, PADDED = 200, 500
RUNS = {"rnn": "Elman RNN", "gru": "GRU", "lstm": "LSTM"}
ALL_RUNS = RUNS | {"transformer": "Transformer"}
TITLES = {"shakespeare": "tiny-shakespeare, letters", "ptb": "Penn Treebank, words"}
LEAST = 1e-10
"""Shares below this are not drawn."""


def main() -> None:
    """Draws what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="+", choices=list(FIGURES), metavar="FIGURE")
    parser.add_argument("--work", type=Path, default=Path("runs/memory-length"))
    parser.add_argument("--figures", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.names:
        FIGURES[name](options.figures / f"lesson-{name}.svg", options.work)


def radius(path: Path, work: Path) -> None:
    """Planted Elman networks: what the radius says, and what tanh makes of it."""
    charts = []
    header("inputs", "radius", "theory, per step", "measured, per step", "after 60", "verdict")
    for title, scale in INPUTS.items():
        lines = []
        for number, rho in enumerate(RADII):
            flows = gradient_flow(planted_rnn(rho, scale), random_text(LAGS + 2), warm_up=0)
            flow, verdict = flows[0], judge(flows).kind
            lines.append(curve(f"radius {rho}", number, flow.shares))
            theory = [(0, 1.0), (LAGS, rho**LAGS)]
            lines.append(line("the power", number, theory, is_dotted=True))
            rate, left = math.exp(flow.rate or 0.0), flow.shares[-1]
            row(title.split(":")[0], rho, f"{rho:.3f}", f"{rate:.3f}", f"{left:.2g}", verdict)
        charts.append(
            chart(title, lines, "dotted: radius to the power of the steps", (1e-12, 1e18))
        )
    save(charts, path, width=440)


def forget(path: Path, work: Path) -> None:
    """Planted LSTMs: the forget gate is a leak."""
    lines = []
    header("forget bias", "mean gate", "half-life, gate", "half-life, cell", "1 % left after")
    for number, bias in enumerate(FORGET_BIASES):
        model, tokens = planted_lstm(bias), random_text(WARM_UP + 102)
        flow = next(each for each in gradient_flow(model, tokens, WARM_UP) if on_cell(each))
        gate = kept(model, tokens[:, WARM_UP:-1])[0]
        rate = gate.log().mean().item()
        lines.append(curve(f"forget bias {bias:.0f}", number, flow.shares))
        lags = [0, min(100, math.log(LEAST) / rate)]
        theory = [(lag, math.exp(rate * lag)) for lag in lags]
        lines.append(line("the gates", number, theory, is_dotted=True))
        times = f"{math.log(2) / -rate:.2f}", f"{flow.half_life:.2f}"
        row(f"{bias:.0f}", f"{gate.mean():.3f}", *times, flow.horizon or "more than 100")
    save([chart("LSTM, gradient of the cell", lines, "dotted: forget gates alone")], path)


def padding(path: Path, work: Path) -> None:
    """The article's program, untrained: where the gradient of its decision arrives."""
    lines = []
    header("what is read", "first word / greatest, median of 20", "least", "greatest", "1 % from")
    for number, (name, settings) in enumerate(PADDINGS.items()):
        found = [padded_gradient(seed, **settings) for seed in SEEDS]
        first = PADDED - WORDS if settings.get("before") else 0
        shares = [norms / norms.max() for norms in found]
        starts = [float(share[first]) for share in shares]
        seen = [int((share >= 0.01).nonzero()[0]) - first + 1 for share in shares]
        middle = torch.stack(shares).log().quantile(0.5, dim=0).exp().tolist()
        steps = range(1, len(middle) + 1)
        words = slice(first, first + WORDS)
        lines.append(line(f"{name}, zeros", number, thin(steps, middle), is_dotted=True))
        lines.append(line(name, number, thin(steps[words], middle[words])))
        figures = [f"{value:.1e}" for value in (median(starts), min(starts), max(starts))]
        row(name, *figures, f"step {median(seen):.0f} of the text")
    title = "The sentiment program before training, 200 words and 300 zeros"
    axes = Axis("step that is read"), Axis("gradient, as a part of the greatest", is_log=True)
    note = f"{axes[1].title}; line: words, dotted: zeros"
    drawn = line_chart(title, axes, lines, (LEAST, 1.0))
    save([drawn and replace(drawn, note=note)], path)


def trained(path: Path, work: Path) -> None:
    """Trained runs: the decay on real text, layer and path by path."""
    columns = "tokens read", "half-life", "1 % left after", "after 100", "exponent", "verdict"
    header("text", "gradient of", *columns)
    draw_texts(path, work, RUNS, decays)


def decays(text: str, folder: Path, tokens: Tensor) -> list[Line]:
    """The decay curves of the runs of one text."""
    lines = []
    for number, (kind, name) in enumerate(RUNS.items()):
        run = load(folder / kind)
        model, read = run.model.double(), f"{run.results.train_tokens:,}"
        flows = gradient_flow(model, tokens, WARM_UP, with_intervals=True)
        exponent = f"{lyapunov_exponents(model, tokens[:, :-1], WARM_UP, 1)[0]:+.3f}"
        verdict = judge(flows).kind
        for flow in flows:
            label = f"{name}, {flow.path}" if kind == "lstm" else name
            lines.append(curve(label, number + len(RUNS) * (label.endswith("hidden")), flow.shares))
            gone = flow.horizon or f"more than {len(flow.lags) - 1}"
            last = f"{flow.shares[100]:.1e}", exponent, verdict
            half = f"{lifetime(flow.shares)}{between(flow.half_life_interval)}"
            row(text, label, read, half, f"{gone}{between(flow.horizon_interval)}", *last)
        if kind == "lstm":
            opened = kept(model, tokens[:, :-1])[:, WARM_UP:]
            alone = leak(opened)
            lines.append(replace(curve("its forget gates alone", number, alone), is_dotted=True))
            gone = horizon(range(len(alone)), alone) or f"more than {len(alone) - 1}"
            gates = f"{alone[100]:.1e}", "", ""
            row(text, f"forget gates alone: {about(opened)}", read, lifetime(alone), gone, *gates)
    return lines


def words(path: Path, work: Path) -> None:
    """Runs, the Transformer too: how much of a loss reaches the words before it."""
    header("text", "model", "tokens read", "after 1", "after 10", "after 30", "after 100")
    draw_texts(path, work, ALL_RUNS, arrivals)


def arrivals(text: str, folder: Path, tokens: Tensor) -> list[Line]:
    """What reaches the words, for the runs of one text."""
    lines = []
    for number, (kind, name) in enumerate(ALL_RUNS.items()):
        run = load(folder / kind)
        shares = input_gradient(run.model.double(), tokens)
        read = run.results.train_tokens
        lines.append(curve(f"{name}, {read / 1000:,.0f} k read", number, shares))
        row(text, name, f"{read:,}", *(f"{shares[lag]:.1e}" for lag in (1, 10, 30, 100)))
    return lines


def draw_texts(
    path: Path,
    work: Path,
    kinds: Iterable[str],
    measure: Callable[[str, Path, Tensor], list[Line]],
) -> None:
    """A chart for each text of which all runs are finished."""
    texts = [
        text
        for text in TITLES
        if (work / text / "text").exists() and all(finished(work / text / kind) for kind in kinds)
    ]
    if not texts:
        sys.exit(f"error: {work} has no finished runs. Make them with benchmarks/memory_length.py.")
    charts = []
    for text in texts:
        store = PreparedText.open(work / text / "text").store
        lines = measure(text, work / text, text_windows(store.tokens("valid"), PLACES))
        note = "dotted: its forget gates alone" if any(row.is_dotted for row in lines) else ""
        charts.append(chart(TITLES[text], lines, note))
    save(charts, path, width=440)


def chart(
    title: str, lines: Sequence[Line], note: str = "", reach: tuple[float, float] = (LEAST, 1.0)
) -> Chart | None:
    """Lines over the steps back, on a logarithmic axis of the shares."""
    axes = Axis("steps back"), Axis("gradient, as a part of that at the last step", is_log=True)
    drawn = line_chart(title, axes, lines, reach)
    said = f"{axes[1].title}; {note}" if note else axes[1].title
    return drawn and replace(drawn, note=said)


def finished(run: Path) -> bool:
    """Whether a run has its results."""
    config = run / "config.json"
    return config.exists() and "results" in json.loads(config.read_text("utf-8"))


def lifetime(shares: Sequence[float]) -> str:
    """The half-life of a curve in steps, as it is printed."""
    life = half_life(range(len(shares)), shares)
    return f"{life:.1f}" if life is not None else f"more than {len(shares) - 1}"


def between(interval: Interval | None) -> str:
    """A 95 % interval in parentheses."""
    if interval is None or interval.low is None:
        return ""
    high = "or more" if interval.high is None else f"to {interval.high:.3g}"
    return f" ({interval.low:.3g} {high})"


def header(*names: str) -> None:
    """Begins a table."""
    print("\n| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")


def row(*cells: object) -> None:
    """Prints a row."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def curve(name: str, number: int, shares: Sequence[float]) -> Line:
    """Shares by the steps back, as far as they are worth drawing."""
    return line(
        name, number, ((n, share) for n, share in enumerate(shares) if share >= LEAST / 100)
    )


def thin(steps: Sequence[int], values: Sequence[float]) -> list[tuple[float, float]]:
    """Every fourth point: a quarter of the file, the same line."""
    return list(zip(steps[::4], values[::4], strict=True))


def on_cell(flow: Flow) -> bool:
    """Whether a flow is that of an LSTM's cell."""
    return flow.path == "cell"


def random_text(length: int) -> Tensor:
    """Random symbols, `(ROWS, length)`."""
    return torch.randint(SYMBOLS, (ROWS, length), generator=torch.Generator().manual_seed(0))


def planted(kind: str, hidden_size: int) -> RecurrentModel:
    """A network as it begins, in float64."""
    torch.manual_seed(0)
    config = RecurrentConfig(kind=kind, embedding_size=32, hidden_size=hidden_size)
    return RecurrentModel(config, SYMBOLS).eval().double()


@torch.no_grad()
def planted_rnn(rho: float, inputs: float) -> RecurrentModel:
    """W_hh is rho times orthogonal: every step multiplies by rho while tanh is linear."""
    model = planted("rnn", 128)
    model.stack.layers[0].weight_hh.mul_(rho)
    model.stack.layers[0].weight_ih.mul_(inputs)
    return model


@torch.no_grad()
def planted_lstm(forget_bias: float) -> RecurrentModel:
    """Gates that hardly look at anything: what is kept is a matter of the bias."""
    model = planted("lstm", 64)
    layer = model.stack.layers[0]
    layer.weight_hh.mul_(0.02)
    layer.weight_ih.mul_(0.1)
    layer.bias[64:128] = forget_bias
    return model


@torch.no_grad()
def kept(model: RecurrentModel, tokens: Tensor) -> Tensor:
    """Forget gates of the first layer along a text, `(B, T, H)`, read from the empty state."""
    recorder = StepRecorder()
    model._hidden(tokens, model.initial_state(len(tokens)), recorder)
    recorded = recorder.layers[0]
    before = [recorded.start[0], *(step[0] for step in recorded.states[:-1])]
    return recorded.layer.gates(recorded.x, torch.stack(before))["forget"].transpose(0, 1)


def leak(gates: Tensor) -> list[float]:
    """What the forget gates `(B, T, H)` alone leave of a gradient spread evenly over the units."""
    back = gates[:, 1:].flip(1).log().cumsum(1).exp()
    return [1.0, *back.square().mean(2).sqrt().mean(0).tolist()]


def input_gradient(model: Any, tokens: Tensor) -> list[float]:
    """Norm of the last loss's gradient at each embedded token, by steps back from the last."""
    kept: list[Tensor] = []

    def keep(module: torch.nn.Module, inputs: Any, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    with model.embedding.register_forward_hook(keep):
        hidden, _ = model.eval()._hidden(tokens[:, :-1], model.initial_state(len(tokens)))
    loss = -model.embedding.score(hidden[:, -1:], tokens[:, -1:]).sum()
    norms = torch.autograd.grad(loss, kept)[0].norm(dim=2).sum(0).flip(0)
    return (norms / norms[0]).tolist()[:-WARM_UP]


def about(gates: Tensor) -> str:
    """Whether forget gates `(B, T, H)` have one half-life: how uneven the units are."""
    by_mean = math.log(2) / -gates.log().mean().item()
    left = gates[:, -20:].log().sum(1).exp().square().mean(0).sort(descending=True).values
    part = left[:10].sum().item() / left.sum().item()
    return (
        f"mean {gates.mean().item():.3f}, half-life by their mean log {by_mean:.2f}; "
        f"10 of {len(left)} units hold {part:.1%} of what is left after 20 steps"
    )


PADDINGS: dict[str, dict[str, Any]] = {
    "as written: zeros behind the text": {},
    "lengths respected": {"masked": True},
    "zeros before the text": {"before": True},
    "zeros behind it, all states pooled": {"pooling": "all"},
}


def padded_gradient(
    seed: int, masked: bool = False, before: bool = False, pooling: str = "last"
) -> Tensor:
    """Gradient at each step of 4 random texts; see tests/diagnosis/test_words.py."""
    torch.manual_seed(seed)
    config = ClassifierConfig(10_000, 2, "lstm", **(ARTICLE_MODEL | {"pooling": pooling}))
    model = RecurrentClassifier(config)
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(2, 10_000, (4, WORDS), generator=generator)
    if not masked:
        zeros = PADDED - WORDS
        tokens = torch.nn.functional.pad(tokens, (zeros, 0) if before else (0, zeros))
    return word_gradient(model, tokens, torch.full((4,), tokens.shape[1]))


FIGURES: dict[str, Callable[[Path, Path], None]] = {
    "radius": radius,
    "forget": forget,
    "padding": padding,
    "trained": trained,
    "words": words,
}


if __name__ == "__main__":
    main()
