import pytest
import torch

from unrolled.nn.dropout import embedding_dropout, locked_dropout, weight_dropout

torch.set_num_threads(1)
P = 0.3


def test_locked_dropout_keeps_its_mask_over_time_and_scales():
    torch.manual_seed(0)
    y = locked_dropout(torch.ones(9, 50, 40), P, training=True)
    assert torch.equal(y, y[:1].expand_as(y))
    assert torch.equal(y.unique(), torch.tensor([0.0, 1 / (1 - P)]))
    assert (y[0] == 0).float().mean().item() == pytest.approx(P, abs=0.03)
    assert not torch.equal(y[:, 0], y[:, 1])


def test_embedding_dropout_zeroes_whole_word_types():
    torch.manual_seed(0)
    tokens = torch.randint(200, (8, 500))
    y = embedding_dropout(tokens, 200, P, training=True)
    assert y is not None
    assert y.shape == tokens.shape
    dropped = y == 0
    types = set(tokens[dropped].tolist())
    assert types.isdisjoint(tokens[~dropped].tolist())
    assert len(types) / 200 == pytest.approx(P, abs=0.1)
    assert y[~dropped].unique().tolist() == pytest.approx([1 / (1 - P)])


def test_weight_dropout_drops_single_weights_and_their_gradients():
    torch.manual_seed(0)
    weight = torch.ones(200, 50, requires_grad=True)
    y = weight_dropout(weight, P, training=True)
    assert (y == 0).float().mean().item() == pytest.approx(P, abs=0.02)
    assert y.max().item() == pytest.approx(1 / (1 - P))
    y.sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad == 0, y == 0)


@pytest.mark.parametrize(("p", "training"), [(P, False), (0.0, True)])
def test_off_means_untouched(p, training):
    x, tokens = torch.randn(4, 3, 2), torch.zeros(4, 3, dtype=torch.int64)
    assert locked_dropout(x, p, training) is x
    assert embedding_dropout(tokens, 5, p, training) is None
    assert weight_dropout(x, p, training) is x
