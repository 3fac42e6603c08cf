"""The plumbing of a recurrence with a kernel, once: checks, packing, gradients, shapes, types.

A recurrence is its equations in a file of its own, and a `Recurrence` that describes its kernel.

Sequences of unequal length are given as torch packs them: the steps one after the other, `(N, E)`,
the longest sequence first, and `batch_sizes (T,)`, how many sequences have a step t.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.backends import mkldnn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.weak import WeakTensorKeyDictionary

from .. import kernels
from ..errors import ShapeError, TensorError
from .check import check_one_type, check_tensors, check_whole


@dataclass(frozen=True, eq=False)
class Recurrence:
    """A recurrence with a kernel: the operator `torch.ops.unrolled.<name>`, and what calls it.

    The kernel's two functions are called with the same arguments as those of any other, see
    `kernels/recurrence.h`: of weights, biases, parts of the state and what is kept there are two
    each, the second of them null where a recurrence has one. Forward turns the states before the
    first step into those after the last, backward the gradients of the last into those of the
    first. N rows in all: the steps one after the other.
    """

    name: str
    num_gates: int
    """G: weights are `(G * H, E)` and `(G * H, H)`, biases `(G * H,)`."""
    by_torch: Callable[..., tuple[Tensor, ...]]
    """Runs it where no kernel can: `(x, states, parameters, batch_sizes)`, and the flag."""
    states: tuple[str, ...] = ("h",)
    """Parts of the state, each `(B, H)`; the first is the output."""
    weights: tuple[str, ...] = ("weight_ih", "weight_hh")
    """The first is for the inputs; a second one reads the state."""
    biases: tuple[str, ...] = ("bias",)
    kept: tuple[tuple[str, int], ...] = ()
    """What forward keeps for the way back: name and width in H of each, `(N, width * H)`."""
    flag: str | None = None
    """A yes or no setting of the kernel."""
    any_lengths: bool = True
    """Whether sequences may be of unequal length."""

    def __post_init__(self) -> None:
        num_states, flag = len(self.states), () if self.flag is None else (self.flag,)
        grad_states = [f"grad_{name}" for name in self.states]
        forward = torch.library.custom_op(
            f"unrolled::{self.name}",
            self._forward,
            mutates_args=(),
            schema=_schema(
                ("x", *self.states, *self.weights, *self.biases, "offsets"),
                (*flag, "train"),
                1 + num_states + len(self.kept),
            ),
        )
        kept = [name for name, _ in self.kept]
        backward = torch.library.custom_op(
            f"unrolled::{self.name}_backward",
            self._backward,
            mutates_args=(),
            schema=_schema(
                ("x", *self.states, *self.weights, "offsets", *kept, "y", "grad_y", *grad_states),
                (*flag, "wants_x"),
                1 + num_states + len(self.weights) + len(self.biases),
            ),
        )
        forward.register_fake(self._forward_shapes)
        backward.register_fake(self._backward_shapes)
        forward.register_autograd(self._gradients, setup_context=self._save)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return "x", *self.states, *self.weights, *self.biases

    def __call__(
        self,
        x: Tensor,
        states: tuple[Tensor, ...],
        parameters: tuple[Tensor, ...],
        batch_sizes: Tensor | None = None,
        flag: bool | None = None,
    ) -> tuple[Tensor, ...]:
        """Runs the recurrence over sequences, fast.

        Under bfloat16 autocast the products are in bfloat16 where `kernels.bfloat16_works()`; sums,
        states and weights stay in float32, and y is bfloat16.

        Args:
            x: Inputs, `(T, B, E)`; with `batch_sizes` `(N, E)`.
            states: Before the first step, `(B, H)` each.
            parameters: Weights, then biases.

        Returns:
            y: The first state after every step, `(T, B, H)` or `(N, H)`.
            states: After the last step, `(B, H)` each.

        Raises:
            ShapeError: the arguments do not belong together.
            TensorError: one is no tensor, of another type, or on another device.
        """
        self._check(x, states, parameters, batch_sizes)
        flags = () if flag is None else (flag,)
        dtype = kernels.precision(x, *parameters)
        if dtype is None:
            return self.by_torch(x, states, parameters, batch_sizes, *flags)
        rows, offsets = _flatten(x, len(states[0]), batch_sizes)
        run = kernels.operator(getattr(torch.ops.unrolled, self.name), self._forward)
        before = (state.float() for state in states)
        train = torch.is_grad_enabled()
        y, *others = run(rows.to(dtype), *before, *parameters, offsets, *flags, train)
        y = y if x.dim() == 2 else y.unflatten(0, x.shape[:2])
        return y, *others[: len(states)]

    def _check(
        self,
        x: Tensor,
        states: tuple[Tensor, ...],
        parameters: tuple[Tensor, ...],
        batch_sizes: Tensor | None,
    ) -> None:
        """Raises ShapeError or TensorError where one does not fit: a kernel does not check."""
        tensors = zip(self._names, (x, *states, *parameters), strict=True)
        check_tensors(**dict(tensors))
        if batch_sizes is not None:
            check_whole("batch_sizes", batch_sizes, torch.device("cpu"))
            if kernels.forward_mode():
                remedy = "Give sequences of equal length."
                rule = "None in forward-mode differentiation"
                raise TensorError("batch_sizes", rule, "a tensor", remedy)
        check_one_type(**dict(zip((*self.weights, *self.biases), parameters, strict=True)))
        if x.dim() != (3 if batch_sizes is None else 2):
            rule = "(T, B, E)" if batch_sizes is None else "(N, E) with batch sizes"
            raise ShapeError("x", rule, tuple(x.shape))
        if parameters[len(self.weights) - 1].dim() != 2:
            rule = f"({self.num_gates}H, {'EH'[len(self.weights) - 1]})"
            weight = parameters[len(self.weights) - 1]
            raise ShapeError(self.weights[-1], rule, tuple(weight.shape))
        weights, biases = _parts(parameters, len(self.weights))
        G, H = self.num_gates, len(weights[-1]) // self.num_gates
        for name, weight, letter, width in zip(
            self.weights, weights, "EH", (x.shape[-1], H), strict=False
        ):
            if weight.shape != (G * H, width):
                rule = f"({G}H, {letter}) = {(G * H, width)}"
                raise ShapeError(name, rule, tuple(weight.shape))
        for name, bias in zip(self.biases, biases, strict=True):
            if bias.shape != (G * H,):
                raise ShapeError(name, f"({G}H,) = {(G * H,)}", tuple(bias.shape))
        for state in states:
            if H == 0 or state.dim() != 2 or state.shape != (len(states[0]), H):
                raise ShapeError("state", f"(B, {H}) with H >= 1", tuple(state.shape))

    def _forward(self, x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
        """The kernel; `train` keeps what the way back needs."""
        states, weights, biases, rest = self._split(arguments)
        offsets, *flags, train = rest
        _check_offsets(offsets, len(x), len(states[0]), self.any_lengths)
        y, *others = self._empty(x, states, train)
        last, kept = _parts(others, len(states))
        rows, reuse = kernels.even(x, x.dtype), not train and len(offsets) == 2
        kernels.call(
            f"{self.name}_forward",
            x.dtype,
            *_sizes(offsets, rows, states, flags),
            rows,
            *_two(_pack(self, weight, x.dtype, reuse) for weight in weights),
            *_two(bias.contiguous() for bias in biases),
            *_two(after.copy_(before) for after, before in zip(last, states, strict=True)),
            *_two(kept if train else ()),
            y,
        )
        return y, *others

    def _empty(self, x: Tensor, states: Sequence[Tensor], train: bool) -> list[Tensor]:
        """y, the states after the last step, and what is kept."""
        (num_rows, _), hidden_size = x.shape, states[0].shape[1]
        num_kept = num_rows if train else 0
        return [
            x.new_empty(num_rows, hidden_size),
            *(state.new_empty(state.shape) for state in states),
            *(x.new_empty(num_kept, width * hidden_size) for _, width in self.kept),
        ]

    def _forward_shapes(self, x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
        return tuple(self._empty(x, arguments[: len(self.states)], arguments[-1]))

    def _split(self, arguments: Sequence[Any]) -> Iterator[Any]:
        """States, weights, biases, and what comes behind."""
        return _parts(arguments, len(self.states), len(self.weights), len(self.biases))

    def _backward(self, x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
        """Gradients of x, states, weights and biases."""
        num_states = len(self.states)
        states, weights, (offsets,), kept, (y, grad_y), grad_states, (*flags, wants_x) = _parts(
            arguments, num_states, len(self.weights), 1, len(self.kept), 2, num_states
        )
        for (name, _), tensor in zip(self.kept, kept, strict=True):
            if len(tensor) != len(y):  # the call had no gradients
                rule = f"({len(y)}, ...), kept by a call with gradients"
                raise ShapeError(name, rule, tuple(tensor.shape))
        rows, of_inputs = (kernels.even(tensor, x.dtype) for tensor in (x, weights[0]))
        weights = of_inputs, *(weight.contiguous() for weight in weights[1:])
        grad_x = rows.new_empty(rows.shape if wants_x else (0, rows.shape[1]))
        grad_states = [kernels.copy(grad) for grad in grad_states]
        grads = [torch.empty_like(weight) for weight in weights]
        biases = [states[0].new_empty(len(weights[0])) for _ in self.biases]
        kernels.call(
            f"{self.name}_backward",
            x.dtype,
            *_sizes(offsets, rows, states, flags),
            *(rows, *_two(weights), *_two(state.contiguous() for state in states), *_two(kept), y),
            *(grad_y.contiguous(), *_two(grad_states), grad_x if wants_x else None),
            *(*_two(grads), *_two(biases)),
        )
        grad_inputs, *others = grads
        input_size = x.shape[1]
        return grad_x[:, :input_size], *grad_states, grad_inputs[:, :input_size], *others, *biases

    def _backward_shapes(self, x: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
        states, weights, _ = _parts(arguments, len(self.states), len(self.weights))
        grad_x = x.new_empty(x.shape if arguments[-1] else (0, x.shape[1]))
        shaped = (tensor.new_empty(tensor.shape) for tensor in (*states, *weights))
        biases = (states[0].new_empty(len(weights[0])) for _ in self.biases)
        return grad_x, *shaped, *biases

    def _save(self, ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, *arguments = inputs
        states, weights, biases, (offsets, *ctx.flags, _) = self._split(arguments)
        y, *others = output
        kept = others[len(states) :]
        ctx.save_for_backward(*biases, x, *states, *weights, offsets, *kept, y)
        ctx.set_materialize_grads(False)

    def _gradients(self, ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        biases, (*known, y) = _parts(ctx.saved_tensors, len(self.biases))
        num_states = len(self.states)
        without = [None] * (2 + len(ctx.flags))  # offsets, flags and train
        if torch.is_grad_enabled():
            *inputs, offsets = known[: 2 + num_states + len(self.weights)]
            run = partial(self._again, offsets, ctx.flags)
            found = kernels.gradients_by_torch(run, (*inputs, *biases), grads[: 1 + num_states])
            return *found, *without
        of_outputs = kernels.or_zeros(grads[: 1 + num_states], (y, *known[1 : 1 + num_states]))
        wants_x = ctx.needs_input_grad[0]
        run = getattr(torch.ops.unrolled, f"{self.name}_backward")
        grad_x, *others = run(*known, y, *of_outputs, *ctx.flags, wants_x)
        return grad_x if wants_x else None, *others, *without

    def _again(
        self, offsets: Tensor, flags: Sequence[bool], x: Tensor, *arguments: Tensor
    ) -> list[Tensor]:
        """y of all rows and the states after the last step, by torch's functions."""
        states, parameters = _parts(arguments, len(self.states))
        rows, sizes = x.to(parameters[0].dtype), offsets.diff()
        equal = len(rows) == len(sizes) * len(states[0])
        given = rows.unflatten(0, (len(sizes), -1)) if equal else rows
        with torch.autocast("cpu", enabled=False):
            y, *last = self.by_torch(given, states, parameters, None if equal else sizes, *flags)
        return [y.flatten(0, 1) if equal else y, *last]


def run_by_torch(
    run: Callable[..., tuple[Tensor, ...]],
    x: Tensor,
    states: tuple[Tensor, ...],
    parameters: tuple[Tensor, ...],
    batch_sizes: Tensor | None,
) -> tuple[Tensor, ...]:
    """One of torch's own layers: for other types and devices, and where nothing was compiled."""
    weight_ih, weight_hh, bias, *more = parameters
    if not torch.is_autocast_enabled("cpu"):
        x, states = x.to(bias.dtype), tuple(part.to(bias.dtype) for part in states)
    weights = weight_ih, weight_hh, bias, *(more or [torch.zeros_like(bias)])
    state = states[0][None] if len(states) == 1 else tuple(part[None] for part in states)
    given = (x, state) if batch_sizes is None else (x, batch_sizes, state)
    batch_first = (False,) if batch_sizes is None else ()
    train = torch.is_grad_enabled()
    with _without_one_dnn() if kernels.forward_mode() else nullcontext():
        y, *last = run(*given, weights, True, 1, 0.0, train, False, *batch_first)
    return y, *(part.squeeze(0) for part in last)


@contextmanager
def _without_one_dnn() -> Iterator[None]:
    """Its LSTM carries no tangents along; torch's other one does."""
    before = mkldnn.is_available() and mkldnn.enabled
    setattr(mkldnn, "enabled", False)  # noqa: B010  a property, unknown to type checkers
    try:
        yield
    finally:
        setattr(mkldnn, "enabled", before)  # noqa: B010


def _schema(tensors: Sequence[str], flags: Sequence[str], num_results: int) -> str:
    """The signature of an operator, as torch writes it."""
    arguments = [f"Tensor {name}" for name in tensors] + [f"bool {name}" for name in flags]
    return f"({', '.join(arguments)}) -> ({', '.join(['Tensor'] * num_results)})"


def _parts(values: Sequence[Any], *sizes: int) -> Iterator[Any]:
    """Cuts values into parts of the given sizes, and what is left."""
    for size in sizes:
        yield values[:size]
        values = values[size:]
    yield values


def _two(tensors: Iterable[Tensor]) -> tuple[Tensor | None, ...]:
    """One or two tensors, or none, as a kernel takes them: null for what is not there."""
    return (*tensors, None, None)[:2]


def _sizes(
    offsets: Tensor, rows: Tensor, states: Sequence[Tensor], flags: Sequence[bool]
) -> tuple[int | Tensor, ...]:
    """First arguments of every kernel: T, B, offsets, E, H and its flag."""
    batch_size, hidden_size = states[0].shape
    return len(offsets) - 1, batch_size, offsets, rows.shape[1], hidden_size, int(any(flags))


def _flatten(x: Tensor, batch_size: int, batch_sizes: Tensor | None) -> tuple[Tensor, Tensor]:
    """Rows of all steps, `(N, E)`, and where each step begins, `(T + 1,)` with N at the end.

    Raises:
        ShapeError: x has another batch size than the states, or nothing in it.
    """
    if batch_sizes is None:
        if x.shape[1] != batch_size or 0 in x.shape:
            raise ShapeError("x", f"(T, {batch_size}, E) with T >= 1", tuple(x.shape))
        # What is made while a graph is traced is no tensor for later calls.
        traced = torch.compiler.is_compiling() or type(x) is not Tensor
        make = _equal_offsets if traced else _kept_offsets
        return x.flatten(0, 1), make(x.shape[0], batch_size)
    if 0 in x.shape or batch_sizes.dim() != 1:
        rule = "(N, E) with N, E >= 1, and batch_sizes (T,)"
        raise ShapeError("x", rule, tuple(x.shape))
    return x, F.pad(batch_sizes.cumsum(0), (1, 0))


def _check_offsets(offsets: Tensor, num_rows: int, batch_size: int, any_lengths: bool) -> None:
    """Raises ShapeError where the steps are not those of all rows: a kernel does not check.

    Called by the operators, which have values where a graph has none.
    """
    places = offsets.tolist()
    sizes = [end - begin for begin, end in pairwise(places)]
    falling = all(size >= following for size, following in pairwise([*sizes, 1]))
    fits = sizes and sizes[0] == batch_size and (places[0], places[-1]) == (0, num_rows)
    if not fits or not falling or (not any_lengths and sizes[-1] != batch_size):
        lowest = 1 if any_lengths else batch_size
        rule = f"(T,), falling from B = {batch_size} to no less than {lowest}, {num_rows} in all"
        raise ShapeError("batch_sizes", rule, tuple(sizes))


def _equal_offsets(num_steps: int, batch_size: int) -> Tensor:
    return torch.arange(num_steps + 1) * batch_size


@lru_cache(64)
def _kept_offsets(num_steps: int, batch_size: int) -> Tensor:
    with torch.inference_mode(False):  # else no way back could remember them
        return _equal_offsets(num_steps, batch_size)


NUM_SAMPLES = 32
_packed: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
# Fused optimizers change weights without counting a new version.
register_optimizer_step_post_hook(lambda *_: _packed.clear())


def _pack(kernel: Recurrence, weight: Tensor, dtype: torch.dtype, reuse: bool) -> Tensor:
    """A weight `(gates * H, inputs)` as a kernel reads it on the way forward.

    With `reuse` it is kept for the next call: for a single step packing would cost more than the
    step. A weight that torch or an optimizer changed since is packed again; a change through
    `.data`, which torch does not count, is seen if it reaches one of the samples.
    """
    if not reuse or weight.is_inference() or not weight.is_contiguous():
        return kernels.pack(kernel.name, weight, dtype, kernel.num_gates)
    samples = weight.view(-1)[:: weight.numel() // NUM_SAMPLES + 1].tolist()
    key = weight._version, weight.data_ptr(), samples, dtype, kernels.instruction_set()
    found = _packed.get(weight)
    if found is None or found[0] != key:
        found = key, kernels.pack(kernel.name, weight, dtype, kernel.num_gates)
        _packed[weight] = found
    return found[1]
