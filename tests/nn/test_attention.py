import pytest
import torch
from torch.nn import functional as F

from unrolled.nn.attention import Attention, SwiGLU, attend, rotary_angles, rotate, window_mask

torch.set_num_threads(1)


def test_rotated_products_depend_on_the_distance_alone():
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)

    def product(query_at: int, key_at: int) -> torch.Tensor:
        turned = [
            rotate(x, *rotary_angles(torch.tensor([[at]]), 8))
            for x, at in ((query, query_at), (key, key_at))
        ]
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(product(7, 3), product(1_000_004, 1_000_000), rtol=1e-9, atol=0)
    assert abs(product(7, 3) - product(7, 4)) > 1e-3
    torch.testing.assert_close(product(5, 5), (query * key).sum())


def test_rotation_is_that_of_complex_numbers():
    x = torch.randn(2, 3, 4, 8, dtype=torch.float64)
    positions = torch.randint(1000, (2, 3))
    turned = rotate(x, *rotary_angles(positions, 8))
    for pair in range(4):
        number = torch.complex(x[..., pair], x[..., pair + 4])
        angle = positions[:, :, None].double() * 10000.0 ** (-2 * pair / 8)
        expected = number * torch.polar(torch.ones_like(angle), angle)
        torch.testing.assert_close(turned[..., pair], expected.real)
        torch.testing.assert_close(turned[..., pair + 4], expected.imag)


def test_window_mask_by_hand():
    mask = window_mask(num_new=2, num_kept=3, context=2, counts=torch.tensor([3, 1, 0]))
    assert mask.squeeze(1).int().tolist() == [
        [[0, 1, 1, 1, 0], [0, 0, 1, 1, 1]],
        [[0, 0, 1, 1, 0], [0, 0, 1, 1, 1]],
        [[0, 0, 0, 1, 0], [0, 0, 0, 1, 1]],
    ]


def test_attention_equals_its_formula():
    torch.manual_seed(0)
    layer, x = Attention(12, 3).double(), torch.randn(2, 5, 12, dtype=torch.float64)
    gains = torch.rand(2, 4, dtype=torch.float64) + 0.5
    layer.query_norm.weight.data, layer.key_norm.weight.data = gains
    empty = torch.zeros(2, 4, 3, 4, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.int64)
    cos, sin = rotary_angles(torch.arange(5).expand(2, 5), 4)
    mask = window_mask(5, 0, 4, counts)
    y, keys, values = layer(x, empty, empty, cos, sin, mask)
    query, key, value = F.linear(x, layer.query_key_value.weight).view(2, 5, 3, 3, 4).unbind(2)
    query = rotate(F.rms_norm(query, (4,), gains[0], 1e-6), cos, sin)
    key = rotate(F.rms_norm(key, (4,), gains[1], 1e-6), cos, sin)
    scores = torch.einsum("bthd,bshd->bhts", query, key) / 2
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    heads = torch.einsum("bhts,bshd->bthd", weights, value).flatten(2)
    torch.testing.assert_close(y, heads @ layer.output.weight.T)
    torch.testing.assert_close(keys, key[:, 1:])
    torch.testing.assert_close(values, value[:, 1:])


@pytest.mark.parametrize("width", [10, 64, 200])
def test_bfloat16_attention_equals_the_fused_one_and_has_its_gradients(width):
    """Rows differ in what they may see; queries and keys share a direction, so scores are large."""
    torch.manual_seed(0)
    mask = window_mask(7, 12, 9, torch.tensor([12, 5, 0]))
    query, keys, values = (torch.randn(3, T, 2, width) for T in (7, 19, 19))
    shared = torch.randn(width)
    inputs = [x.to(torch.bfloat16) for x in (query + shared, keys + shared, values)]
    grad = torch.randn(query.shape)
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        given = [x.to(dtype).requires_grad_() for x in inputs]
        y = attend(*given, mask)
        assert y.dtype == dtype
        y.backward(grad.to(dtype))
        results.append([y.float(), *(x.grad.float() for x in given)])
    for expected, found in zip(*results, strict=True):
        assert (found - expected).norm() < 0.02 * expected.norm()


def test_swiglu_equals_its_formula():
    layer, x = SwiGLU(48), torch.randn(3, 48)
    gate, value = layer.gate_value.weight.split(128)
    expected = (F.silu(x @ gate.T) * (x @ value.T)) @ layer.output.weight.T
    torch.testing.assert_close(layer(x), expected)
