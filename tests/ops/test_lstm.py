import pytest
import torch
from torch import Tensor, nn

from unrolled.ops.lstm import lstm, lstm_reference

from .checks import (
    SHAPES,
    assert_bfloat16_is_close,
    assert_same,
    assert_step_by_step,
    random_inputs,
)


def torch_lstm(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x, h, c, weight_ih, weight_hh, bias = inputs
    module = nn.LSTM(x.shape[2], h.shape[1], dtype=x.dtype)
    weights = {"weight_ih_l0": weight_ih, "weight_hh_l0": weight_hh, "bias_ih_l0": bias}
    weights["bias_hh_l0"] = torch.zeros_like(bias)
    y, (h, c) = torch.func.functional_call(module, weights, (x, (h[None], c[None])))
    return y, h[0], c[0]


@pytest.mark.parametrize("start_state", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_reference_equals_torch(shape, start_state):
    inputs = random_inputs(shape, 4, 2, start_state=start_state)
    assert_same(lstm_reference, torch_lstm, inputs, 1e-9, 1e-12)


def test_reference_passes_gradcheck():
    assert torch.autograd.gradcheck(lstm_reference, random_inputs((3, 2, 3, 4), 4, 2))


@pytest.mark.parametrize("start_state", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_fast_path_equals_reference(shape, start_state):
    inputs = random_inputs(shape, 4, 2, dtype=torch.float32, start_state=start_state)
    assert_same(lstm, lstm_reference, inputs, 1e-4, 1e-5)


@pytest.mark.parametrize("op", [lstm, lstm_reference])
def test_step_by_step_equals_whole(op):
    assert_step_by_step(op, random_inputs((9, 3, 5, 17), 4, 2, dtype=torch.float32), 2)


@pytest.mark.parametrize("num_steps", [1, 9])
def test_bfloat16_is_close(num_steps):
    inputs = random_inputs((num_steps, 7, 5, 17), 4, 2, dtype=torch.float32)
    assert_bfloat16_is_close(lstm, inputs)
