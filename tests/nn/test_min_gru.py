"""minGRU against its equation, whole and in pieces."""

import torch

from unrolled import kernels
from unrolled.nn.min_gru import MinGRU


def test_it_is_its_equation():
    layer = MinGRU(5, 7)
    with torch.no_grad():
        layer.bias.normal_()
    x, h = torch.randn(6, 3, 5), torch.randn(3, 7)
    y, last = layer(x, h)
    weight_z, weight_h = layer.weight.split(7)
    bias_z, bias_h = layer.bias.split(7)
    for t in range(6):
        z = torch.sigmoid(x[t] @ weight_z.T + bias_z)
        h = (1 - z) * h + z * (x[t] @ weight_h.T + bias_h)
        torch.testing.assert_close(y[t], h, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(last, h, rtol=1e-5, atol=1e-6)


def test_pieces_with_carried_state_equal_the_whole():
    layer, x, h = MinGRU(5, 7), torch.randn(9, 3, 5), torch.zeros(3, 7)
    whole, _ = layer(x, h)
    pieces = []
    for piece in x.split(4):
        y, h = layer(piece, h)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces), whole, rtol=1e-5, atol=1e-6)


def test_bfloat16_keeps_a_float32_state():
    layer, x, h = MinGRU(5, 7), torch.randn(9, 3, 5), torch.zeros(3, 7)
    expected, _ = layer(x, h)
    with torch.autocast("cpu", torch.bfloat16):
        y, last = layer(x, h)
    assert y.dtype == (torch.bfloat16 if kernels.bfloat16_works() else torch.float32)
    assert last.dtype == torch.float32
    assert (y.float() - expected).norm() < 0.01 * expected.norm()
