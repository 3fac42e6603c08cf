"""What every neural language model promises, see `models/base.py`."""

import math

import pytest
import torch
from torch import Tensor

from unrolled.errors import ShapeError
from unrolled.models.base import (
    map_state,
    select_rows,
    stack_states,
    state_from_tensors,
    state_to_tensors,
)
from unrolled.models.recurrent import RecurrentModel
from unrolled.models.transformer import TransformerModel
from unrolled.settings.models import RecurrentConfig, TransformerConfig

from .checks import check_other_shapes

torch.set_num_threads(1)
V = 23
VARIANTS = {
    "residual": ("mingru", {"num_layers": 3, "connections": "residual"}),
    "sum": ("gru", {"connections": "sum"}),
    "layer-norm": ("lstm", {"layer_norm": True}),
    "zoneout": ("lstm", {"zoneout": 0.1, "state_dropout": 0.1}),
    "attention": ("lstm", {"attention": 5, "hidden_size": 18}),
    "lookahead": ("rnn", {"lookahead": 0.3}),
}
"""Remedies: the kind that has them, and their settings."""
PLAIN = ("rnn", "gru", "lstm", "mingru", "transformer", *VARIANTS)
KINDS = ("relu-rnn", *PLAIN)


def make(kind: str, **settings) -> torch.nn.Module:
    torch.manual_seed(0)
    if kind == "transformer":
        sizes = {"hidden_size": 24, "num_layers": 2, "num_heads": 3, "context": 5}
        return TransformerModel(TransformerConfig(**(sizes | settings)), V)
    sizes = {"embedding_size": 12, "hidden_size": 17, "num_layers": 2}
    if kind == "relu-rnn":
        kind, settings = "rnn", settings | {"nonlinearity": "relu"}
    kind, own = VARIANTS.get(kind, (kind, {}))
    return RecurrentModel(RecurrentConfig(kind=kind, **(sizes | own | settings)), V)


@pytest.fixture(params=KINDS)
def model(request) -> torch.nn.Module:
    """A model whose predictions differ widely, as those of a trained one do."""
    made = make(request.param).eval()
    with torch.no_grad():
        made.embedding.weight.normal_()
        made.embedding.bias.normal_()
        for name, parameter in made.named_parameters():
            if ".attention." in name or ".feed." in name:
                parameter.mul_(2)
    return made


def random_tokens(*size: int) -> Tensor:
    return torch.randint(V, size, generator=torch.Generator().manual_seed(1))


def assert_states_close(one, two) -> None:
    map_state(lambda a, b: torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5) or a, one, two)


@torch.no_grad()
def test_probabilities_sum_to_one(model):
    log_probs, _ = model.read(random_tokens(3, 20), model.initial_state(3))
    assert log_probs.shape == (3, 20, V)
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(3, 20), rtol=0, atol=1e-6)
    assert log_probs.std() > 0.5


@torch.no_grad()
@pytest.mark.parametrize("cuts", [[1] * 20, [7, 13], [1, 3, 12, 4]])
def test_any_pieces_give_the_same_numbers(model, cuts):
    tokens = random_tokens(3, 20)
    whole, end = model.read(tokens, model.initial_state(3))
    state, pieces = model.initial_state(3), []
    for piece in tokens.split(cuts, 1):
        log_probs, state = model.read(piece, state)
        pieces.append(log_probs)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=1e-5, atol=1e-5)
    assert_states_close(state, end)


@torch.no_grad()
@pytest.mark.parametrize("place", [0, 8, 19])
def test_the_past_alone_decides(model, place):
    tokens = random_tokens(3, 20)
    before, _ = model.read(tokens, model.initial_state(3))
    tokens[:, place] = (tokens[:, place] + 1) % V
    after, _ = model.read(tokens, model.initial_state(3))
    assert torch.equal(before[:, :place], after[:, :place])
    assert not torch.isclose(before[:, place], after[:, place]).all(-1).any()


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("num_steps", [1, 20])
def test_scores_are_what_read_says_of_the_targets(model, gradients, num_steps):
    tokens, targets = random_tokens(3, num_steps), random_tokens(3, num_steps).flip(0)
    with torch.set_grad_enabled(gradients):
        scores, after_score = model.score(tokens, targets, model.initial_state(3))
        log_probs, after_read = model.read(tokens, model.initial_state(3))
        advanced = model.advance(tokens, model.initial_state(3))
    expected = log_probs.gather(-1, targets[..., None]).squeeze(-1)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)
    assert scores.requires_grad == gradients
    assert_states_close(after_score, after_read)
    assert_states_close(advanced, after_read)


def test_every_parameter_learns_from_the_loss(model):
    tokens = random_tokens(3, 20)
    loss, _, _ = model.loss(tokens[:, :-1], tokens[:, 1:], model.initial_state(3))
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@torch.no_grad()
def test_rows_of_a_batch_are_independent(model):
    tokens = random_tokens(3, 20)
    together, _ = model.read(tokens, model.initial_state(3))
    for row in range(3):
        alone, _ = model.read(tokens[row : row + 1], model.initial_state(1))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_texts_of_different_lengths_join_split_and_reorder(model):
    lengths, following = [2, 11, 4], random_tokens(3, 6)
    alone, states = [], []
    for row, length in enumerate(lengths):
        _, state = model.read(random_tokens(1, length), model.initial_state(1))
        states.append(state)
        alone.append(model.read(following[row : row + 1], state)[0])
    rows = torch.tensor([2, 0, 1, 1])
    joined, _ = model.read(following[rows], select_rows(stack_states(states), rows))
    expected = torch.cat(alone)[rows]
    torch.testing.assert_close(joined, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_saved_state_goes_on_exactly(model):
    tokens = random_tokens(3, 20)
    _, state = model.read(tokens[:, :13], model.initial_state(3))
    tensors = state_to_tensors(state)
    assert all(tensor.is_contiguous() for tensor in tensors.values())
    restored = state_from_tensors(model.initial_state(1), tensors)
    expected, _ = model.read(tokens[:, 13:], state)
    found, _ = model.read(tokens[:, 13:], restored)
    assert torch.equal(found, expected)


@torch.no_grad()
def test_reading_leaves_the_given_state_as_it_was(model):
    _, state = model.read(random_tokens(2, 9), model.initial_state(2))
    copies = {name: tensor.clone() for name, tensor in state_to_tensors(state).items()}
    model.read(random_tokens(2, 4), state)
    for name, tensor in state_to_tensors(state).items():
        assert torch.equal(tensor, copies[name])


def test_bfloat16_is_close_and_the_state_stays_float32(model):
    tokens = random_tokens(3, 20)
    expected, _ = model.score(tokens, tokens, model.initial_state(3))
    with torch.autocast("cpu", torch.bfloat16):
        found, state = model.score(tokens, tokens, model.initial_state(3))
        one, _ = model.read(tokens[:, :1], state)
        loss, main, _ = model.loss(tokens, tokens, model.initial_state(3))
    assert found.dtype == one.dtype == torch.float32
    assert {t.dtype for t in state_to_tensors(state).values()} <= {torch.float32, torch.int64}
    assert (found - expected).norm() < 0.03 * expected.norm()
    torch.testing.assert_close(main, -found.mean())
    loss.backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in model.parameters())


# The relu network is left out of these two: its states, and so its logits, have no bound. Nor have
# those of minGRU, which add up over residual layers.
@pytest.mark.parametrize("kind", PLAIN)
def test_an_untrained_model_knows_next_to_nothing(kind):
    tokens = random_tokens(3, 50)
    model = make(kind).eval()
    scores, _ = model.score(tokens, tokens.roll(1, 1), model.initial_state(3))
    assert -scores.mean().item() == pytest.approx(math.log(V), abs=0.1)


@torch.no_grad()
@pytest.mark.parametrize("kind", [kind for kind in PLAIN if kind != "residual"])
def test_the_output_bias_is_the_start(kind):
    log_probs = torch.randn(V).mul(2).log_softmax(0)
    model = make(kind).eval()
    model.set_output_bias(log_probs)
    found, _ = model.read(random_tokens(3, 20), model.initial_state(3))
    assert (found - log_probs).abs().mean() < 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeated_sequence_is_learnt_by_heart(kind):
    model = make(kind, hidden_size=48).train()
    tokens = random_tokens(1, 12).repeat(4, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        scores, _ = model.score(tokens[:, :-1], tokens[:, 1:], model.initial_state(4))
        loss = -scores[:, 12:].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scores, _ = model.eval().score(tokens[:, :-1], tokens[:, 1:], model.initial_state(4))
    assert -scores[:, 12:].mean() < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_counted_once(kind):
    model = make(kind)
    assert model.num_parameters() == sum(p.numel() for p in model.state_dict().values())
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@pytest.mark.parametrize("size", [(3,), (3, 0)])
def test_tokens_of_another_shape_are_refused(model, size):
    check_other_shapes(model, size)


def test_targets_of_another_shape_are_refused(model):
    with pytest.raises(ShapeError) as caught:
        model.score(random_tokens(3, 5), random_tokens(3, 4), model.initial_state(3))
    assert str(caught.value) == "targets must have shape (B, T) = (3, 5), got (3, 4)."


def test_a_state_of_another_batch_is_refused(model):
    with pytest.raises(ShapeError, match="^state must have shape "):
        model.read(random_tokens(3, 5), model.initial_state(2))
