import pytest
import torch

from unrolled.config import RecurrentConfig
from unrolled.errors import ConfigError
from unrolled.models import recurrent
from unrolled.models.recurrent import RecurrentModel

torch.set_num_threads(1)
SIZES = {"embedding_size": 12, "hidden_size": 17}


def test_parameters_have_plain_names_and_shapes():
    model = RecurrentModel(RecurrentConfig(kind="lstm", num_layers=2, **SIZES), 23)
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == {
        "embedding.weight": (23, 12),
        "embedding.bias": (23,),
        "stack.layers.0.weight_ih": (68, 12),
        "stack.layers.0.weight_hh": (68, 17),
        "stack.layers.0.bias": (68,),
        "stack.layers.1.weight_ih": (68, 17),
        "stack.layers.1.weight_hh": (68, 17),
        "stack.layers.1.bias": (68,),
        "projection.weight": (12, 17),
    }


def test_equal_widths_need_no_projection():
    config = RecurrentConfig(kind="gru", embedding_size=17, hidden_size=17)
    assert not any("projection" in name for name in RecurrentModel(config, 23).state_dict())


def test_a_long_text_is_scored_in_pieces(monkeypatch):
    model = RecurrentModel(RecurrentConfig(**SIZES), 23)
    tokens = torch.randint(23, (2, 50))
    with torch.no_grad():
        expected, _ = model.score(tokens, tokens, model.initial_state(2))
        monkeypatch.setattr(recurrent, "PIECE", 7)
        found, _ = model.score(tokens, tokens, model.initial_state(2))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "dropout",
    ["input_dropout", "hidden_dropout", "output_dropout", "embedding_dropout", "weight_dropout"],
)
def test_each_dropout_of_the_config_acts_in_training_only(dropout):
    torch.manual_seed(0)
    model = RecurrentModel(RecurrentConfig(num_layers=2, **SIZES, **{dropout: 0.5}), 23)
    tokens = torch.randint(23, (2, 20))
    scores = [model.score(tokens, tokens, model.initial_state(2))[0] for _ in range(2)]
    assert not torch.equal(*scores)
    model.eval()
    scores = [model.score(tokens, tokens, model.initial_state(2))[0] for _ in range(2)]
    assert torch.equal(*scores)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0. Use a larger one."),
        ({"num_layers": -1}, "num_layers must be at least 1, got -1. Use a larger one."),
        (
            {"weight_dropout": 1.0},
            "weight_dropout must be at least 0 and below 1, got 1.0. Use for example 0.3.",
        ),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError) as caught:
        RecurrentModel(RecurrentConfig(**settings), 23)
    assert str(caught.value) == message
