"""How far the kernels are from float64: relative root mean square errors over long sequences.

    [UNROLLED_ISA=avx2] python benchmarks/precision.py

Random inputs and weights, batch 4, 256 inputs and units, T up to 2,000. "outputs" are those of all
steps; "gradients" the worst of those at inputs, first states, weights and biases, of a random
mixture of all outputs. The scan is always computed in float32.
"""

import torch
from torch import Tensor

from unrolled import kernels
from unrolled.ops.elman import elman, elman_reference
from unrolled.ops.gru import gru, gru_reference
from unrolled.ops.lstm import lstm, lstm_reference
from unrolled.ops.min_gru import min_gru, min_gru_reference
from unrolled.ops.scan import scan, scan_reference
from unrolled.system.machine import machine, versions

BATCH_SIZE, WIDTH = 4, 256
LENGTHS = (70, 500, 2_000)
LAYERS = {  # gates, states, weight matrices, biases
    "elman": (elman, elman_reference, 1, 1, 2, 1),
    "gru": (gru, gru_reference, 3, 1, 2, 2),
    "lstm": (lstm, lstm_reference, 4, 2, 2, 1),
    "minGRU": (min_gru, min_gru_reference, 2, 1, 1, 1),
}


def main() -> None:
    """Prints one table."""
    print(f"{machine()}; {kernels.status()}; torch {versions()['torch']}\n")
    print("| layer | T | precision | outputs | gradients |")
    print("|---|---|---|---|---|")
    for name in (*LAYERS, "scan"):
        for num_steps in LENGTHS:
            for precision in ("float32", "bfloat16") if name != "scan" else ("float32",):
                outputs, gradients = errors(name, num_steps, precision)
                print(f"| {name} | {num_steps} | {precision} | {outputs:.1e} | {gradients:.1e} |")


def errors(name: str, num_steps: int, precision: str) -> tuple[float, float]:
    """Relative error of the outputs, and the largest of the gradients."""
    fast, reference, *_ = LAYERS.get(name, (scan, scan_reference))
    torch.manual_seed(0)
    inputs = layer_inputs(name, num_steps) if name in LAYERS else scan_inputs(num_steps)
    mixture = torch.randn(num_steps, BATCH_SIZE, WIDTH)
    exact = results(reference, [tensor.double() for tensor in inputs], mixture)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        found = results(fast, inputs, mixture)
    relative = [
        float((one.double() - two).norm() / two.norm())
        for one, two in zip(found, exact, strict=True)
    ]
    return relative[0], max(relative[1:])


def layer_inputs(name: str, num_steps: int) -> list[Tensor]:
    """x, first states, weights and biases of a layer."""
    _, _, num_gates, num_states, num_matrices, num_biases = LAYERS[name]
    sizes = [(num_steps, BATCH_SIZE, WIDTH)] + [(BATCH_SIZE, WIDTH)] * num_states
    inputs = [torch.randn(size) for size in sizes]
    # Weights as those of trained layers are: a spectral radius of about one.
    inputs += [torch.randn(num_gates * WIDTH, WIDTH) / WIDTH**0.5 for _ in range(num_matrices)]
    return inputs + [torch.randn(num_gates * WIDTH) for _ in range(num_biases)]


def scan_inputs(num_steps: int) -> list[Tensor]:
    """What a scan reads at all steps, and its first state."""
    size = num_steps, BATCH_SIZE, WIDTH
    return [torch.rand(size), torch.randn(size), torch.randn(BATCH_SIZE, WIDTH)]


def results(op, inputs: list[Tensor], mixture: Tensor) -> list[Tensor]:
    """Outputs, then all gradients."""
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    y = op(*inputs)[0]
    return [y.detach(), *torch.autograd.grad(y, inputs, mixture.to(y.dtype))]


if __name__ == "__main__":
    main()
