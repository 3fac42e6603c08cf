import pytest
import torch

from unrolled.nn.embedding import TiedEmbedding

torch.set_num_threads(1)


@pytest.fixture
def tied() -> TiedEmbedding:
    torch.manual_seed(0)
    layer = TiedEmbedding(23, 5)
    torch.nn.init.normal_(layer.weight)
    layer.set_bias(torch.randn(23))
    return layer


def test_one_matrix_embeds_and_predicts(tied):
    tokens = torch.tensor([[3, 3, 22]])
    assert torch.equal(tied(tokens), tied.weight[tokens] * 5**0.5)
    hidden = torch.randn(1, 3, 5)
    logits = hidden @ tied.weight.T + tied.bias
    torch.testing.assert_close(tied.log_probs(hidden), logits.log_softmax(-1))


def test_it_reads_features_of_variance_one_and_begins_with_small_logits():
    torch.manual_seed(0)
    layer = TiedEmbedding(500, 64)
    assert layer(torch.arange(500)[None]).std().item() == pytest.approx(1, rel=0.02)
    assert layer.weight.norm(dim=1).mean().item() == pytest.approx(1, rel=0.02)


def test_scores_are_gathered_log_probs(tied):
    hidden, targets = torch.randn(3, 7, 5), torch.randint(23, (3, 7))
    expected = tied.log_probs(hidden).gather(-1, targets[..., None]).squeeze(-1)
    torch.testing.assert_close(tied.score(hidden, targets), expected)
    with torch.no_grad():
        torch.testing.assert_close(tied.score(hidden, targets), expected.detach())


def test_scores_and_their_gradients_equal_those_of_log_probs(tied):
    tied.double()
    hidden = torch.randn(3, 7, 5, dtype=torch.float64, requires_grad=True)
    targets, weights = torch.randint(23, (3, 7)), torch.randn(3, 7, dtype=torch.float64)
    inputs = (hidden, tied.weight, tied.bias)
    found = torch.autograd.grad((tied.score(hidden, targets) * weights).sum(), inputs)
    gathered = tied.log_probs(hidden).gather(-1, targets[..., None]).squeeze(-1)
    expected = torch.autograd.grad((gathered * weights).sum(), inputs)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)


def test_bfloat16_is_close(tied):
    hidden, targets = torch.randn(3, 7, 5), torch.randint(23, (3, 7))
    with torch.autocast("cpu", torch.bfloat16):
        log_probs, scores = tied.log_probs(hidden), tied.score(hidden, targets)
    assert log_probs.dtype == scores.dtype == torch.float32
    torch.testing.assert_close(log_probs, tied.log_probs(hidden), rtol=0.02, atol=0.05)
    torch.testing.assert_close(scores, tied.score(hidden, targets), rtol=0.02, atol=0.05)


def test_rare_symbols_of_a_large_vocabulary_are_not_magnified():
    torch.manual_seed(0)
    layer = TiedEmbedding(5000, 64)
    tokens = torch.arange(5000)[None]
    assert torch.equal(layer(tokens), layer.weight[tokens])
    assert layer(tokens).std().item() == pytest.approx(0.1, rel=0.02)
