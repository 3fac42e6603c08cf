"""What every recurrence has to pass, whatever its equations, and a call of every operator."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.ops.elman import elman, elman_reference
from unrolled.ops.embedding import embedding, embedding_reference
from unrolled.ops.gru import gru, gru_reference
from unrolled.ops.linear_log_probs import (
    Candidates,
    linear_log_probs,
    linear_log_probs_reference,
    sampled_log_probs,
)
from unrolled.ops.lstm import lstm, lstm_reference
from unrolled.ops.min_gru import min_gru, min_gru_reference
from unrolled.ops.pool import pool, pool_reference
from unrolled.ops.scan import scan, scan_reference

torch.set_num_threads(1)

SHAPES = [(1, 1, 17, 17), (63, 7, 5, 17), (8, 1, 17, 5)]
"""(T, B, E, H), odd on purpose."""

Op = Callable[..., tuple[Tensor, ...]]


def random_inputs(
    shape: tuple[int, int, int, int],
    num_gates: int,
    num_states: int,
    num_biases: int = 1,
    dtype: torch.dtype = torch.float64,
    start_state: bool = True,
) -> list[Tensor]:
    """x, the states, weight_ih, weight_hh and the biases of one op, all asking for gradients."""
    T, B, E, H = shape
    generator = torch.Generator().manual_seed(0)

    def normal(*size: int, scale: float = 1.0) -> Tensor:
        return scale * torch.randn(*size, generator=generator, dtype=dtype)

    states = [normal(B, H, scale=float(start_state)) for _ in range(num_states)]
    weights = [normal(num_gates * H, E, scale=E**-0.5), normal(num_gates * H, H, scale=H**-0.5)]
    biases = [normal(num_gates * H) for _ in range(num_biases)]
    return [tensor.requires_grad_() for tensor in (normal(T, B, E), *states, *weights, *biases)]


def outputs_and_gradients(op: Op, inputs: Sequence[Tensor]) -> list[Tensor]:
    """All results of an op, then the gradient of a random mixture of them at every input."""
    outputs = op(*inputs)
    generator = torch.Generator().manual_seed(1)
    mixtures = [torch.randn(y.shape, generator=generator).to(y.dtype) for y in outputs]
    return [*outputs, *torch.autograd.grad(outputs, inputs, mixtures)]


def assert_same(op: Op, other: Op, inputs: Sequence[Tensor], rtol: float, atol: float) -> None:
    """Fails unless outputs, final state and every gradient of two ops agree."""
    found, expected = (outputs_and_gradients(f, inputs) for f in (op, other))
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=rtol, atol=atol)


def assert_step_by_step(op: Op, inputs: Sequence[Tensor], num_states: int) -> None:
    """Fails unless reading step by step with carried state gives what reading at once gives."""
    x, parameters = inputs[0], inputs[1 + num_states :]
    whole = op(*inputs)
    states: Sequence[Tensor] = inputs[1 : 1 + num_states]
    steps = []
    for step in x.split(1):
        y, *states = op(step, *states, *parameters)
        steps.append(y)
    for one, two in zip((torch.cat(steps), *states), whole, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def assert_bfloat16_is_close(op: Op, inputs: Sequence[Tensor]) -> None:
    """Fails unless bfloat16 autocast stays near float32: root mean square 1 %, gradients 2 %."""
    expected = outputs_and_gradients(op, inputs)

    def in_bfloat16(*tensors: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16):
            return tuple(y.float() for y in op(*tensors))

    found = outputs_and_gradients(in_bfloat16, inputs)
    num_outputs = len(found) - len(inputs)
    for index, (one, two) in enumerate(zip(found, expected, strict=True)):
        limit = 0.01 if index < num_outputs else 0.02
        assert (one - two).norm() < limit * two.norm(), index


def calls() -> dict[str, tuple[Callable[..., Any], Callable[..., Any], list[Any]]]:
    """Every operator with its reference and arguments that fit: float32, of two rows."""
    T, B, E, H, V = 3, 2, 4, 5, 10
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    def recurrent(num_gates: int, num_states: int, num_biases: int = 1) -> list[Tensor]:
        inputs = random_inputs((T, B, E, H), num_gates, num_states, num_biases, torch.float32)
        return [tensor.detach() for tensor in inputs]

    ids = torch.arange(70) % V
    gated, (packed, *others) = recurrent(2, 1), recurrent(4, 2)
    softmax = [normal(300, E), normal(V, E), normal(V), torch.arange(300) % V]
    candidates = Candidates(torch.arange(V), torch.zeros(V))

    def from_candidates(*inputs: Tensor) -> Tensor:
        return sampled_log_probs(*inputs, candidates)

    def one_by_one(x: Tensor, h: Tensor, c: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """An LSTM over rows of 3 and 2 steps; their outputs as torch packs them."""
        *parameters, _ = rest
        long = lstm_reference(x[[0, 2, 4]][:, None], h[:1], c[:1], *parameters)
        short = lstm_reference(x[[1, 3]][:, None], h[1:], c[1:], *parameters)
        places = torch.tensor([0, 3, 1, 4, 2])
        y = torch.cat((long[0], short[0]))[places, 0]
        return y, *(torch.cat(parts) for parts in zip(long[1:], short[1:], strict=True))

    return {
        "lstm": (lstm, lstm_reference, recurrent(4, 2)),
        "packed lstm": (
            lstm,
            one_by_one,
            [packed.flatten(0, 1)[:5], *others, torch.tensor([2, 2, 1])],
        ),
        "gru": (gru, gru_reference, recurrent(3, 1, 2)),
        "elman": (elman, elman_reference, recurrent(1, 1)),
        "min_gru": (min_gru, min_gru_reference, [*gated[:3], gated[4]]),
        "scan": (scan, scan_reference, [normal(T, B, H), normal(T, B, H), normal(B, H)]),
        "pool": (pool, pool_reference, [normal(T, B, H), torch.tensor([1, 2])]),
        "embedding": (embedding, embedding_reference, [ids, normal(V, E), normal(70)]),
        "linear_log_probs": (linear_log_probs, linear_log_probs_reference, softmax),
        "sampled_log_probs": (from_candidates, linear_log_probs_reference, softmax),
    }
