import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from unrolled.errors import ConfigError
from unrolled.models.transformer import TransformerModel
from unrolled.settings.models import TransformerConfig

torch.set_num_threads(1)
CONFIG = TransformerConfig(hidden_size=24, num_layers=3, num_heads=3, context=5)


def wild_model() -> TransformerModel:
    """Weights so large that every attention matters."""
    torch.manual_seed(0)
    model = TransformerModel(CONFIG, 23).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    return model


def brute_force(model: TransformerModel, tokens: Tensor) -> Tensor:
    """All positions against all, one at a time, from the equations; `(T,)` to `(T, V)`."""
    weights = model.state_dict()

    def norm(x: Tensor, gain: Tensor) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * gain

    def turn(x: Tensor, position: int) -> Tensor:
        angle = position * 10000.0 ** (-torch.arange(4, dtype=torch.float64) / 4)
        number = torch.complex(x[..., :4], x[..., 4:]) * torch.polar(torch.ones(4).double(), angle)
        return torch.cat((number.real, number.imag), -1)

    x = weights["embedding.weight"][tokens] * 24**0.5
    for layer in range(3):
        get = {
            name.removeprefix(f"blocks.{layer}."): value
            for name, value in weights.items()
            if name.startswith(f"blocks.{layer}.")
        }
        mixed = norm(x, get["attention_norm.weight"]) @ get["attention.query_key_value.weight"].T
        query, key, value = mixed.view(-1, 3, 3, 8).unbind(1)  # (T, heads, d)
        query = norm(query, get["attention.query_norm.weight"])
        key = norm(key, get["attention.key_norm.weight"])
        outputs = []
        for t in range(len(tokens)):
            seen = range(max(0, t - 5), t + 1)
            scores = torch.stack(
                [(turn(query[t], t) * turn(key[s], s)).sum(-1) / 8**0.5 for s in seen]
            )
            share = scores.softmax(0)  # (seen, heads)
            outputs.append((share[..., None] * value[seen.start : seen.stop]).sum(0).flatten())
        x = x + torch.stack(outputs) @ get["attention.output.weight"].T
        gate, up = (norm(x, get["feed_norm.weight"]) @ get["feed.gate_value.weight"].T).chunk(2, -1)
        x = x + (F.silu(gate) * up) @ get["feed.output.weight"].T
    logits = norm(x, weights["norm.weight"]) @ weights["embedding.weight"].T
    return (logits + weights["embedding.bias"]).log_softmax(-1)


@torch.no_grad()
@pytest.mark.parametrize("cuts", [[40], [1] * 40, [5, 5, 30], [3, 11, 26]])
def test_far_beyond_its_context_it_equals_brute_force(cuts):
    model = wild_model()
    tokens = torch.randint(23, (1, 40))
    expected = brute_force(model, tokens[0])
    state, pieces = model.initial_state(1), []
    for piece in tokens.split(cuts, 1):
        log_probs, state = model.read(piece, state)
        pieces.append(log_probs)
    torch.testing.assert_close(torch.cat(pieces, 1)[0], expected, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_the_window_reaches_exactly_as_far_as_stated():
    """One layer sees `context` tokens back and no further; three layers see three times that."""
    model = wild_model()
    tokens = torch.randint(23, (1, 40))
    before, _ = model.read(tokens, model.initial_state(1))
    tokens[0, 10] = (tokens[0, 10] + 1) % 23
    after, _ = model.read(tokens, model.initial_state(1))
    changed = (before != after).any(-1)[0].nonzero().flatten().tolist()
    assert changed == list(range(10, 10 + 3 * 5 + 1))


def test_gradients_flow_between_pieces_of_one_read():
    model = wild_model()
    tokens = torch.randint(23, (1, 12))
    scores, _ = model.score(tokens, tokens, model.initial_state(1))
    whole = torch.autograd.grad(scores.sum(), model.blocks[0].attention.query_key_value.weight)
    state, parts = model.initial_state(1), []
    for token in tokens.split(1, 1):
        score, state = model.score(token, token, state)
        parts.append(score)
    total = torch.cat(parts, 1).sum()
    steps = torch.autograd.grad(total, model.blocks[0].attention.query_key_value.weight)
    torch.testing.assert_close(steps, whole, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_a_very_long_text_does_not_drift():
    model = wild_model().float()
    tokens = torch.randint(23, (1, 30))
    _, (layers, counts) = model.read(tokens, model.initial_state(1))
    far = model.initial_state(1)[0], counts + 1_000_000_000
    near = model.initial_state(1)[0], counts
    found, _ = model.read(tokens, far)
    expected, _ = model.read(tokens, near)
    # Only differences of positions matter, so a thousand million tokens later all is the same.
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_residual_outputs_start_smaller():
    torch.manual_seed(0)
    model = TransformerModel(TransformerConfig(hidden_size=128, num_layers=8), 23)
    for name, value in model.blocks.named_parameters():
        if value.dim() == 2:
            expected = 128**-0.5 / (4 if ".output." in name else 1)
            assert value.std().item() == pytest.approx(expected, rel=0.05)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    config = TransformerConfig(hidden_size=24, num_layers=1, num_heads=3, dropout=0.5)
    model, tokens = TransformerModel(config, 23), torch.randint(23, (2, 20))
    scores = [model.score(tokens, tokens, model.initial_state(2))[0] for _ in range(2)]
    assert not torch.equal(*scores)
    model.eval()
    scores = [model.score(tokens, tokens, model.initial_state(2))[0] for _ in range(2)]
    assert torch.equal(*scores)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"hidden_size": 100, "num_heads": 8},
            "hidden_size must be a multiple of twice num_heads = 8, got 100. Use 96.",
        ),
        ({"context": 0}, "context must be 1 or more, got 0. Use for example 128."),
        (
            {"dropout": -0.1},
            "dropout must be at least 0 and below 1, got -0.1. Use for example 0.3.",
        ),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError) as caught:
        TransformerModel(TransformerConfig(**settings), 23)
    assert str(caught.value) == message
