import pytest
import torch
from torch import Tensor, nn

from unrolled.ops.elman import elman, elman_reference

from .checks import (
    SHAPES,
    assert_bfloat16_is_close,
    assert_same,
    assert_step_by_step,
    random_inputs,
)

NONLINEARITIES = ("tanh", "relu")


def bind(op, nonlinearity):
    return lambda *inputs: op(*inputs, nonlinearity)


def torch_elman(nonlinearity, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    x, h, weight_ih, weight_hh, bias = inputs
    module = nn.RNN(x.shape[2], h.shape[1], nonlinearity=nonlinearity, dtype=x.dtype)
    weights = {"weight_ih_l0": weight_ih, "weight_hh_l0": weight_hh, "bias_ih_l0": bias}
    weights["bias_hh_l0"] = torch.zeros_like(bias)
    y, h = torch.func.functional_call(module, weights, (x, h[None]))
    return y, h[0]


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("start_state", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_reference_equals_torch(shape, start_state, nonlinearity):
    inputs = random_inputs(shape, 1, 1, start_state=start_state)
    reference = bind(elman_reference, nonlinearity)
    assert_same(reference, lambda *inputs: torch_elman(nonlinearity, *inputs), inputs, 1e-9, 1e-12)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
def test_reference_passes_gradcheck(nonlinearity):
    inputs = random_inputs((3, 2, 3, 4), 1, 1)
    assert torch.autograd.gradcheck(bind(elman_reference, nonlinearity), inputs)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("start_state", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_fast_path_equals_reference(shape, start_state, nonlinearity):
    inputs = random_inputs(shape, 1, 1, dtype=torch.float32, start_state=start_state)
    assert_same(bind(elman, nonlinearity), bind(elman_reference, nonlinearity), inputs, 1e-4, 1e-5)


@pytest.mark.parametrize("op", [elman, elman_reference])
def test_step_by_step_equals_whole(op):
    assert_step_by_step(op, random_inputs((9, 3, 5, 17), 1, 1, dtype=torch.float32), 1)


def test_bfloat16_is_close():
    assert_bfloat16_is_close(elman, random_inputs((9, 7, 5, 17), 1, 1, dtype=torch.float32))
