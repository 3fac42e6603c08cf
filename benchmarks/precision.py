"""How far the kernels are from float64: relative root mean square errors over long sequences.

    [UNROLLED_ISA=avx2] python benchmarks/precision.py

Random inputs and weights, batch 4, 256 inputs and units, T up to 2,000. "outputs" are those of all
steps; "gradients" the worst of those at inputs, first states, weights and biases, of a random
mixture of all outputs.
"""

import torch
from torch import Tensor

from unrolled import kernels
from unrolled.machine import machine, versions
from unrolled.ops.elman import elman, elman_reference
from unrolled.ops.gru import gru, gru_reference
from unrolled.ops.lstm import lstm, lstm_reference

BATCH_SIZE, WIDTH = 4, 256
LENGTHS = (70, 500, 2_000)
KINDS = {
    "elman": (elman, elman_reference, 1, 1, 1),
    "gru": (gru, gru_reference, 3, 1, 2),
    "lstm": (lstm, lstm_reference, 4, 2, 1),
}


def main() -> None:
    """Prints one table."""
    print(f"{machine()}; {kernels.status()}; torch {versions()['torch']}\n")
    print("| layer | T | precision | outputs | gradients |")
    print("|---|---|---|---|---|")
    for name in KINDS:
        for num_steps in LENGTHS:
            for precision in ("float32", "bfloat16"):
                outputs, gradients = errors(name, num_steps, precision)
                print(f"| {name} | {num_steps} | {precision} | {outputs:.1e} | {gradients:.1e} |")


def errors(name: str, num_steps: int, precision: str) -> tuple[float, float]:
    """Relative error of the outputs, and the largest of the gradients."""
    fast, reference, num_gates, num_states, num_biases = KINDS[name]
    torch.manual_seed(0)
    sizes = [(num_steps, BATCH_SIZE, WIDTH)] + [(BATCH_SIZE, WIDTH)] * num_states
    inputs = [torch.randn(size) for size in sizes]
    # Weights as those of trained layers are: a spectral radius of about one.
    inputs += [torch.randn(num_gates * WIDTH, WIDTH) / WIDTH**0.5 for _ in range(2)]
    inputs += [torch.randn(num_gates * WIDTH) for _ in range(num_biases)]
    mixture = torch.randn(num_steps, BATCH_SIZE, WIDTH)
    exact = results(reference, [tensor.double() for tensor in inputs], mixture)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        found = results(fast, inputs, mixture)
    relative = [
        float((one.double() - two).norm() / two.norm())
        for one, two in zip(found, exact, strict=True)
    ]
    return relative[0], max(relative[1:])


def results(op, inputs: list[Tensor], mixture: Tensor) -> list[Tensor]:
    """Outputs, then all gradients."""
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    y = op(*inputs)[0]
    return [y.detach(), *torch.autograd.grad(y, inputs, mixture.to(y.dtype))]


if __name__ == "__main__":
    main()
