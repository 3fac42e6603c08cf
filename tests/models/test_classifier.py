"""The recurrent classifier: padding, pieces and directions change only what they should."""

import pytest
import torch

from unrolled.errors import ConfigError
from unrolled.models import classifier
from unrolled.models.classifier import PARTS, Pool, RecurrentClassifier, reverse
from unrolled.settings.models import ClassifierConfig

KINDS = ("rnn", "gru", "lstm", "mingru")


def make(**settings) -> RecurrentClassifier:
    torch.manual_seed(0)
    values = {"embedding_size": 5, "hidden_sizes": (6, 4)} | settings
    return RecurrentClassifier(ClassifierConfig(11, values.pop("num_classes", 3), **values))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["last", "max", "mean", "all"])
def test_padding_changes_nothing(kind, pooling):
    model = make(kind=kind, pooling=pooling).eval()
    tokens = torch.randint(1, 11, (3, 9))
    lengths = torch.tensor([9, 4, 1])
    together = model(tokens, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = model(tokens[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone)
    torch.testing.assert_close(together.exp().sum(1), torch.ones(3))


def test_padding_gets_no_gradient():
    model = make().eval()
    tokens = torch.tensor([[1, 2, 3, 4], [5, 6, 9, 9]])  # 9 stands behind the end only
    model(tokens, torch.tensor([4, 2])).sum().backward()
    norms = model.embedding.weight.grad.norm(dim=1)
    assert (norms[[1, 2, 3, 4, 5, 6]] > 0).all()
    assert norms[9] == 0


def test_without_masks_padding_counts():
    model = make(pooling="last", bidirectional=False).eval()
    tokens = torch.tensor([[1, 2, 0, 0, 0]])
    masked, unmasked = (model(tokens, torch.tensor([length])) for length in (2, 5))
    assert (masked - unmasked).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_with_carried_state_give_the_same(kind, monkeypatch):
    model = make(kind=kind).eval()
    tokens, lengths = torch.randint(1, 11, (4, 23)), torch.tensor([23, 8, 7, 15])
    whole = model(tokens, lengths)
    monkeypatch.setattr(classifier, "PIECE", 8)
    torch.testing.assert_close(model(tokens, lengths), whole)


def test_gradients_reach_back_over_pieces_until_memory_is_short(monkeypatch):
    monkeypatch.setattr(classifier, "PIECE", 4)
    monkeypatch.setattr(classifier, "GRADIENT_TOKENS", 8)
    model = make(bidirectional=False, pooling="mean").eval()
    tokens = torch.tensor([[1] * 4 + [2] * 4 + [3] * 4])
    model(tokens, torch.tensor([12])).sum().backward()
    norms = model.embedding.weight.grad.norm(dim=1)
    assert norms[1] == 0
    assert norms[2] > 0 and norms[3] > 0


def test_reversing_keeps_padding_in_its_place():
    tokens = torch.tensor([[1, 2, 3, 0, 0], [1, 2, 3, 4, 5]])
    expected = torch.tensor([[3, 2, 1, 0, 0], [5, 4, 3, 2, 1]])
    assert torch.equal(reverse(tokens, torch.tensor([3, 5])), expected)


def test_vectors_turn_around_like_the_words_they_stand_for():
    tokens, lengths = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]]), torch.tensor([3, 5])
    vectors = torch.stack([tokens, 10 * tokens], 2).float()
    turned = reverse(tokens, lengths)
    assert torch.equal(reverse(vectors, lengths), torch.stack([turned, 10 * turned], 2).float())


@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_gradient_of_a_shift_is_that_of_the_words(bidirectional, monkeypatch):
    monkeypatch.setattr(classifier, "PIECE", 3)
    model = make(bidirectional=bidirectional, embedding_scale=1.5).eval()
    tokens, lengths = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0]]), torch.tensor([5, 2])
    shift = torch.zeros(2, 5, 5, requires_grad=True)
    plain = model(tokens, lengths)
    shifted = model(tokens, lengths, shift)
    torch.testing.assert_close(plain, shifted)
    shifted[:, 0].sum().backward()
    slopes = model.embedding.weight.grad / 1.5  # each word stands in one place
    torch.testing.assert_close(shift.grad[0], slopes[1:6])
    torch.testing.assert_close(shift.grad[1, :2], slopes[6:8])
    assert (shift.grad[1, 2:] == 0).all()


def test_a_shift_moves_the_words_of_both_directions():
    model = make(embedding_size=5).eval()
    tokens, lengths = torch.tensor([[1, 2, 3]]), torch.tensor([3])
    shift = torch.zeros(1, 3, 5)
    shift[0, 1] = (model.embedding.weight[7] - model.embedding.weight[2]).detach()
    other = model(torch.tensor([[1, 7, 3]]), lengths)
    torch.testing.assert_close(model(tokens, lengths, shift), other)


def test_the_second_direction_reads_from_the_end():
    model = make(pooling="last", hidden_sizes=(4,)).eval()
    forward, backward = model.encoders
    backward.load_state_dict(forward.state_dict())
    tokens, lengths = torch.tensor([[1, 2, 3, 0]]), torch.tensor([3])
    found = backward(tokens, lengths, model.embedding)
    expected = forward(torch.tensor([[3, 2, 1]]), lengths, model.embedding)
    torch.testing.assert_close(found, expected)


def test_pooling_by_hand():
    y = torch.arange(24.0).view(4, 2, 3)  # (T, B, H)
    lengths = torch.tensor([3, 1])
    y[1, 0] += 100  # the greatest is not the last
    last = torch.stack([y[2, 0], y[0, 1]])
    greatest = torch.stack([y[1, 0], y[0, 1]])
    mean = torch.stack([y[:3, 0].mean(0), y[0, 1]])
    expected = {"last": last, "max": greatest, "mean": mean}
    expected["all"] = torch.cat([last, greatest, mean], 1)
    for kind, vector in expected.items():
        pool = Pool(kind, lengths)
        pool.add(y[:2])
        pool.add(y[2:])
        torch.testing.assert_close(pool.vector(), vector)


@pytest.mark.parametrize("kind", ["last", "max", "mean", "all"])
def test_pooling_has_the_gradient_of_its_equations(kind):
    torch.manual_seed(0)
    y = torch.randn(7, 3, 5, dtype=torch.float32, requires_grad=True)
    lengths = torch.tensor([7, 4, 2])
    pool = Pool(kind, lengths)
    for piece in y.split(3):
        pool.add(piece)
    rows = [y[:length, row] for row, length in enumerate(lengths)]
    parts = {
        "last": torch.stack([row[-1] for row in rows]),
        "max": torch.stack([row.amax(0) for row in rows]),
        "mean": torch.stack([row.mean(0) for row in rows]),
    }
    expected = torch.cat([parts[part] for part in PARTS[kind]], 1)
    mixture = torch.randn(expected.shape)
    torch.testing.assert_close(pool.vector(), expected)
    found = torch.autograd.grad(pool.vector(), y, mixture)[0]
    torch.testing.assert_close(found, torch.autograd.grad(expected, y, mixture)[0])


def test_padding_of_any_value_is_not_pooled():
    y = torch.full((3, 2, 4), torch.inf)
    y[:, 0], y[0, 1] = 1, 2
    pool = Pool("all", torch.tensor([3, 1]))
    pool.add(y)
    assert pool.vector().tolist() == [[1.0] * 12, [2.0] * 12]


@pytest.mark.parametrize("pooling", ["last", "max", "mean", "all"])
def test_bfloat16_pools_in_float32(pooling):
    model = make(pooling=pooling).eval()
    tokens, lengths = torch.randint(1, 11, (4, 9)), torch.tensor([9, 7, 3, 1])
    gradients = []
    for precision in ("float32", "bfloat16"):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            log_probs = model(tokens, lengths)
        assert log_probs.dtype == torch.float32
        gradients.append(torch.autograd.grad(log_probs[:, 0].sum(), model.embedding.weight)[0])
    assert (gradients[0] - gradients[1]).norm() < 0.05 * gradients[0].norm()


def test_word_dropout_leaves_out_words_while_training_only():
    model = make(word_dropout=0.5)
    tokens = torch.ones(20, 30, dtype=torch.long)
    dropped = (model.embedding(tokens).abs().sum(2) == 0).float().mean()
    assert 0.4 < dropped < 0.6
    assert (model.eval().embedding(tokens).abs().sum(2) > 0).all()


def test_answers_draw_no_random_numbers():
    asked, learning = make(word_dropout=0.5).eval(), make(word_dropout=0.0)
    tokens = torch.ones(4, 30, dtype=torch.long)
    before = torch.get_rng_state()
    asked(tokens, torch.full((4,), 30))
    learning.embedding(tokens)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_is_added_to_words_is_not_rounded_with_them():
    model = make().eval()
    tokens, shift = torch.ones(2, 3, dtype=torch.long), torch.full((2, 3, 1), 1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        moved = model.embedding(tokens, shift) - model.embedding(tokens, 0 * shift)
    torch.testing.assert_close(moved, shift.expand_as(moved), rtol=0.02, atol=1e-7)


def test_two_classes_are_one_question():
    model = make(num_classes=2).eval()
    assert model.head.weight.shape[0] == 1
    log_probs = model(torch.tensor([[1, 2]]), torch.tensor([2]))
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(1))


def test_parameter_groups_go_from_the_output_to_the_words():
    model = make(kind="gru")
    groups = model.parameter_groups()
    assert sum(len(group) for group in groups) == len(list(model.parameters()))
    assert groups[0][0] is model.head.weight
    assert {p.shape for p in groups[1]} >= {(12, 6), (12, 4)}  # the upper layer, 6 -> 4
    assert groups[-1][0] is model.embedding.weight


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hidden_sizes": ()}, "hidden_sizes must be one or more widths"),
        ({"embedding_size": 0}, "embedding_size must be 1 or more, got 0"),
        ({"word_dropout": 1.0}, "word_dropout must be at least 0 and below 1, got 1.0"),
        (
            {"kind": "mingru", "weight_dropout": 0.1},
            "weight_dropout must be left at 0.0 for mingru, got 0.1",
        ),
    ],
)
def test_wrong_settings(settings, said):
    with pytest.raises(ConfigError) as caught:
        make(**settings)
    assert str(caught.value).startswith(said)
