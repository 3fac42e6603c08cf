"""The compiled recurrences against their references, on every instruction set of this machine."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from unrolled import kernels
from unrolled.errors import ShapeError
from unrolled.nn.elman import Elman
from unrolled.nn.gru import GRU
from unrolled.nn.lstm import LSTM
from unrolled.nn.min_gru import MinGRU
from unrolled.ops.elman import elman, elman_reference
from unrolled.ops.embedding import embedding
from unrolled.ops.gru import gru, gru_reference
from unrolled.ops.linear_log_probs import linear_log_probs
from unrolled.ops.lstm import lstm, lstm_reference
from unrolled.ops.min_gru import min_gru, min_gru_reference
from unrolled.ops.scan import scan, scan_reference

from ..ops.checks import Op, outputs_and_gradients, random_inputs

pytestmark = pytest.mark.skipif(
    kernels.library() is None, reason="installed without a C++ compiler: there are no kernels"
)


class Case(NamedTuple):
    fast: Op
    reference: Op
    num_gates: int
    num_states: int
    num_biases: int


def relu_elman(*inputs: Tensor, batch_sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    return elman(*inputs, "relu", batch_sizes)


CASES = {
    "lstm": Case(lstm, lstm_reference, 4, 2, 1),
    "gru": Case(gru, gru_reference, 3, 1, 2),
    "elman": Case(elman, elman_reference, 1, 1, 1),
    "relu": Case(relu_elman, lambda *inputs: elman_reference(*inputs, "relu"), 1, 1, 1),
}
SHAPES = [
    *((1, 1, 17, 17), (63, 7, 5, 17), (2, 1, 9, 130), (3, 70, 33, 65), (9, 13, 64, 48)),
    *((3, 7, 331, 167), (2, 7, 801, 33)),
]
"""(T, B, E, H): odd widths, fewer rows than a tile and more than one, several blocks of units, and
strips of several slices in every precision and with every instruction set."""


@pytest.fixture(params=kernels.available())
def isa(request, monkeypatch) -> str:
    """One of the instruction sets that were compiled and that this processor has."""
    monkeypatch.setattr(kernels, "instruction_set", lambda: request.param)
    monkeypatch.setattr(kernels, "torch_is_faster", lambda: False)  # else it would be tested
    return request.param


@pytest.fixture(params=[1, 3])
def threads(request):
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(1)


def inputs_of(name: str, shape: tuple[int, int, int, int], **settings: Any) -> list[Tensor]:
    _, _, num_gates, num_states, num_biases = CASES[name]
    return random_inputs(shape, num_gates, num_states, num_biases, torch.float32, **settings)


def assert_close(found: list[Tensor], expected: list[Tensor], limit: float) -> None:
    """Relative root mean square of every output and gradient."""
    for index, (one, two) in enumerate(zip(found, expected, strict=True)):
        assert torch.isfinite(one).all(), index
        assert (one.double() - two).norm() <= limit * two.norm() + 1e-12, index


def exact(name: str, inputs: list[Tensor]) -> list[Tensor]:
    """Outputs and gradients in float64."""
    doubles = [tensor.detach().double().requires_grad_() for tensor in inputs]
    return outputs_and_gradients(CASES[name].reference, doubles)


def in_bfloat16(op: Op) -> Op:
    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16):
            return tuple(y.float() for y in op(*inputs))

    return run


@pytest.mark.parametrize("start_state", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CASES)
def test_float32_equals_the_reference(name, shape, start_state, isa, threads):
    inputs = inputs_of(name, shape, start_state=start_state)
    assert_close(outputs_and_gradients(CASES[name].fast, inputs), exact(name, inputs), 2e-6)


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name in CASES for shape in SHAPES if name != "relu" or shape[0] < 10],
)
def test_bfloat16_is_close(name, shape, isa, threads):
    inputs = inputs_of(name, shape)
    found = outputs_and_gradients(in_bfloat16(CASES[name].fast), inputs)
    # Rounding puts some units on the other side of relu's kink, and over many steps most of them.
    limit = 0.08 if name == "relu" else 0.02
    assert_close(found, exact(name, inputs), limit)


def in_one_batch(name: str, lengths: list[int]) -> Op:
    """Sequences of unequal lengths, packed."""

    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        pack = pack_padded_sequence(inputs[0], lengths)
        return CASES[name].fast(pack.data, *inputs[1:], batch_sizes=pack.batch_sizes)

    return run


def one_by_one(name: str, lengths: list[int]) -> Op:
    """The same, each sequence in a batch of its own."""
    states = slice(1, 1 + CASES[name].num_states)

    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        parameters = inputs[states.stop :]
        rows = [
            CASES[name].reference(
                inputs[0][:length, [i]], *(s[[i]] for s in inputs[states]), *parameters
            )
            for i, length in enumerate(lengths)
        ]
        steps = [row[0][t, 0] for t in range(lengths[0]) for row in rows if t < len(row[0])]
        last = [torch.cat(column) for column in list(zip(*rows, strict=True))[1:]]
        return torch.stack(steps), *last

    return run


@cache
def alone(name: str, lengths: tuple[int, ...], input_size: int, hidden_size: int) -> list[Tensor]:
    """Outputs and gradients of each sequence in a batch of its own, in float64."""
    inputs = inputs_of(name, (lengths[0], len(lengths), input_size, hidden_size))
    doubles = [tensor.detach().double().requires_grad_() for tensor in inputs]
    return outputs_and_gradients(one_by_one(name, list(lengths)), doubles)


UNEQUAL = [
    ([11, 7, 7, 6, 2, 2, 1, 1, 1], 5, 19),
    ([3, 2], 9, 130),  # too few for all threads: they share units
    ([*range(40, 10, -1)], 3, 7),  # several pieces of the way back
    ([*range(140, 128, -1)], 3, 7),  # also for each thread's part of the batch
    ([*range(40, 10, -1)], 3, 220),  # and for all threads together
    ([300, *[1] * 12], 3, 7),  # nothing left for a third thread
]


@pytest.mark.parametrize(("lengths", "input_size", "hidden_size"), UNEQUAL)
@pytest.mark.parametrize("name", CASES)
def test_unequal_lengths_cost_and_change_nothing(
    name, lengths, input_size, hidden_size, isa, threads
):
    """Each row of a packed batch has the outputs, last states and gradients that it has alone."""
    inputs = inputs_of(name, (lengths[0], len(lengths), input_size, hidden_size))
    found = outputs_and_gradients(in_one_batch(name, lengths), inputs)
    expected = alone(name, tuple(lengths), input_size, hidden_size)
    grad_x = found[1 + CASES[name].num_states]
    assert not grad_x[lengths[-1] :, -1].any()  # no gradient behind the end of a sequence
    assert_close(found, expected, 1e-5)


@pytest.mark.parametrize(("lengths", "input_size", "hidden_size"), UNEQUAL)
@pytest.mark.parametrize("name", ["lstm", "gru", "elman"])
def test_unequal_lengths_in_bfloat16(name, lengths, input_size, hidden_size, isa, threads):
    inputs = inputs_of(name, (lengths[0], len(lengths), input_size, hidden_size))
    found = outputs_and_gradients(in_bfloat16(in_one_batch(name, lengths)), inputs)
    assert_close(found, alone(name, tuple(lengths), input_size, hidden_size), 0.02)


@pytest.mark.parametrize("name", CASES)
def test_what_needs_no_gradient_changes_nothing(name):
    inputs = inputs_of(name, (5, 6, 7, 18))
    expected = outputs_and_gradients(CASES[name].fast, inputs)
    frozen = [inputs[0].detach(), *inputs[1:]]
    outputs = CASES[name].fast(*frozen)
    with torch.no_grad():
        for one, two in zip(CASES[name].fast(*inputs), outputs, strict=True):
            assert torch.equal(one, two)
    sum(y.sum() for y in outputs).backward()
    assert len(expected) == len(outputs) + len(inputs)
    assert all(tensor.grad is not None for tensor in inputs[1:])


@pytest.mark.parametrize("name", CASES)
def test_the_way_back_can_be_gone_again(name):
    inputs = inputs_of(name, (40, 30, 4, 5))  # more rows than a piece of the way back has
    y = CASES[name].fast(*inputs)[0].sum()
    first, second = (torch.autograd.grad(y, inputs, retain_graph=True) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one, two)
    assert_close(outputs_and_gradients(CASES[name].fast, inputs), exact(name, inputs), 2e-6)


@pytest.mark.parametrize("name", CASES)
def test_not_a_number_comes_out(name, isa):
    inputs = inputs_of(name, (3, 2, 4, 5))
    with torch.no_grad():
        inputs[0][1, 0, 0] = torch.nan
        y = CASES[name].fast(*inputs)[0]
    assert torch.isfinite(y[0]).all() and torch.isfinite(y[:, 1]).all()
    assert y[1:, 0].isnan().any()


@pytest.mark.parametrize("name", CASES)
def test_extreme_inputs_saturate(name, isa):
    inputs = inputs_of(name, (3, 2, 4, 5))
    inputs[0] = (1e4 * inputs[0]).detach().requires_grad_()
    if name != "relu":
        assert_close(outputs_and_gradients(CASES[name].fast, inputs), exact(name, inputs), 1e-3)


def test_operators_keep_torchs_rules():
    """Shapes of fake tensors, gradients and aliasing are as torch.export and compile expect."""
    offsets = torch.arange(4) * 2
    for name, flags in (("lstm", [True]), ("gru", [True]), ("elman", [False, True])):
        x, *others = inputs_of(name, (3, 2, 4, 5))
        rows = x.detach().flatten(0, 1).requires_grad_()
        arguments = (rows, *others, offsets, *flags)
        torch.library.opcheck(getattr(torch.ops.unrolled, name).default, arguments)
    a, b = torch.rand(3, 2, 5, requires_grad=True), torch.rand(3, 2, 5, requires_grad=True)
    torch.library.opcheck(torch.ops.unrolled.scan.default, (a, b, torch.rand(2, 5)))
    x, *others = min_gru_inputs((3, 2, 4, 5))
    arguments = (x.detach().flatten(0, 1).requires_grad_(), *others, offsets, True)
    torch.library.opcheck(torch.ops.unrolled.min_gru.default, arguments)


class Reader(torch.nn.Module):
    """An embedding, all recurrences, and the softmax of given tokens, one per row."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru, self.elman = LSTM(4, 6), GRU(6, 5), Elman(5, 4)
        self.min_gru, self.words = MinGRU(4, 3), torch.nn.Linear(3, 11)
        self.vectors = torch.nn.Parameter(torch.randn(11, 4))

    def forward(self, x: Tensor, targets: Tensor) -> Tensor:
        states = [torch.zeros(x.shape[1], width) for width in (6, 6, 5, 4, 3)]
        y, *_ = self.lstm(x + embedding(targets.view(x.shape[:2]), self.vectors), *states[:2])
        for layer, state in zip((self.gru, self.elman, self.min_gru), states[2:], strict=True):
            y, _ = layer(y, state)
        rows = y.flatten(0, 1)
        return linear_log_probs(rows, self.words.weight, self.words.bias, targets)


OPERATORS = {
    f"unrolled.{name}.default"
    for name in ("embedding", "lstm", "gru", "elman", "min_gru", "linear_log_probs")
}


def test_modules_are_exported_with_the_operators_for_any_length():
    model, inputs = Reader(), (torch.randn(3, 2, 4), torch.arange(6))
    num_steps = torch.export.Dim("T", min=2)
    shapes = ({0: num_steps}, {0: 2 * num_steps})
    exported = torch.export.export(model, inputs, dynamic_shapes=shapes)
    called = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert called >= OPERATORS
    longer = torch.randn(7, 2, 4), torch.arange(14) % 11
    torch.testing.assert_close(exported.module()(*longer), model(*longer))


def test_modules_are_compiled_whole_with_the_operators():
    model, inputs = Reader(), (torch.randn(3, 2, 4), torch.arange(6))
    graphs = []

    def keep(graph, example_inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(model, fullgraph=True, backend=keep)
    torch.testing.assert_close(compiled(*inputs), model(*inputs))
    called = {str(node.target) for node in graphs[0].graph.nodes if node.op == "call_function"}
    assert called >= {name.removesuffix(".default") for name in OPERATORS} or called >= OPERATORS
    parameters = list(model.parameters())
    found = torch.autograd.grad(compiled(*inputs).sum(), parameters)
    expected = torch.autograd.grad(model(*inputs).sum(), parameters)
    torch.testing.assert_close(found, expected)


def test_sequences_of_unequal_length_are_exported():
    class Ragged(torch.nn.Module):
        def forward(self, batch_sizes: Tensor, *inputs: Tensor) -> Tensor:
            return lstm(*inputs, batch_sizes)[0]

    x, *others = (tensor.detach() for tensor in inputs_of("lstm", (3, 2, 4, 5)))
    inputs = torch.tensor([2, 2, 1]), x.flatten(0, 1)[:5], *others
    exported = torch.export.export(Ragged(), inputs)
    torch.testing.assert_close(exported.module()(*inputs), Ragged()(*inputs))
    for wrong in ([2, 2, 2], [1, 2, 2], [2, 3, 0]):
        with pytest.raises(ShapeError, match=r"batch_sizes must have shape \(T,\), falling"):
            exported.module()(torch.tensor(wrong), *inputs[1:])


def test_python_threads_do_not_disturb_each_other():
    batches = [inputs_of("lstm", (40, rows, 9, 33)) for rows in (3, 8, 13, 30)]
    expected = [outputs_and_gradients(lstm, inputs) for inputs in batches]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda inputs: outputs_and_gradients(lstm, inputs), batches * 5))
    for index, results in enumerate(found):
        for one, two in zip(results, expected[index % 4], strict=True):
            assert torch.equal(one, two)


@pytest.mark.parametrize("shape", [(1, 1, 1), (63, 7, 17), (5, 3, 64)])
def test_scan_equals_the_reference(shape, isa, threads):
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(shape, generator=generator, requires_grad=True)
    b = torch.randn(shape, generator=generator, requires_grad=True)
    h = torch.randn(shape[1:], generator=generator, requires_grad=True)
    found = outputs_and_gradients(scan, (a, b, h))
    doubles = [tensor.detach().double().requires_grad_() for tensor in (a, b, h)]
    assert_close(found, outputs_and_gradients(scan_reference, doubles), 1e-6)


def min_gru_inputs(shape: tuple[int, int, int, int]) -> list[Tensor]:
    """x, h, weight and bias."""
    generator = torch.Generator().manual_seed(0)
    T, B, E, H = shape
    sizes = (T, B, E), (B, H), (2 * H, E), (2 * H,)
    x, h, weight, bias = (torch.randn(size, generator=generator) for size in sizes)
    return [tensor.requires_grad_() for tensor in (x, h, weight / E**0.5, bias)]


MIN_GRU_SHAPES = [
    *((1, 1, 1, 1), (63, 7, 5, 17), (5, 3, 17, 64), (4, 1, 33, 130), (3, 2, 1, 15)),
    *((90, 13, 5, 33), (3, 150, 9, 70), (2, 7, 801, 33)),
]
"""(T, B, E, H): more threads than rows and than blocks of units; several pieces of the way back,
steps of more rows than are multiplied at a time, and strips of several slices."""


@pytest.mark.parametrize("shape", MIN_GRU_SHAPES)
def test_min_gru_equals_the_reference(shape, isa, threads):
    inputs = min_gru_inputs(shape)
    doubles = [tensor.detach().double().requires_grad_() for tensor in inputs]
    expected = outputs_and_gradients(min_gru_reference, doubles)
    assert_close(outputs_and_gradients(min_gru, inputs), expected, 2e-6)


@pytest.mark.parametrize("shape", MIN_GRU_SHAPES)
def test_min_gru_in_bfloat16_is_close(shape, isa, threads):
    inputs = min_gru_inputs(shape)
    doubles = [tensor.detach().double().requires_grad_() for tensor in inputs]
    found = outputs_and_gradients(in_bfloat16(min_gru), inputs)
    assert_close(found, outputs_and_gradients(min_gru_reference, doubles), 0.02)


@pytest.mark.parametrize("part", [0, 1])
def test_min_gru_without_one_of_its_results(part):
    """Only y, or only the last state, has a gradient."""
    inputs = min_gru_inputs((5, 3, 9, 17))
    found, expected = (
        torch.autograd.grad(op(*inputs)[part].square().sum(), inputs)
        for op in (min_gru, min_gru_reference)
    )
    assert_close(list(found), [tensor.double() for tensor in expected], 2e-6)


@pytest.mark.parametrize("name", CASES)
def test_changed_weights_are_packed_again(name):
    """What is kept between calls without gradients follows the weights."""
    inputs = [tensor.detach() for tensor in inputs_of(name, (1, 3, 5, 18))]
    for _ in range(2):
        with torch.no_grad():
            found = CASES[name].fast(*inputs)
            inputs_again = [tensor.clone() for tensor in inputs]
            assert_close(found, CASES[name].reference(*inputs_again), 1e-6)
            for weight in inputs[-2 - CASES[name].num_biases :]:
                weight.mul_(1.5)


def test_a_fused_optimizer_step_is_noticed():
    """It does not count a new version of the weights."""
    x, h, c, *parameters = inputs_of("lstm", (1, 3, 5, 18))
    parameters = [torch.nn.Parameter(tensor.detach()) for tensor in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=0.1, fused=True)
    for _ in range(3):
        with torch.no_grad():
            found = lstm(x, h, c, *parameters)
            copies = [tensor.clone() for tensor in parameters]
            assert_close(list(found), list(lstm_reference(x, h, c, *copies)), 1e-6)
        lstm(x, h, c, *parameters)[0].sum().backward()
        optimizer.step()


def test_an_optimizer_step_that_changes_one_weight_is_noticed():
    x, h, c, *parameters = inputs_of("lstm", (1, 16, 16, 32))
    parameters = [torch.nn.Parameter(tensor.detach()) for tensor in parameters]
    optimizer = torch.optim.SGD(parameters, lr=1.0, fused=True)
    with torch.no_grad():
        lstm(x, h, c, *parameters)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    parameters[0].grad[0, 1] = 5  # none of the samples
    optimizer.step()
    with torch.no_grad():
        found = lstm(x, h, c, *parameters)
    assert_close(list(found), list(lstm_reference(x, h, c, *parameters)), 1e-6)


def test_shapes_that_do_not_fit_are_refused():
    x, h, c, weight_ih, weight_hh, bias = inputs_of("lstm", (3, 2, 4, 5))
    with pytest.raises(ShapeError, match=r"weight_ih must have shape \(4H, E\) = \(20, 4\)"):
        lstm(x, h, c, weight_ih[:, 1:], weight_hh, bias)
    with pytest.raises(ShapeError, match=r"bias must have shape \(4H,\) = \(20,\)"):
        lstm(x, h, c, weight_ih, weight_hh, bias[1:])
    with pytest.raises(ShapeError, match="state must have"):
        lstm(x, h, c[1:], weight_ih, weight_hh, bias)
    with pytest.raises(ShapeError, match="state must have"):
        lstm(x, h[:, 1:], c, weight_ih, weight_hh, bias)
    with pytest.raises(ShapeError, match=r"x must have shape \(T, 2, E\) with T >= 1"):
        lstm(x[:, :1], h, c, weight_ih, weight_hh, bias)
    with pytest.raises(ShapeError, match="batch_sizes must have"):
        lstm(x[0], h, c, weight_ih, weight_hh, bias, torch.tensor([1, 1]))
    with pytest.raises(ShapeError, match="batch_sizes must have"):  # a parameter is a tensor too
        lstm(torch.nn.Parameter(x[0]), h, c, weight_ih, weight_hh, bias, torch.tensor([2, 2]))
    with pytest.raises(ShapeError, match=r"h must have shape \(B, H\) = \(2, 4\), got \(2, 5\)"):
        scan(x, x, h)
    weight, bias = weight_ih[:10], bias[:10]
    with pytest.raises(ShapeError, match=r"x must have shape \(T, 2, E\) with T >= 1"):
        min_gru(x[:, :1], h, weight, bias)
    with pytest.raises(ShapeError, match=r"x must have shape \(T, 0, E\)"):
        min_gru(x[:, :0], h[:0], weight, bias)
    with pytest.raises(ShapeError, match=r"weight must have shape \(2H, E\) = \(10, 4\)"):
        min_gru(x, h, weight[:, 1:], bias)
    with pytest.raises(ShapeError, match=r"bias must have shape \(2H,\) = \(10,\)"):
        min_gru(x, h, weight, bias[1:])


def test_a_min_gru_by_torchs_products_is_close(monkeypatch):
    """Where torch is the faster one in bfloat16: its product, and our scan behind it."""
    inputs = min_gru_inputs((9, 3, 5, 17))
    doubles = [tensor.detach().double().requires_grad_() for tensor in inputs]
    monkeypatch.setattr(kernels, "torch_is_faster", lambda: True)
    with torch.autocast("cpu", torch.bfloat16):
        y, h = min_gru(*inputs)
    assert (y.dtype, h.dtype) == (torch.bfloat16, torch.float32)
    found = outputs_and_gradients(in_bfloat16(min_gru), inputs)
    assert_close(found, outputs_and_gradients(min_gru_reference, doubles), 0.02)


@pytest.mark.parametrize(
    ("name", "kept"), [("lstm", "gates"), ("gru", "gates"), ("min_gru", "sums")]
)
def test_no_way_back_without_what_it_needs(name, kept):
    inputs = min_gru_inputs((3, 2, 4, 5)) if name == "min_gru" else inputs_of(name, (3, 2, 4, 5))
    x, *others = inputs
    offsets = torch.arange(4) * 2
    y, *_ = getattr(torch.ops.unrolled, name)(x.flatten(0, 1), *others, offsets, False)
    with pytest.raises(
        ShapeError, match=rf"{kept} must have shape \(6, ...\), kept by a call with"
    ):
        y.sum().backward()


def test_a_min_gru_reads_sequences_of_equal_length():
    x, h, weight, bias = min_gru_inputs((3, 2, 4, 5))
    offsets = torch.tensor([0, 2, 4, 5])
    with pytest.raises(ShapeError, match="falling from B = 2 to no less than 2, 5 in all"):
        torch.ops.unrolled.min_gru(x.flatten(0, 1)[:5], h, weight, bias, offsets, False)


def test_bfloat16_runs_in_float32_where_the_processor_does_not_multiply_it(monkeypatch):
    monkeypatch.setattr(kernels, "instruction_set", lambda: "portable")
    inputs = inputs_of("lstm", (9, 7, 5, 17))
    with torch.autocast("cpu", torch.bfloat16):
        found = lstm(*inputs)
    for one, two in zip(found, lstm(*inputs), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, two)


def test_without_kernels_torch_stands_in(monkeypatch):
    monkeypatch.setattr(kernels, "instruction_set", lambda: None)
    assert not kernels.status().compiled
    for name in CASES:
        inputs = inputs_of(name, (5, 3, 4, 6))
        assert kernels.precision(*inputs) is None
        assert_close(outputs_and_gradients(CASES[name].fast, inputs), exact(name, inputs), 1e-5)
    inputs = min_gru_inputs((5, 3, 4, 6))
    expected = outputs_and_gradients(min_gru_reference, inputs)
    assert_close(outputs_and_gradients(min_gru, inputs), expected, 1e-6)


def test_with_amx_torch_computes_in_bfloat16(monkeypatch):
    """Where its tiles are faster than the kernels; float32 stays with the kernels."""
    monkeypatch.setattr(kernels, "torch_is_faster", lambda: True)
    inputs = inputs_of("gru", (5, 3, 4, 6))
    assert kernels.precision(*inputs) == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert kernels.precision(*inputs) is None
    found = outputs_and_gradients(in_bfloat16(gru), inputs)
    assert_close(found, exact("gru", inputs), 0.03)
    assert kernels.status().recurrences == "compiled kernels; torch in bfloat16, where it is faster"


@pytest.mark.skipif("amx_bf16" not in kernels.available(), reason="no bfloat16 instructions")
@pytest.mark.parametrize(
    ("fastest", "chosen", "torch_is_faster"),
    [
        ("amx_bf16", "amx_bf16", False),
        ("avx512_bf16", "avx512_bf16", False),
        ("torch", "avx512_bf16", True),
        (None, "avx512_bf16", False),  # no AMX
    ],
)
def test_what_is_fastest_runs(fastest, chosen, torch_is_faster, monkeypatch):
    monkeypatch.delenv(kernels.VARIABLE, raising=False)
    monkeypatch.setattr(kernels, "_fastest", lambda: fastest)
    assert kernels.instruction_set.__wrapped__() == chosen
    assert kernels.torch_is_faster.__wrapped__() == torch_is_faster


@pytest.mark.skipif("amx_bf16" not in kernels.available(), reason="no bfloat16 instructions")
def test_tiles_that_multiply_wrongly_are_not_used(monkeypatch):
    real = kernels._Sample.on

    def wrong(sample, isa):
        run = real(sample, isa)
        return (lambda: run() * 1.1) if isa == "amx_bf16" else run

    monkeypatch.setattr(kernels._Sample, "on", wrong)
    assert kernels.available.__wrapped__() == kernels.INSTRUCTION_SETS[1:]


@pytest.mark.skipif("amx_bf16" not in kernels.available(), reason="no bfloat16 instructions")
def test_the_race_is_won_by_one_that_runs(monkeypatch):
    monkeypatch.setattr(kernels, "library", lambda: SimpleNamespace(unrolled_has_amx=lambda: 1))
    assert kernels._fastest.__wrapped__() in ("amx_bf16", "avx512_bf16", "torch")
    monkeypatch.setattr(kernels, "library", lambda: SimpleNamespace(unrolled_has_amx=lambda: 0))
    assert kernels._fastest.__wrapped__() is None


PROGRAM = """
import torch
from unrolled import kernels
from unrolled.ops.lstm import lstm
print(kernels.status())
y, h, c = lstm(*(torch.ones(s) for s in ((3, 2, 5), (2, 4), (2, 4), (16, 5), (16, 4), (16,))))
print(f"{y.sum():.4f}")
"""


def run(isa: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {kernels.VARIABLE: isa}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_an_instruction_set_can_be_forced():
    status, total = run("portable").stdout.splitlines()
    assert status == "compiled kernels (portable, forced by UNROLLED_ISA)"
    ones = [torch.ones(size) for size in ((3, 2, 5), (2, 4), (2, 4), (16, 5), (16, 4), (16,))]
    assert float(total) == pytest.approx(lstm_reference(*ones)[0].sum().item(), rel=1e-5)


def test_an_unknown_instruction_set_is_refused():
    assert "ConfigError: UNROLLED_ISA must be one of those that run here" in run("sse9").stderr


def test_tiny_numbers_are_zero_within_the_kernels_only(isa, threads):
    """A vanishing state ends at zero, not among numbers that are slow to compute with."""
    a, b = torch.full((300, 2, 33), 0.5), torch.zeros(300, 2, 33)
    y, _ = scan(a, b, torch.ones(2, 33))
    assert y[100].eq(0.5**101).all()
    assert not y[y.abs() < torch.finfo(torch.float32).tiny].any()
    assert (torch.full((5000,), 1e-40) * 1.0).all()
