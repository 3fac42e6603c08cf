import pytest
import torch

from unrolled.errors import ConfigError
from unrolled.models import base
from unrolled.models.recurrent import RecurrentModel
from unrolled.nn.attention import rotary_angles
from unrolled.settings.models import RecurrentConfig

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
        monkeypatch.setattr(base, "PIECE", 7)
        found, _ = model.score(tokens, tokens, model.initial_state(2))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "dropout",
    [
        *("input_dropout", "hidden_dropout", "output_dropout", "embedding_dropout"),
        *("weight_dropout", "state_dropout", "zoneout"),
    ],
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
        ({"hidden_size": 0}, "hidden_size must be 1 or more, got 0. Use for example 512."),
        ({"num_layers": -1}, "num_layers must be 1 or more, got -1. Use for example 1."),
        (
            {"weight_dropout": 1.0},
            "weight_dropout must be at least 0 and below 1, got 1.0. Use for example 0.3.",
        ),
        (
            {"zoneout": 1.0},
            "zoneout must be at least 0 and below 1, got 1.0. Use for example 0.3.",
        ),
        (
            {"state_dropout": -0.1},
            "state_dropout must be at least 0 and below 1, got -0.1. Use for example 0.3.",
        ),
        (
            {"kind": "mingru", "zoneout": 0.1},
            "zoneout must be left at 0.0 for mingru, got 0.1. "
            "It has nothing that this could act on.",
        ),
        (
            {"kind": "mingru", "recurrent_init": "identity"},
            "recurrent_init must be left at orthogonal for mingru, got identity. "
            "It has nothing that this could act on.",
        ),
        (
            {"kind": "rnn", "forget_bias": 1.0},
            "forget_bias must be left at None for rnn, got 1.0. "
            "It has nothing that this could act on.",
        ),
        (
            {"gate_init": "normal"},
            "gate_init must be one of constant, uniform, chrono, got normal. Choose one of these.",
        ),
        (
            {"gate_init": "chrono", "forget_bias": 1.0},
            "forget_bias must be left out for gate_init chrono, got 1.0. Leave one of the two out.",
        ),
        (
            {"gate_init": "chrono", "max_timescale": 1},
            "max_timescale must be 2 or more, got 1. Use for example 100.",
        ),
        (
            {"attention": -1},
            "attention must be 0 or more, got -1. Use for example 64, or 0 for no attention.",
        ),
        (
            {"attention": 8, "hidden_size": 17},
            "hidden_size must be even for attention, got 17. Use 18.",
        ),
        (
            {"lookahead": -1.0},
            "lookahead must be 0 or more, got -1.0. Use for example 0.3.",
        ),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError) as caught:
        RecurrentModel(RecurrentConfig(**settings), 23)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["weight_dropout", "state_dropout", "layer_norm", "nonlinearity"])
def test_mingru_refuses_what_it_has_nothing_for(name):
    value = {"layer_norm": True, "nonlinearity": "relu"}.get(name, 0.3)
    with pytest.raises(ConfigError, match=f"^{name} must be left at .* for mingru, got {value}"):
        RecurrentModel(RecurrentConfig(kind="mingru", **{name: value}), 23)


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm", "mingru"])
def test_the_same_seed_begins_as_it_did_before_there_were_remedies(kind):
    """Settings that change no weight draw no random number: what is built before stays the same."""
    models = []
    for settings in ({}, {"lookahead": 0.5}, {"zoneout": 0.1} if kind != "mingru" else {}):
        torch.manual_seed(5)
        models.append(RecurrentModel(RecurrentConfig(kind=kind, **SIZES, **settings), 23))
    plain, *others = (list(model.state_dict().values()) for model in models)
    for values in others:
        assert all(torch.equal(*pair) for pair in zip(plain, values, strict=False))


def test_initialization_reaches_every_layer():
    settings = {"recurrent_init": "identity", "forget_bias": -2.0, "layer_norm": True}
    model = RecurrentModel(RecurrentConfig(kind="lstm", num_layers=2, **SIZES, **settings), 23)
    for modified in model.stack.layers:
        assert torch.equal(modified.layer.weight_hh[:17], torch.eye(17))
        assert torch.equal(modified.layer.bias[17:34], torch.full((17,), -2.0))


def test_lookahead_adds_the_loss_of_the_tokens_after_the_next():
    model = RecurrentModel(RecurrentConfig(kind="gru", lookahead=0.5, **SIZES), 23)
    text = torch.randint(23, (2, 12))
    tokens, targets = text[:, :-1], text[:, 1:]
    loss, main, state = model.loss(tokens, targets, model.initial_state(2))
    scores, expected_state = model.score(tokens, targets, model.initial_state(2))
    torch.testing.assert_close(main, -scores.mean())
    torch.testing.assert_close(state, expected_state)
    y, _ = model.stack(model.embedding(tokens), model.initial_state(2))
    log_probs = model.embedding.log_probs(model.ahead(y))[:, :-1]
    later = -log_probs.gather(-1, text[:, 2:, None]).mean()
    torch.testing.assert_close(loss, main + 0.5 * later)


def test_without_lookahead_there_is_one_loss_and_no_projection_more():
    model = RecurrentModel(RecurrentConfig(kind="gru", **SIZES), 23)
    with_it = RecurrentModel(RecurrentConfig(kind="gru", lookahead=0.5, **SIZES), 23)
    assert with_it.num_parameters() - model.num_parameters() == 12 * 17
    tokens = torch.randint(23, (2, 12))
    loss, main, _ = model.loss(tokens, tokens, model.initial_state(2))
    assert loss is main
    loss, main, _ = with_it.loss(tokens[:, :1], tokens[:, :1], with_it.initial_state(2))
    assert loss is main  # one token has no token after the next


@torch.no_grad()
def test_attention_looks_back_as_far_as_it_says():
    """The head adds softmax(q k) v over the present and the 5 outputs before, to the output.

    q and k are normalized.
    """
    settings = {"attention": 5, "embedding_size": 12, "hidden_size": 18}
    model = RecurrentModel(RecurrentConfig(kind="gru", **settings), 23).eval()
    head, tokens = model.attention, torch.randint(23, (2, 200))  # longer than one piece
    head.attention.output.weight.mul_(10)
    y, of_stack = model.stack(model.embedding(tokens), model.stack.initial_state(2))
    found, (last, keys, _, counts) = model._outputs(tokens, model.initial_state(2))
    assert torch.equal(last, of_stack) and counts.tolist() == [200, 200]
    assert keys.shape == (2, 5, 1, 18)

    def norm(x):
        return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()

    query, key, value = (norm(y) @ head.attention.query_key_value.weight.T).chunk(3, -1)
    cos, sin = (a[:, :, 0].float() for a in rotary_angles(torch.arange(200)[None], 18))

    def turn(x):
        one, two = x.chunk(2, -1)
        return torch.cat((one * cos - two * sin, one * sin + two * cos), -1)

    for t in (0, 3, 5, 63, 64, 66, 199):
        window = slice(max(0, t - 5), t + 1)
        weights = (turn(norm(query))[:, t, None] * turn(norm(key))[:, window]).sum(-1) / 18**0.5
        mixed = (weights.softmax(-1)[..., None] * value[:, window]).sum(1)
        expected = y[:, t] + mixed @ head.attention.output.weight.T
        torch.testing.assert_close(found[:, t], expected, rtol=1e-4, atol=1e-5)
