import pytest
import torch

from unrolled.errors import ShapeError
from unrolled.nn.gru import GRU
from unrolled.nn.lstm import LSTM
from unrolled.nn.stack import RecurrentStack

torch.set_num_threads(1)


def test_two_layers_equal_their_layers_in_turn():
    first, second = LSTM(5, 17), LSTM(17, 17)
    stack, x = RecurrentStack([first, second]), torch.randn(3, 6, 5)
    h, c = (torch.randn(3, 2, 17) for _ in range(2))
    y, (next_h, next_c) = stack(x, (h, c))
    below, *state_1 = first(x.transpose(0, 1), h[:, 0], c[:, 0])
    above, *state_2 = second(below, h[:, 1], c[:, 1])
    assert torch.equal(y, above.transpose(0, 1))
    assert torch.equal(next_h, torch.stack((state_1[0], state_2[0]), 1))
    assert torch.equal(next_c, torch.stack((state_1[1], state_2[1]), 1))


def test_states_have_the_batch_first():
    assert RecurrentStack([GRU(5, 17), GRU(17, 17)]).initial_state(3).shape == (3, 2, 17)
    parts = RecurrentStack([LSTM(5, 17)]).initial_state(3)
    assert [part.shape for part in parts] == [(3, 1, 17), (3, 1, 17)]


@pytest.mark.parametrize("place", ["input_dropout", "hidden_dropout", "output_dropout"])
def test_each_dropout_acts_in_training_only(place):
    torch.manual_seed(0)
    stack = RecurrentStack([GRU(5, 17), GRU(17, 17)], **{place: 0.5})
    x, state = torch.randn(3, 6, 5), stack.initial_state(3)
    y = stack(x, state)[0]
    assert not torch.equal(y, stack(x, state)[0])
    # Dropped outputs are the same at every step; other dropouts zero no output.
    zeros = y == 0
    assert torch.equal(zeros, zeros[:, :1].expand_as(zeros))
    assert bool(zeros.any()) == (place == "output_dropout")
    stack.eval()
    assert torch.equal(stack(x, state)[0], stack(x, state)[0])


@pytest.mark.parametrize("connections", ["residual", "sum"])
def test_connections_are_their_sums(connections):
    layers = [GRU(5, 17), GRU(17, 17), GRU(17, 17)]
    stack, x = RecurrentStack(layers, connections=connections), torch.randn(3, 6, 5)
    state = torch.randn(3, 3, 17)
    below, outputs = x.transpose(0, 1), []
    for number, layer in enumerate(layers):
        y = layer(below, state[:, number])[0]
        # The first layer is of another width than what it reads.
        below = y + below if connections == "residual" and number else y
        outputs.append(below)
    expected = sum(outputs) if connections == "sum" else outputs[-1]
    found, last = stack(x, state)
    torch.testing.assert_close(found, expected.transpose(0, 1))
    assert last.shape == state.shape


def test_residual_sums_stay_in_double_precision():
    layers = [GRU(17, 17).double(), GRU(17, 17).double()]
    stack = RecurrentStack(layers, connections="residual")
    x, state = torch.randn(3, 6, 17).double(), torch.randn(3, 2, 17).double()
    y = x.transpose(0, 1)
    for number, layer in enumerate(layers):
        y = layer(y, state[:, number])[0] + y
    torch.testing.assert_close(stack(x, state)[0], y.transpose(0, 1), rtol=1e-12, atol=1e-12)


def test_a_runner_runs_every_layer():
    stack, x = RecurrentStack([GRU(5, 17), GRU(17, 17)], connections="sum"), torch.randn(3, 6, 5)
    seen = []

    def run(layer, x, *states):
        seen.append(layer)
        return layer(x, *states)

    expected, _ = stack(x, stack.initial_state(3))
    assert torch.equal(stack(x, stack.initial_state(3), run)[0], expected)
    assert seen == list(stack.layers)


def test_a_state_of_another_batch_is_refused():
    stack = RecurrentStack([GRU(5, 17)])
    with pytest.raises(ShapeError) as caught:
        stack(torch.randn(3, 6, 5), stack.initial_state(2))
    assert str(caught.value) == "state must have shape (B, L, H) = (3, 1, 17), got (2, 1, 17)."
