"""`--size auto`: sizes by what is read, without a clock where none decides."""

import pytest

from unrolled.settings.presets import FEWEST_ROWS, GOOD_UPDATES, model_preset, rows_for
from unrolled.settings.training import Budget, TrainConfig
from unrolled.training import size
from unrolled.training.pace import Pace
from unrolled.training.size import (
    TOKENS_PER_PARAMETER,
    WORTHWHILE_EPOCHS,
    choose_size,
    num_weights,
)

V = 65
WEIGHTS = {name: num_weights(model_preset("lstm", name, V), V) for name in ("small", "medium")}


def tokens(amount: float) -> Budget:
    return Budget(amount, "tokens")


def test_weights_outside_the_embedding():
    # 4 gates read input and state, and have a bias; the state goes to the softmax by a matrix.
    input_size, hidden = 128, 256
    gates = 4 * hidden * (input_size + hidden + 1)
    assert gates < WEIGHTS["small"] < gates + hidden * (input_size + 2) + V + input_size


def test_a_larger_network_needs_more_tokens():
    enough = TOKENS_PER_PARAMETER * WEIGHTS["medium"]
    text = 100_000_000
    assert choose_size("lstm", tokens(0.99 * enough), text, V, {}, {})[0] == "small"
    assert choose_size("lstm", tokens(1.01 * enough), text, V, {}, {})[0] == "medium"
    assert choose_size("lstm", tokens(1e12), text, V, {}, {})[0] == "large"


def test_reading_a_small_text_again_and_again_does_not_count():
    text = int(0.99 * TOKENS_PER_PARAMETER * WEIGHTS["medium"] / WORTHWHILE_EPOCHS)
    for budget in (tokens(1e12), Budget(10_000, "epochs")):
        assert choose_size("lstm", budget, text, V, {}, {})[0] == "small"
    assert choose_size("lstm", tokens(1e12), round(1.02 * text), V, {}, {})[0] == "medium"


def test_by_the_clock_the_speed_of_each_size_decides(monkeypatch):
    asked = []

    def pace(model_config, config, vocab_size):
        asked.append((model_config.hidden_size, config.precision))
        return Pace("float32", 1, {256: 40_000.0, 512: 10_000.0}[model_config.hidden_size], 1)

    monkeypatch.setattr(size, "language_model_pace", pace)
    enough = TOKENS_PER_PARAMETER * WEIGHTS["medium"] / 10_000
    found = choose_size("lstm", Budget(0.9 * enough, "seconds"), 10**9, V, {}, {})
    assert (found, asked) == (("small", 64), [(256, "float32"), (512, "float32")])
    asked.clear()  # what is too much even at the speed of the smaller one is not built
    choose_size("lstm", Budget(0.2 * enough, "seconds"), 10**9, V, {}, {})
    assert asked == [(256, "float32")]


def test_where_the_width_is_decided_the_first_size_gives_the_rest():
    width = {"hidden_size": 4}  # the heads of larger sizes do not go into it
    assert choose_size("transformer", tokens(1e12), 10**9, V, width, {})[0] == "small"


@pytest.mark.parametrize("unit", ["tokens", "epochs"])
def test_without_a_clock_nothing_is_timed(monkeypatch, unit):
    monkeypatch.setattr(size, "language_model_pace", None)
    assert choose_size("gru", Budget(3, unit), 10**6, V, {}, {})


def test_few_tokens_are_read_in_few_rows():
    config = TrainConfig(batch_size=64, sequence_length=50)
    assert rows_for(GOOD_UPDATES * 64 * 50, config) == 64
    assert rows_for(GOOD_UPDATES * 64 * 50 - 1, config) == 32
    assert rows_for(100, config) == FEWEST_ROWS
    assert choose_size("lstm", tokens(1000), 10**6, V, {}, {"batch_size": 4})[1] == 4
