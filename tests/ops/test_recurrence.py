"""Second and forward derivatives: kernels have none, so torch's functions compute them."""

from functools import partial

import pytest
import torch
from torch import Tensor

from unrolled import kernels
from unrolled.errors import TensorError
from unrolled.nn.lstm import LSTM
from unrolled.ops.dropout import dropout
from unrolled.ops.scan import scan, scan_reference

from .checks import calls

CALLS = calls()


def floating(arguments: list[Tensor]) -> list[int]:
    return [place for place, x in enumerate(arguments) if x.is_floating_point()]


def tuples(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def second_derivatives(operator, arguments: list[Tensor]) -> list[Tensor]:
    """First derivatives at everything of the results' squares, and those of a mixture of them.

    Each argument depends on the one before it, as the state of an upper layer does on a lower one.
    """
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in arguments]
    given, before = [], torch.zeros(())
    for x in leaves:
        given.append(x + 0.1 * before if x.is_floating_point() else x)
        before = x.sum() if x.is_floating_point() else before
    loss = sum(y.where(y.isfinite(), 0).square().sum() for y in tuples(operator(*given)))
    wanted = [x for x in leaves if x.requires_grad]
    first = torch.autograd.grad(loss, wanted, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), wanted)
    return [*first, *second]


@pytest.mark.parametrize("name", CALLS)
def test_gradients_can_be_differentiated_once_more(name):
    operator, reference, arguments = CALLS[name]
    if name == "embedding":  # no gradient flows into the factors
        *arguments, factors = arguments
        operator, reference = (
            partial(operator, factors=factors),
            partial(reference, factors=factors),
        )
    found = second_derivatives(operator, arguments)
    exact = [x.double() if x.is_floating_point() else x for x in arguments]
    for one, two in zip(found, second_derivatives(reference, exact), strict=True):
        assert (one - two).norm() <= 1e-5 * two.norm() + 1e-9


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_forward_differentiation_equals_the_references(name, gradients):
    operator, reference, arguments = CALLS[name]
    if name == "packed lstm":
        with pytest.raises(TensorError, match="batch_sizes must be None in forward-mode"):
            x = arguments[0]
            torch.func.jvp(lambda x: operator(x, *arguments[1:]), (x,), (x,))
        return
    for place in floating(arguments):

        def run(op, x, place=place):
            return op(*arguments[:place], x, *arguments[place + 1 :])

        x, tangent = arguments[place], torch.randn(arguments[place].shape)
        with torch.set_grad_enabled(gradients):
            found, expected = (
                torch.func.jvp(lambda x, op=op: tuples(run(op, x)), (x,), (tangent,))[1]
                for op in (operator, reference)
            )
        assert any(tangent.any() for tangent in expected)
        torch.testing.assert_close(tuples(found), tuples(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_dropout_is_differentiated_forward():
    torch.manual_seed(0)
    y, tangent = torch.func.jvp(lambda x: dropout(x, 0.5), (torch.ones(99),), (torch.ones(99),))
    assert torch.equal(y, tangent) and set(y.tolist()) == {0.0, 2.0}


def test_outside_of_it_kernels_run_again():
    assert not kernels.forward_mode()
    assert kernels.library() is None or kernels.supports(torch.device("cpu"), torch.float32)


def test_a_penalty_on_the_gradient_of_a_layer_can_be_trained():
    layer, x = LSTM(4, 5), torch.randn(3, 2, 4, requires_grad=True)
    y, *_ = layer(x, *torch.zeros(2, 2, 5))
    (gradient,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_bfloat16_gradients_can_be_differentiated_once_more():
    operator, _, arguments = CALLS["lstm"]
    expected = second_derivatives(operator, arguments)

    def in_bfloat16(*inputs: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast("cpu", torch.bfloat16):
            return tuple(y.float() for y in operator(*inputs))

    for one, two in zip(second_derivatives(in_bfloat16, arguments), expected, strict=True):
        assert (one - two).norm() <= 0.05 * two.norm()


@pytest.mark.parametrize("turned", range(3))
def test_a_scans_gradient_does_not_depend_on_how_its_arguments_lie(turned):
    """A transposed state once had the gradient of another layout."""
    inputs = [torch.rand(4, 2, 3), torch.rand(4, 2, 3), torch.rand(2, 3)]
    inputs[turned] = inputs[turned].transpose(-1, -2).contiguous().transpose(-1, -2)
    leaves = [x.detach().requires_grad_() for x in inputs]
    mixture = torch.rand(4, 2, 3)
    found = torch.autograd.grad((scan(*leaves)[0] * mixture).sum(), leaves)
    expected = torch.autograd.grad((scan_reference(*leaves)[0] * mixture).sum(), leaves)
    torch.testing.assert_close(found, expected)
