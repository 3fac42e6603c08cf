import pytest
import torch
from torch import Tensor, nn

from unrolled.ops.gru import gru, gru_reference

from .checks import (
    SHAPES,
    assert_bfloat16_is_close,
    assert_same,
    assert_step_by_step,
    random_inputs,
)


def torch_gru(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    x, h, weight_ih, weight_hh, bias_ih, bias_hh = inputs
    module = nn.GRU(x.shape[2], h.shape[1], dtype=x.dtype)
    weights = {"weight_ih_l0": weight_ih, "weight_hh_l0": weight_hh}
    weights |= {"bias_ih_l0": bias_ih, "bias_hh_l0": bias_hh}
    y, h = torch.func.functional_call(module, weights, (x, h[None]))
    return y, h[0]


@pytest.mark.parametrize("start_state", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_reference_equals_torch(shape, start_state):
    inputs = random_inputs(shape, 3, 1, num_biases=2, start_state=start_state)
    assert_same(gru_reference, torch_gru, inputs, 1e-9, 1e-12)


def test_reference_passes_gradcheck():
    inputs = random_inputs((3, 2, 3, 4), 3, 1, num_biases=2)
    assert torch.autograd.gradcheck(gru_reference, inputs)


@pytest.mark.parametrize("start_state", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_fast_path_equals_reference(shape, start_state):
    inputs = random_inputs(shape, 3, 1, 2, torch.float32, start_state)
    assert_same(gru, gru_reference, inputs, 1e-4, 1e-5)


@pytest.mark.parametrize("op", [gru, gru_reference])
def test_step_by_step_equals_whole(op):
    assert_step_by_step(op, random_inputs((9, 3, 5, 17), 3, 1, 2, torch.float32), 1)


def test_bfloat16_is_close():
    assert_bfloat16_is_close(gru, random_inputs((9, 7, 5, 17), 3, 1, 2, torch.float32))
