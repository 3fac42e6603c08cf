"""N-grams as language models: the protocol, and the numbers of `KneserNey`."""

import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.errors import CheckpointError, ConfigError, ShapeError
from unrolled.models.base import select_rows, stack_states, state_from_tensors, state_to_tensors
from unrolled.models.ngram import NgramModel
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate

from .checks import check_other_shapes

torch.set_num_threads(1)
V = 23
ORDERS = (1, 2, 3, 5, 8)


def training_tokens() -> np.ndarray:
    generator = np.random.default_rng(0)
    ids = (generator.random(3000) ** 3 * V).astype(np.uint16)
    return np.concatenate([np.zeros(1, np.uint16), ids, np.zeros(1, np.uint16)])


@pytest.fixture(params=ORDERS)
def model(request):
    return NgramModel(estimate(count_ngrams(training_tokens(), request.param, V)))


def some_tokens(*size: int) -> Tensor:
    """Tokens of which many follow each other as in training, with boundaries among them."""
    start = 40 * torch.arange(size[0])[:, None]
    return torch.from_numpy(training_tokens().astype(np.int64))[start + torch.arange(size[1])]


def test_probabilities_sum_to_one(model):
    log_probs, _ = model.read(some_tokens(3, 20), model.initial_state(3))
    assert log_probs.shape == (3, 20, V)
    assert log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(3, 20), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cuts", [[1] * 20, [7, 13], [1, 3, 12, 4]])
def test_any_pieces_give_the_same_numbers(model, cuts):
    tokens = some_tokens(3, 21)
    whole, end = model.read(tokens[:, :-1], model.initial_state(3))
    scores, _ = model.score(tokens[:, :-1], tokens[:, 1:], model.initial_state(3))
    read_state = score_state = model.initial_state(3)
    read, scored = [], []
    pairs = zip(tokens[:, :-1].split(cuts, 1), tokens[:, 1:].split(cuts, 1), strict=True)
    for piece, following in pairs:
        log_probs, read_state = model.read(piece, read_state)
        piece_scores, score_state = model.score(piece, following, score_state)
        read.append(log_probs)
        scored.append(piece_scores)
    assert torch.equal(torch.cat(read, 1), whole)
    assert torch.equal(torch.cat(scored, 1), scores)
    assert torch.equal(read_state, end)
    assert torch.equal(score_state, end)


def test_scores_are_what_read_says_of_the_targets(model):
    tokens = some_tokens(4, 31)
    for targets in (tokens[:, 1:], tokens.flip(0)[:, 1:], tokens[:, :1].expand(4, 30)):
        scores, after_score = model.score(tokens[:, :-1], targets, model.initial_state(4))
        log_probs, after_read = model.read(tokens[:, :-1], model.initial_state(4))
        expected = log_probs.gather(-1, targets[..., None]).squeeze(-1)
        assert scores.dtype == torch.float32
        torch.testing.assert_close(scores, expected, rtol=1e-6, atol=1e-6)
        assert torch.equal(after_score, after_read)
        assert torch.equal(model.advance(tokens[:, :-1], model.initial_state(4)), after_read)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_scores_are_those_of_the_stream(order):
    model = NgramModel(estimate(count_ngrams(training_tokens(), order, V)))
    stream = training_tokens()[:500]
    rows = torch.from_numpy(stream.astype(np.int64))[None]
    scores, _ = model.score(rows[:, :-1], rows[:, 1:], model.initial_state(1))
    assert np.array_equal(scores[0].numpy(), model.kneser_ney.score_stream(stream))


def test_the_past_alone_decides_and_longer_ago_than_the_order_does_not():
    model = NgramModel(estimate(count_ngrams(training_tokens(), 3, V)))
    tokens = some_tokens(1, 20)
    tokens[:, 5:] = tokens[:, 5:].clamp(min=1)
    before, _ = model.read(tokens, model.initial_state(1))
    changed = tokens.clone()
    changed[:, 10] = 2 if tokens[0, 10] == 1 else 1
    after, _ = model.read(changed, model.initial_state(1))
    differs = (before != after).any(-1)[0]
    assert differs.nonzero().flatten().tolist() == [10, 11]


def test_a_boundary_forgets():
    model = NgramModel(estimate(count_ngrams(training_tokens(), 5, V)))
    tokens = some_tokens(2, 20)
    tokens[:, 9] = 0
    after, _ = model.read(tokens, model.initial_state(2))
    fresh, _ = model.read(tokens[:, 9:], model.initial_state(2))
    assert torch.equal(after[:, 9:], fresh)


def test_rows_of_a_batch_are_independent(model):
    tokens = some_tokens(3, 20)
    following = tokens.roll(-1, 1)
    together, end = model.score(tokens, following, model.initial_state(3))
    for row in range(3):
        one = slice(row, row + 1)
        alone, state = model.score(tokens[one], following[one], model.initial_state(1))
        assert torch.equal(alone[0], together[row])
        assert torch.equal(state[0], end[row])


def test_states_join_reorder_and_come_back_from_disk(model):
    states = [
        model.read(some_tokens(3, 15)[row : row + 1, : 2 + 6 * row], model.initial_state(1))[1]
        for row in range(3)
    ]
    following = some_tokens(3, 6)
    alone = [model.read(following[row : row + 1], state)[0] for row, state in enumerate(states)]
    rows = torch.tensor([2, 0, 1, 1])
    joined = select_rows(stack_states(states), rows)
    restored = state_from_tensors(model.initial_state(1), state_to_tensors(joined))
    assert torch.equal(model.read(following[rows], restored)[0], torch.cat(alone)[rows])


def test_the_given_state_stays_as_it_was(model):
    _, state = model.read(some_tokens(2, 9), model.initial_state(2))
    copy = state.clone()
    _, after = model.read(some_tokens(2, 4), state)
    after.fill_(0)
    assert torch.equal(state, copy)


def test_the_state_is_the_last_tokens():
    model = NgramModel(estimate(count_ngrams(training_tokens(), 4, V)))
    assert model.initial_state(2).tolist() == [[-1, -1, -1]] * 2
    assert model.initial_state(2).dtype == torch.int64
    _, state = model.read(torch.tensor([[0, 5]]), model.initial_state(1))
    assert state.tolist() == [[-1, 0, 5]]
    _, state = model.read(torch.tensor([[6, 7, 8, 9]]), state)
    assert state.tolist() == [[7, 8, 9]]


def test_a_saved_model_is_the_same(tmp_path):
    model = NgramModel(estimate(count_ngrams(training_tokens(), 4, V)))
    model.save(tmp_path / "model.safetensors")
    loaded = NgramModel.load(tmp_path / "model.safetensors")
    tokens = some_tokens(2, 20)
    expected, _ = model.read(tokens, model.initial_state(2))
    assert torch.equal(loaded.read(tokens, loaded.initial_state(2))[0], expected)
    assert (loaded.order, loaded.vocab_size, loaded.notes) == (4, V, model.notes)
    assert loaded.num_parameters() == sum(len(level.keys) for level in model.kneser_ney.levels)
    missing = re.escape(str(tmp_path / "none"))
    with pytest.raises(CheckpointError, match=f"^{missing} does not exist. Check the name.$"):
        NgramModel.load(tmp_path / "none")


def test_more_order_knows_the_training_text_better():
    tokens = torch.from_numpy(training_tokens().astype(np.int64))[None]
    costs = []
    for order in (1, 2, 3):
        model = NgramModel(estimate(count_ngrams(training_tokens(), order, V)))
        scores, _ = model.score(tokens[:, :-1], tokens[:, 1:], model.initial_state(1))
        costs.append(-scores.mean().item())
    assert costs[0] < math.log(V)
    assert costs == sorted(costs, reverse=True)
    assert costs[2] < 0.9 * costs[0]


@pytest.mark.parametrize("wrong", [-1, V])
def test_ids_outside_the_vocabulary_are_refused(model, wrong):
    message = (
        f"tokens must be ids from 0 to 22, got {wrong}. "
        "Encode the text with the model's own tokenizer."
    )
    good, bad = torch.tensor([[0, 1]]), torch.tensor([[1, wrong]])
    calls = [
        lambda: model.score(good, bad, model.initial_state(1)),
        lambda: model.read(bad, model.initial_state(1)),
        lambda: model.score(bad, good, model.initial_state(1)),
    ]
    for call in calls:
        with pytest.raises(ConfigError) as caught:
            call()
        assert str(caught.value) == message


@pytest.mark.parametrize("size", [(3,), (3, 0)])
def test_tokens_of_another_shape_are_refused(model, size):
    check_other_shapes(model, size)


def test_targets_and_states_of_another_shape_are_refused(model):
    tokens = some_tokens(3, 5)
    with pytest.raises(ShapeError) as caught:
        model.score(tokens, tokens[:, 1:], model.initial_state(3))
    assert str(caught.value) == "targets must have shape (B, T) = (3, 5), got (3, 4)."
    width = model.order - 1
    with pytest.raises(ShapeError) as caught:
        model.read(tokens, model.initial_state(2))
    assert str(caught.value) == (
        f"state must have shape (B, N - 1) = (3, {width}), got (2, {width})."
    )
