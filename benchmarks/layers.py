"""Forward and backward of one recurrent layer beside torch's own, on the same threads and data.

    [UNROLLED_ISA=avx2] python benchmarks/layers.py
                            [elman|gru|lstm|product|min_gru|around|memory|step ...]

To hold torch to AVX2 too: ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
MKL_ENABLE_INSTRUCTIONS=AVX2, and --precision float32, since its LSTM then refuses bfloat16.

Batch 64, two threads. The two take turns within each round; printed are the median time of ours
with its spread, GFLOP/s, and how many times as long the other takes (median of the rounds' ratios).
`product` is what the processor can do: torch's product of the sizes of an LSTM layer, three times,
which is as much work as the layer both ways, and how many times as long our layer takes.
`min_gru` stands beside three plain formulations of its scan, and beside our GRU. `around` is what
else a training step consists of: embedding, softmax, pooling, weight dropout, and the attention of
a Transformer. `memory` gives the peak of three training steps of an LSTM layer above what the
process held before, each in a process of its own, without what the C library would hold back of
freed memory. `step` reads one token with two LSTM layers of 512 units.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from unrolled import kernels
from unrolled.nn.attention import attend, window_mask
from unrolled.nn.elman import Elman
from unrolled.nn.gru import GRU
from unrolled.nn.lstm import LSTM
from unrolled.nn.min_gru import MinGRU
from unrolled.ops.dropout import dropout
from unrolled.ops.embedding import embedding
from unrolled.ops.linear_log_probs import linear_log_probs
from unrolled.ops.pool import pool
from unrolled.ops.scan import scan_reference
from unrolled.system.machine import keep_freed_memory, machine, versions

BATCH_SIZE = 64
SHAPES = [(256, 256, 70), (512, 512, 70), (1024, 1024, 70), (128, 64, 500)]
"""(E, H, T)"""
PRECISIONS = ["float32", "bfloat16"]
REPEATS = 20
"""Steps of one token timed together."""
LAYERS = {
    "elman": (Elman, nn.RNN, 1, 1),
    "gru": (GRU, nn.GRU, 3, 1),
    "lstm": (LSTM, nn.LSTM, 4, 2),
}
Step = Callable[[], object]
Reader = tuple[nn.Module, Callable[[Tensor], Tensor]]
"""A layer, and how it reads `x (T, B, E)` from an empty state."""


def main() -> None:
    """Measures what is asked for and prints tables, then one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"product": product, "min_gru": min_gru, "around": around}
    parts |= {"memory": memory, "step": one_step}
    parser.add_argument("names", nargs="*", default=[*LAYERS, *parts])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--precision", choices=PRECISIONS, nargs="*", default=PRECISIONS)
    parser.add_argument(
        "--keep-memory", action="store_true", help="for both, as unrolled's commands do"
    )
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    if arguments.keep_memory:
        keep_freed_memory()
    if arguments.peak:
        print(peak(*arguments.peak))
        return
    print(f"{machine()}; 2 threads; {kernels.status()}; torch {versions()['torch']}\n")
    rows: list[dict[str, Any]] = []
    for name in arguments.names:
        settings = arguments.rounds, arguments.precision
        rows += layer(name, *settings) if name in LAYERS else parts[name](*settings)
        print()
    print(json.dumps(rows))


def layer(name: str, rounds: int, precisions: list[str]) -> list[dict[str, Any]]:
    """One kind of layer, all shapes, both precisions."""
    print("| layer | E, H, T | precision | ours | spread | GFLOP/s | torch takes |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for E, H, T in SHAPES:
        flop = 6 * T * BATCH_SIZE * LAYERS[name][2] * H * (E + H)
        for precision in precisions:
            ours = train_step(our_layer(name, E, H), T, E, precision)
            peer = train_step(torch_layer(name, E, H), T, E, precision)
            times, ratios = alternate(ours, [peer], rounds)
            rows.append(row(name, (E, H, T), precision, times, flop, ratios[0]))
    return rows


def product(rounds: int, precisions: list[str]) -> list[dict[str, Any]]:
    """torch's plain product of an LSTM layer's sizes, and our layer beside it."""
    print("| three products | E, H, T | precision | torch | spread | GFLOP/s | our LSTM takes |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for E, H, T in SHAPES:
        flop = 6 * T * BATCH_SIZE * 4 * H * (E + H)
        for precision in precisions:
            dtype = getattr(torch, precision)
            x = torch.randn(T * BATCH_SIZE, E + H, dtype=dtype)
            weight = torch.randn(4 * H, E + H, dtype=dtype)

            def three(x: Tensor = x, weight: Tensor = weight) -> None:
                for _ in range(3):
                    nn.functional.linear(x, weight)

            ours = train_step(our_layer("lstm", E, H), T, E, precision)
            times, ratios = alternate(three, [ours], rounds)
            rows.append(row("product", (E, H, T), precision, times, flop, ratios[0]))
    return rows


def min_gru(rounds: int, precisions: list[str]) -> list[dict[str, Any]]:
    """minGRU beside three plain formulations of its scan, and our GRU."""
    print("| layer | E, H, T | precision | ours | spread | GFLOP/s | the other takes |")
    print("|---|---|---|---|---|---|---|")
    plain = {"loop": scan_reference, "log space": log_space_scan, "doubling": doubling_scan}
    rows = []
    for E, H, T in SHAPES:
        flop = 6 * T * BATCH_SIZE * 2 * H * E
        for precision in precisions:
            module, zeros = MinGRU(E, H), torch.zeros(BATCH_SIZE, H)
            readers: dict[str, Reader] = {
                f"scan as {name}": (module, plain_min_gru(module, scan, zeros))
                for name, scan in plain.items()
            }
            readers["our GRU"] = our_layer("gru", E, H)
            others = [train_step(reader, T, E, precision) for reader in readers.values()]
            ours = train_step((module, lambda x, m=module, h=zeros: m(x, h)[0]), T, E, precision)
            times, ratios = alternate(ours, others, rounds)
            for name, ratio in zip(readers, ratios, strict=True):
                rows.append(row(f"minGRU, beside {name}", (E, H, T), precision, times, flop, ratio))
    return rows


def row(
    name: str, shape: tuple[int, ...], precision: str, times: list[float], flop: float, ratio: float
) -> dict[str, Any]:
    """Prints one line of a table and returns it."""
    seconds, speed = median(times), flop / median(times) / 1e9
    spread = f"{min(times) * 1e3:.3g}-{max(times) * 1e3:.3g}"
    print(
        f"| {name} | {', '.join(map(str, shape))} | {precision} | {seconds * 1e3:.3g} ms "
        f"| {spread} | {f'{speed:.0f}' if flop else ''} | {ratio:.2f}x |",
        flush=True,
    )
    values = {"name": name, "shape": shape, "precision": precision, "seconds": seconds}
    return values | {"gflops": speed, "ratio": ratio}


def our_layer(name: str, E: int, H: int) -> Reader:
    """Our layer of a kind."""
    cell, _, _, num_states = LAYERS[name]
    module = cell(E, H)
    states = [torch.zeros(BATCH_SIZE, H) for _ in range(num_states)]
    return module, lambda x: module(x, *states)[0]


def torch_layer(name: str, E: int, H: int) -> Reader:
    """torch's layer of the same kind."""
    module = LAYERS[name][1](E, H)
    return module, lambda x: module(x)[0]


def train_step(reader: Reader, T: int, E: int, precision: str) -> Step:
    """Forward and backward to the inputs and all weights."""
    module, read = reader
    x = torch.randn(T, BATCH_SIZE, E, requires_grad=True)
    grads: dict[torch.dtype, Tensor] = {}

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            y = read(x)
        if y.dtype not in grads:
            grads[y.dtype] = torch.randn(y.shape).to(y.dtype)
        torch.autograd.grad(y, [x, *module.parameters()], grads[y.dtype])

    return step


def alternate(ours: Step, peers: list[Step], rounds: int) -> tuple[list[float], list[float]]:
    """Times of ours, and for each peer the median of its time over ours in the same round."""
    for step in (ours, *peers):
        step()
    times: list[float] = []
    ratios: list[list[float]] = [[] for _ in peers]
    for _ in range(rounds):
        times.append(seconds_of(ours))
        for ratio, peer in zip(ratios, peers, strict=True):
            ratio.append(seconds_of(peer) / times[-1])
    return times, [median(ratio) for ratio in ratios]


def seconds_of(step: Step) -> float:
    """One call."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def plain_min_gru(
    module: MinGRU, scan: Callable[..., tuple[Tensor, Tensor]], h: Tensor
) -> Callable[[Tensor], Tensor]:
    """The same layer on a scan of torch's own functions."""

    def read(x: Tensor) -> Tensor:
        both = nn.functional.linear(x, module.weight, module.bias).float()
        update, candidate = both.chunk(2, -1)
        update = update.sigmoid()
        return scan(1 - update, update * candidate, h)[0]

    return read


def log_space_scan(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Heinsen 2023, for positive b: exp(A + logcumsumexp(log b - A)) with A = cumsum(log a)."""
    kept = a.log().cumsum(0)
    start = h.clamp(min=1e-9).log()[None]
    added = torch.cat((start, b.clamp(min=1e-9).log() - kept))
    y = (kept + added.logcumsumexp(0)[1:]).exp()
    return y, y[-1]


def doubling_scan(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Hillis & Steele 1986: log2(T) passes over the whole sequence."""
    b = torch.cat((b[:1] + a[:1] * h, b[1:]))
    distance = 1
    while distance < len(a):
        b = torch.cat((b[:distance], b[distance:] + a[distance:] * b[:-distance]))
        a = torch.cat((a[:distance], a[distance:] * a[:-distance]))
        distance *= 2
    return b, b[-1]


def around(rounds: int, precisions: list[str]) -> list[dict[str, Any]]:
    """What stands around a recurrence, forward and backward, beside torch's functions."""
    print("| function | of | precision | ours | spread | GFLOP/s | torch takes |")
    print("|---|---|---|---|---|---|---|")
    num_tokens, vocab_size, width, num_steps = BATCH_SIZE * 500, 10_000, 128, 500
    tokens, targets = torch.randint(vocab_size, (num_tokens,)), torch.randint(vocab_size, (4480,))
    vectors, states = torch.randn(vocab_size, width), torch.randn(num_steps, BATCH_SIZE, width)
    counts = torch.randint(1, num_steps, (BATCH_SIZE,))
    outside = (torch.arange(num_steps)[:, None] >= counts)[:, :, None]
    hidden, matrix = torch.randn(4480, 512), torch.randn(vocab_size, 512) / 512**0.5
    weight, bias = torch.randn(4096, 1024), torch.zeros(vocab_size)
    query, keys, values = (torch.randn(BATCH_SIZE, n, 4, 64) for n in (64, 192, 192))
    mask = window_mask(64, 128, 128, torch.full((BATCH_SIZE,), 128))
    rows = []
    for precision in precisions:
        dtype = getattr(torch, precision)

        def pooled(y: Tensor) -> list[Tensor]:
            y = y.float().masked_fill(outside, -torch.inf)
            kept = y.masked_fill(outside, 0)
            return [kept[counts - 1, torch.arange(BATCH_SIZE)], y.max(0).values, kept.sum(0)]

        cases: dict[str, tuple[list[Tensor], Callable[..., Any], Callable[..., Any]]] = {
            "embedding": (
                [vectors],
                lambda x, dtype=dtype: embedding(tokens, x, dtype=dtype),
                lambda x, dtype=dtype: nn.functional.embedding(tokens, x).to(dtype),
            ),
            "softmax": (
                [matrix, hidden],
                lambda x, hidden: linear_log_probs(hidden, x, bias, targets),
                lambda x, hidden: nn.functional.cross_entropy(
                    nn.functional.linear(hidden, x, bias).float(), targets, reduction="none"
                ),
            ),
            "pooling": ([states.to(dtype)], lambda x: pool(x, counts), pooled),
            "weight dropout": (
                [weight],
                lambda x: dropout(x, 0.3),
                lambda x: nn.functional.dropout(x, 0.3),
            ),
            "attention": (
                [x.to(dtype) for x in (query, keys, values)],
                lambda *x: attend(*x, mask),
                lambda *x: nn.functional.scaled_dot_product_attention(
                    *(y.transpose(1, 2) for y in x), attn_mask=mask
                ),
            ),
        }
        for name, (inputs, *functions) in cases.items():
            if precision == {"weight dropout": "bfloat16", "attention": "float32"}.get(name):
                continue  # the one has no other precision, the other is torch's own function there
            ours, theirs = (both_ways(function, inputs, precision) for function in functions)
            times, ratios = alternate(ours, [theirs], rounds)
            flop = 6 * len(hidden) * matrix.numel() if name == "softmax" else 0
            rows.append(row(name, tuple(inputs[0].shape), precision, times, flop, ratios[0]))
    return rows


def both_ways(function: Callable[..., Any], inputs: list[Tensor], precision: str) -> Step:
    """A function of tensors, and the gradients of all its results."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    mixtures: list[Tensor] = []

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            found = function(*inputs)
        results = [found] if isinstance(found, Tensor) else list(found)
        if not mixtures:
            mixtures.extend(torch.randn(y.shape).to(y.dtype) for y in results)
        torch.autograd.grad(results, inputs, mixtures)

    return step


def memory(rounds: int, precisions: list[str]) -> list[dict[str, Any]]:
    """Peak memory of training steps of an LSTM layer, ours beside torch's; measured once."""
    print("| LSTM | precision | ours | torch's | torch takes |")
    print("|---|---|---|---|---|")
    rows = []
    for shape in SHAPES:
        for precision in precisions:
            arguments = ",".join(map(str, shape)) + f",{precision}"
            ours, theirs = (peak_elsewhere(who, arguments) for who in ("ours", "torch"))
            print(
                f"| {', '.join(map(str, shape))} | {precision} | {ours / 1e6:.0f} MB "
                f"| {theirs / 1e6:.0f} MB | {theirs / ours:.2f}x |",
                flush=True,
            )
            values = {"name": "memory", "shape": shape, "precision": precision}
            rows.append(values | {"ours_bytes": ours, "torch_bytes": theirs})
    return rows


def peak_elsewhere(who: str, arguments: str) -> int:
    """`peak` in a fresh process, where the C library gives back at once what is freed."""
    command = [sys.executable, __file__, "--peak", who, arguments]
    given_back = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 18)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=given_back)
    return int(done.stdout)


def peak(who: str, arguments: str) -> int:
    """Bytes that three steps take at most, above weights, inputs and the libraries."""
    *shape, precision = arguments.split(",")
    E, H, T = map(int, shape)
    make = our_layer if who == "ours" else torch_layer
    train_step(make("lstm", 8, 8), 4, 8, precision)()
    step = train_step(make("lstm", E, H), T, E, precision)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (Linux)
    before = resident("VmRSS")
    for _ in range(3):
        step()
    return resident("VmHWM") - before


def resident(name: str) -> int:
    """Resident memory of this process in bytes: now (VmRSS), or its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


@torch.no_grad()
def one_step(rounds: int, precisions: list[str]) -> list[dict[str, Any]]:
    """One token through two LSTM layers of 512 units, and the time to read as many weights."""
    print("| one step, 2 x 512 | batch | precision | ours | spread | GFLOP/s | the other takes |")
    print("|---|---|---|---|---|---|---|")
    width = 512
    layers = [LSTM(width, width) for _ in range(2)]
    peer = nn.LSTM(width, width, 2)
    weights = torch.randn(sum(p.numel() for layer in layers for p in layer.parameters()))
    rows = []
    for batch_size in (1, 4, 16, 64):
        x, zeros = torch.randn(1, batch_size, width), torch.zeros(batch_size, width)

        def ours(x: Tensor = x, zeros: Tensor = zeros) -> None:
            for layer in layers:
                x, _, _ = layer(x, zeros, zeros)

        others: dict[str, Step] = {
            "nn.LSTM": lambda x=x: peer(x),
            "reading the weights": lambda: weights.sum(),
        }
        # Several times in a row, so that each finds its own weights in the cache.
        steps = [lambda f=f: [f() for _ in range(REPEATS)] for f in (ours, *others.values())]
        times, ratios = alternate(steps[0], steps[1:], rounds)
        times = [seconds / REPEATS for seconds in times]
        flop = 2 * batch_size * len(weights)
        for name, ratio in zip(others, ratios, strict=True):
            label = f"beside {name}"
            rows.append(row(label, (batch_size,), "float32", times, flop, ratio))
    return rows


if __name__ == "__main__":
    main()
