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
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from figures import begin, save
from unrolled.classification.request import ARTICLE_MODEL
from unrolled.diagnosis.decay import half_life, horizon
from unrolled.diagnosis.dynamics import lyapunov_exponents
from unrolled.diagnosis.flow import WARM_UP, StepRecorder, gradient_flow, text_windows
from unrolled.diagnosis.verdict import judge
from unrolled.diagnosis.words import word_gradient
from unrolled.models.classifier import RecurrentClassifier
from unrolled.models.recurrent import RecurrentModel
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
    figure, axes = begin(len(INPUTS), 11, 4.4, sharey=True)
    header("inputs", "radius", "theory, per step", "measured, per step", "after 60", "verdict")
    for panel, (title, scale) in zip(axes, INPUTS.items(), strict=True):
        for number, rho in enumerate(RADII):
            color = f"C{number}"
            flow = gradient_flow(planted_rnn(rho, scale), random_text(LAGS + 2), warm_up=0)
            shares, verdict = flow[0]["shares"], judge(flow)["kind"]
            curve(panel, shares, color=color, label=f"radius {rho}")
            panel.plot([0, LAGS], [1, rho**LAGS], ":", color=color, linewidth=1.3)
            rate, left = math.exp(flow[0]["rate"] or 0.0), shares[-1]
            row(title.split(":")[0], rho, f"{rho:.3f}", f"{rate:.3f}", f"{left:.2g}", verdict)
        panel.set(title=title, xlabel="steps back", yscale="log", ylim=(1e-12, 1e19))
    axes[0].set_ylabel("gradient, as a part of that at the last step")
    lines = axes[0].get_legend_handles_labels()
    title = "dotted: radius to the\npower of the steps"
    figure.legend(*lines, frameon=False, title=title, loc="outside right upper")
    save(figure, path)


def forget(path: Path, work: Path) -> None:
    """Planted LSTMs: the forget gate is a leak."""
    figure, axes = begin()
    header("forget bias", "mean gate", "half-life, gate", "half-life, cell", "1 % left after")
    for number, bias in enumerate(FORGET_BIASES):
        color, model, tokens = f"C{number}", planted_lstm(bias), random_text(WARM_UP + 102)
        flow = next(each for each in gradient_flow(model, tokens, WARM_UP) if on_cell(each))
        gate = kept(model, tokens[:, WARM_UP:-1])[0]
        rate = gate.log().mean().item()
        curve(axes, flow["shares"], color=color, label=f"forget bias {bias:.0f}")
        lags = [0, min(100, math.log(LEAST) / rate)]
        axes.plot(lags, [math.exp(rate * lag) for lag in lags], ":", color=color, linewidth=1.8)
        times = f"{math.log(2) / -rate:.2f}", f"{flow['half_life']:.2f}"
        row(f"{bias:.0f}", f"{gate.mean():.3f}", *times, flow["horizon"] or "more than 100")
    axes.set(xlabel="steps back", yscale="log", ylim=(LEAST, 3), title="LSTM, gradient of the cell")
    axes.set_ylabel("as a part of that at the last step")
    axes.legend(frameon=False, title="dotted: forget gates alone")
    save(figure, path)


def padding(path: Path, work: Path) -> None:
    """The article's program, untrained: where the gradient of its decision arrives."""
    figure, axes = begin()
    header("what is read", "first word / greatest, median of 20", "least", "greatest", "1 % from")
    for number, (name, settings) in enumerate(PADDINGS.items()):
        found = [padded_gradient(seed, **settings) for seed in SEEDS]
        first = PADDED - WORDS if settings.get("before") else 0
        shares = [norms / norms.max() for norms in found]
        starts = [float(share[first]) for share in shares]
        seen = [int((share >= 0.01).nonzero()[0]) - first + 1 for share in shares]
        middle = torch.stack(shares).log().quantile(0.5, dim=0).exp().tolist()
        steps = range(1, len(middle) + 1)
        style = {"color": f"C{number}", "zorder": 3 - number}
        axes.plot(*thin(steps, middle), ":", linewidth=1.5, **style)
        words = slice(first, first + WORDS)
        axes.plot(*thin(steps[words], middle[words]), linewidth=2.4, label=name, **style)
        figures = [f"{value:.1e}" for value in (median(starts), min(starts), max(starts))]
        row(name, *figures, f"step {median(seen):.0f} of the text")
    axes.set(xlabel="step that is read", yscale="log", ylim=(LEAST, 3))
    axes.set_ylabel("gradient, as a part of the greatest")
    axes.set_title("The sentiment program before training, 200 words and 300 zeros")
    axes.legend(frameon=False, title="line: words; dotted: zeros", loc="lower right")
    save(figure, path)


def trained(path: Path, work: Path) -> None:
    """Trained runs: the decay on real text, layer and path by path."""
    columns = "tokens read", "half-life", "1 % left after", "after 100", "exponent", "verdict"
    header("text", "gradient of", *columns)
    draw_texts(path, work, RUNS, decays, "gradient, as a part of that at the last step")


def decays(panel: Any, text: str, folder: Path, tokens: Tensor) -> None:
    """Draws the decay curves of the runs of one text."""
    for number, (kind, name) in enumerate(RUNS.items()):
        run = load(folder / kind)
        model, read = run.model.double(), f"{run.results.train_tokens:,}"
        flows = gradient_flow(model, tokens, WARM_UP)
        exponent = f"{lyapunov_exponents(model, tokens[:, :-1], WARM_UP, 1)[0]:+.3f}"
        verdict = judge(flows)["kind"]
        for flow in flows:
            label = f"{name}, {flow['path']}" if kind == "lstm" else name
            hidden = kind == "lstm" and not on_cell(flow)
            style = {"color": f"C{number}", "linestyle": "--" if hidden else "-"}
            curve(panel, flow["shares"], label=label, **style)
            gone = flow["horizon"] or f"more than {len(flow['lags']) - 1}"
            last = f"{flow['shares'][100]:.1e}", exponent, verdict
            row(text, label, read, lifetime(flow["shares"]), gone, *last)
        if kind == "lstm":
            opened = kept(model, tokens[:, :-1])[:, WARM_UP:]
            alone = leak(opened)
            curve(panel, alone, label="its forget gates alone", color="0.3", linestyle=":")
            gone = horizon(range(len(alone)), alone) or f"more than {len(alone) - 1}"
            gates = f"{alone[100]:.1e}", "", ""
            row(text, f"forget gates alone: {about(opened)}", read, lifetime(alone), gone, *gates)


def words(path: Path, work: Path) -> None:
    """Runs, the Transformer too: how much of a loss reaches the words before it."""
    header("text", "model", "tokens read", "after 1", "after 10", "after 30", "after 100")
    draw_texts(path, work, ALL_RUNS, arrivals, "gradient, as a part of that at the last word")


def arrivals(panel: Any, text: str, folder: Path, tokens: Tensor) -> None:
    """Draws what reaches the words, for the runs of one text."""
    for number, (kind, name) in enumerate(ALL_RUNS.items()):
        run = load(folder / kind)
        shares = input_gradient(run.model.double(), tokens)
        read = run.results.train_tokens
        curve(panel, shares, color=f"C{number}", label=f"{name}, {read / 1000:,.0f} k read")
        row(text, name, f"{read:,}", *(f"{shares[lag]:.1e}" for lag in (1, 10, 30, 100)))


def draw_texts(
    path: Path,
    work: Path,
    kinds: Iterable[str],
    draw: Callable[[Any, str, Path, Tensor], None],
    label: str,
) -> None:
    """A panel for each text of which all runs are finished."""
    texts = [
        text
        for text in TITLES
        if (work / text / "text").exists() and all(finished(work / text / kind) for kind in kinds)
    ]
    if not texts:
        sys.exit(f"error: {work} has no finished runs. Make them with benchmarks/memory_length.py.")
    figure, panels = begin(len(texts), 5 * len(texts) + 1, 4.6, sharey=True)
    panels = [panels] if len(texts) == 1 else list(panels)
    for panel, text in zip(panels, texts, strict=True):
        store = PreparedText.open(work / text / "text").store
        draw(panel, text, work / text, text_windows(store.tokens("valid"), PLACES))
        panel.set(title=TITLES[text], xlabel="steps back", yscale="log", ylim=(LEAST, 3))
    panels[0].set_ylabel(label)
    panels[0].legend(frameon=False)
    save(figure, path)


def finished(run: Path) -> bool:
    """Whether a run has its results."""
    config = run / "config.json"
    return config.exists() and "results" in json.loads(config.read_text("utf-8"))


def lifetime(shares: Sequence[float]) -> str:
    """The half-life of a curve in steps, as it is printed."""
    life = half_life(range(len(shares)), shares)
    return f"{life:.1f}" if life is not None else f"more than {len(shares) - 1}"


def header(*names: str) -> None:
    """Begins a table."""
    print("\n| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")


def row(*cells: object) -> None:
    """Prints a row."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def curve(panel: Any, shares: list[float], **style: Any) -> None:
    """Draws shares against the steps back, as far as they are worth drawing."""
    steps = [n for n, share in enumerate(shares) if share >= LEAST / 100]
    panel.plot(steps, [shares[n] for n in steps], linewidth=1.8, **style)


def thin(steps: Sequence[int], values: Sequence[float]) -> tuple[list[int], list[float]]:
    """Every fourth point: half of the file, the same line."""
    return list(steps[::4]), list(values[::4])


def on_cell(flow: Any) -> bool:
    """Whether a flow is that of an LSTM's cell."""
    return bool(flow["path"] == "cell")


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
