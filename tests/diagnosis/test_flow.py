"""Gradient flow through time against autograd, against theory, and the verdicts that follow."""

import copy
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from unrolled.diagnosis.flow import (
    fit_rate,
    flow_of,
    gradient_flow,
    half_life,
    horizon,
    intervals,
    judge,
    longest,
    text_windows,
)
from unrolled.errors import ConfigError, TextError
from unrolled.models.recurrent import RecurrentModel
from unrolled.models.transformer import TransformerModel
from unrolled.nn.modified import Modified
from unrolled.ops.elman import elman_reference
from unrolled.ops.gru import gru_reference
from unrolled.ops.lstm import lstm_reference
from unrolled.results.interval import Interval
from unrolled.settings.models import RecurrentConfig, TransformerConfig

V = 50


def text(seed: int, rows: int = 8, length: int = 64 + 101) -> Tensor:
    return torch.randint(V, (rows, length), generator=torch.Generator().manual_seed(seed))


def make(kind: str, seed: int = 0, hidden_size: int = 64, **settings) -> RecurrentModel:
    torch.manual_seed(seed)
    sizes = {"embedding_size": 32, "hidden_size": hidden_size}
    return RecurrentModel(RecurrentConfig(kind=kind, **sizes, **settings), V).eval()


def by_autograd(model: RecurrentModel, tokens: Tensor) -> dict[tuple[int, str], list[float]]:
    """Step by step from the equations, all layers at one step before the next step."""
    model = model.double()
    x = model.embedding(tokens[:, :-1]).transpose(0, 1)
    layers = list(model.stack.layers)
    num_states = model.stack.num_states
    zero = torch.zeros(len(tokens), model.stack.hidden_size, dtype=torch.float64)
    states = [[zero.clone() for _ in range(num_states)] for _ in layers]
    kept: list[list[list[Tensor]]] = []
    for step in x.split(1):
        y = step
        for number, layer in enumerate(layers):
            states[number] = list(_step(layer, y, states[number]))
            y = states[number][0][None]
        kept.append([list(parts) for parts in states])
    hidden = model.projection(kept[-1][-1][0])
    log_probs = (hidden @ model.embedding.weight.T + model.embedding.bias).log_softmax(1)
    loss = -log_probs.gather(1, tokens[:, -1:]).sum()
    found = {}
    for number in range(len(layers)):
        for part, path in zip(range(num_states), ("hidden", "cell"), strict=False):
            grads = torch.autograd.grad(
                loss, [step[number][part] for step in kept], retain_graph=True
            )
            found[number + 1, path] = [float(g.norm(dim=1).sum()) for g in reversed(grads)]
    return found


def _step(layer, x: Tensor, states: list[Tensor]) -> list[Tensor]:
    """One step whose new c is what the new h is made of, so that autograd sees both paths."""
    name = type(layer).__name__
    if name == "LSTM":
        gates = x[0] @ layer.weight_ih.T + states[0] @ layer.weight_hh.T + layer.bias
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        _, expected_h, expected_c = lstm_reference(
            x, *states, layer.weight_ih, layer.weight_hh, layer.bias
        )
        assert torch.allclose(h, expected_h) and torch.allclose(c, expected_c)
        return [h, c]
    if name == "GRU":
        weights = layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh
        return [gru_reference(x, states[0], *weights)[1]]
    if name == "MinGRU":
        z, candidate = (x[0] @ layer.weight.T + layer.bias).chunk(2, 1)
        return [(1 - z.sigmoid()) * states[0] + z.sigmoid() * candidate]
    weights = layer.weight_ih, layer.weight_hh, layer.bias
    return [elman_reference(x, states[0], *weights, layer.nonlinearity)[1]]


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm", "mingru"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_shares_are_those_of_autograd(kind, num_layers):
    model, tokens = make(kind, hidden_size=17, num_layers=num_layers).double(), text(1, 3, 40)
    expected = by_autograd(model, tokens)
    flows = gradient_flow(model, tokens, warm_up=0)
    assert {(flow.layer, flow.path) for flow in flows} == set(expected)
    for flow in flows:
        norms = expected[flow.layer, flow.path]
        shares = [norm / norms[0] for norm in norms]
        np.testing.assert_allclose(flow.shares, shares, rtol=1e-6)


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_float32_kernels_give_the_same(kind):
    model, tokens = make(kind, num_layers=2), text(1)
    fast = gradient_flow(model, tokens, warm_up=64)
    exact = gradient_flow(model.double(), tokens, warm_up=64)
    for one, other in zip(fast, exact, strict=True):
        np.testing.assert_allclose(one.shares[:40], other.shares[:40], rtol=1e-3)


def test_a_modified_lstm_without_modification_has_the_same_flow():
    plain, tokens = make("lstm").double(), text(1)
    modified = copy.deepcopy(plain)
    modified.stack.layers[0] = Modified(modified.stack.layers[0]).eval()
    pairs = zip(gradient_flow(plain, tokens, 64), gradient_flow(modified, tokens, 64), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one.shares, other.shares, rtol=1e-9)


def test_zoneout_keeps_more_of_the_cell():
    plain = longest(gradient_flow(make("lstm").double(), text(1), 64))
    kept = gradient_flow(make("lstm", zoneout=0.5).double(), text(1), 64)
    cell = next(flow for flow in kept if flow.path == "cell")
    assert (cell.lags[0], cell.shares[0]) == (1, 1)
    assert cell.rate > plain.rate


def test_looking_changes_nothing():
    model = make("lstm").train()
    tokens, generator = text(1), torch.get_rng_state()
    gradient_flow(model, tokens, warm_up=64)
    assert model.training and torch.equal(torch.get_rng_state(), generator)
    assert all(parameter.grad is None for parameter in model.parameters())


@torch.no_grad()
def planted_rnn(seed: int, radius: float, inputs: float) -> RecurrentModel:
    """W_hh is `radius` times orthogonal, so every step multiplies by the radius while tanh is
    linear, which small inputs keep it."""
    model = make("rnn", seed, hidden_size=128).double()
    layer = model.stack.layers[0]
    layer.weight_hh.mul_(radius)
    layer.weight_ih.mul_(inputs)
    assert torch.linalg.eigvals(layer.weight_hh).abs().max() == pytest.approx(radius)
    return model


@torch.no_grad()
def planted_lstm(seed: int, forget_bias: float) -> RecurrentModel:
    """Gates that hardly look at anything: what is kept is a matter of the bias."""
    model = make("lstm", seed).double()
    layer = model.stack.layers[0]
    layer.weight_hh.mul_(0.02)
    layer.weight_ih.mul_(0.1)
    layer.bias[64:128] = forget_bias
    return model


SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_radius_vanishes_as_linear_theory_says(seed):
    flows = gradient_flow(planted_rnn(seed, 0.5, 0.05), text(seed), warm_up=64)
    assert judge(flows).kind == "vanishing"
    assert flows[0].half_life == pytest.approx(math.log(2) / -math.log(0.5), rel=0.05)
    assert flows[0].rate == pytest.approx(math.log(0.5), rel=0.05)
    assert flows[0].horizon == 7  # 0.5 ** 7 is the first power below 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_a_large_radius_explodes(seed):
    verdict = judge(gradient_flow(planted_rnn(seed, 1.6, 0.01), text(seed), warm_up=64))
    assert verdict.kind == "exploding"
    assert verdict.growth > 100 and verdict.rate > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_identity_and_relu_are_healthy(seed):
    model = make("rnn", seed, nonlinearity="relu", recurrent_init="identity").double()
    verdict = judge(gradient_flow(model, text(seed), warm_up=64))
    assert verdict.kind == "healthy" and verdict.horizon is None


@pytest.mark.parametrize("seed", SEEDS)
def test_forget_biases_order_half_lives_and_give_their_rates(seed):
    half_lives = []
    for bias in (-2.0, 0.0, 3.0):
        model, tokens = planted_lstm(seed, bias), text(seed)
        flow = next(f for f in gradient_flow(model, tokens, 64) if f.path == "cell")
        layer = model.stack.layers[0]
        with torch.no_grad():
            x = model.embedding(tokens[:, :-1]).transpose(0, 1)
            h = torch.zeros(*x.shape[:2], 64, dtype=torch.float64)
            mean_log = layer.gates(x, h)["forget"].log().mean().item()
        assert flow.rate == pytest.approx(mean_log, rel=0.1)
        half_lives.append(flow.half_life)
    assert all(a < b for a, b in pairwise(half_lives))
    assert judge(gradient_flow(planted_lstm(seed, -2.0), text(seed), 64)).kind == "vanishing"
    assert judge(gradient_flow(planted_lstm(seed, 3.0), text(seed), 64)).kind == "healthy"


def test_the_longest_memory_is_that_of_the_cell():
    best = longest(gradient_flow(planted_lstm(0, 3.0), text(0), 64))
    assert best.path == "cell"


def test_half_life_rate_and_horizon_of_a_power():
    lags, shares = list(range(30)), [0.8**k for k in range(30)]
    assert half_life(lags, shares) == pytest.approx(math.log(2) / -math.log(0.8))
    assert fit_rate(lags, shares) == pytest.approx(math.log(0.8))
    assert horizon(lags, shares) == 21
    assert half_life([0, 1, 2], [1.0, 0.9, 0.8]) is None
    assert horizon([0, 1, 2], [1.0, 0.9, 0.8]) is None
    assert half_life([0, 1, 2], [1.0, 0.9, 0.0]) == 2
    assert fit_rate([0, 1, 2], [0.0, 0.0, 0.0]) is None


LAGS = list(range(128))


def places(*rates: float) -> np.ndarray:
    """Norms `(128, B)` of B places, each of which multiplies by its rate with every step."""
    return np.power(np.array(rates), np.arange(128)[:, None])


def mixed(fast: float, slow: float, share: float) -> list[float]:
    """The curve of places of which this share is slow."""
    return [(1 - share) * fast**lag + share * slow**lag for lag in LAGS]


def test_intervals_are_those_of_the_binomial_number_of_slow_places():
    half, gone = intervals(LAGS, places(*[0.5] * 8, *[0.9] * 8))
    # Of 16 draws, 4 to 12 are slow in 95 % of the cases (binomial with p = 1/2); more slow places
    # remember longer, so the ends are the figures of these two mixtures.
    few, many = mixed(0.5, 0.9, 4 / 16), mixed(0.5, 0.9, 12 / 16)
    assert half.low == pytest.approx(half_life(LAGS, few), rel=1e-9)
    assert half.high == pytest.approx(half_life(LAGS, many), rel=1e-9)
    assert gone == Interval(horizon(LAGS, few), horizon(LAGS, many))


def test_one_place_with_a_large_gradient_opens_the_interval():
    norms = places(*[0.5] * 15, 0.9) * np.array([1.0] * 15 + [1000.0])
    half, gone = intervals(LAGS, norms)  # it is left out of 36 % of the resamples
    assert half.low == pytest.approx(1.0) and gone.low == 7
    assert half.high == pytest.approx(math.log(2) / -math.log(0.9), rel=0.02) and gone.high == 44


def test_equal_places_leave_nothing_open_and_what_is_not_reached_has_no_end():
    assert intervals(LAGS, places(*[0.5] * 9)) == (Interval(1.0, 1.0), Interval(7, 7))
    assert intervals(LAGS, places(*[1.0] * 9)) == (Interval(None, None), Interval(None, None))
    half, gone = intervals(LAGS, places(*[0.5] * 6, *[1.0] * 4))
    # Of 10 draws, 1 to 7 are of the four that never fall.
    assert half == Interval(pytest.approx(half_life(LAGS, mixed(0.5, 1.0, 0.1))), None)
    assert gone == Interval(None, None)
    assert intervals(LAGS, places(*[0.5] * 8, *[1.0] * 2))[1] == Interval(7, None)


def test_four_times_as_many_places_halve_the_interval():
    rates = np.random.default_rng(0).uniform(0.6, 0.9, 64)
    few, many = (intervals(LAGS, places(*rates[:number]))[0] for number in (16, 64))
    assert (many.high - many.low) / (few.high - few.low) == pytest.approx(0.5, rel=0.3)


def test_a_curve_that_begins_a_step_later_has_intervals_from_there():
    norms = np.vstack([np.zeros(6), places(*[0.5] * 6)])[::-1]
    flow = flow_of(1, "cell", norms, with_intervals=True)
    assert flow.lags[0] == 1 and flow.horizon == 8
    assert flow.horizon_interval == Interval(8, 8)


@pytest.mark.parametrize("kind", ["rnn", "lstm"])
def test_intervals_hold_the_figures_of_all_places_and_are_the_same_twice(kind):
    model, tokens = make(kind).double(), text(3, rows=32)
    plain = gradient_flow(model, tokens, warm_up=64)
    first, again = (gradient_flow(model, tokens, 64, with_intervals=True) for _ in range(2))
    assert first == again
    for flow, bare in zip(first, plain, strict=True):
        half, gone = flow.half_life_interval, flow.horizon_interval
        assert half.low < flow.half_life < half.high
        assert gone.low <= flow.horizon <= gone.high
        assert (flow.shares, flow.horizon) == (bare.shares, bare.horizon)
        assert bare.half_life_interval is None and bare.horizon_interval is None


def test_gradients_that_are_not_finite_have_no_interval_and_no_warning():
    flow = flow_of(1, "hidden", np.full((20, 4), np.inf), with_intervals=True)
    assert flow.half_life_interval is None and flow.horizon_interval is None


def test_no_gradient_no_verdict():
    assert judge([]).kind == "no gradient"
    with pytest.raises(ConfigError, match="^model must be a recurrent one, got TransformerModel"):
        gradient_flow(TransformerModel(TransformerConfig(hidden_size=16), V), text(0), 64)


def test_windows_are_places_in_the_text():
    tokens = np.arange(1000, dtype=np.uint16)
    windows = text_windows(tokens, num_rows=5, length=193)
    assert windows.shape == (5, 193)
    assert torch.equal(windows[:, 1:] - windows[:, :-1], torch.ones(5, 192, dtype=torch.int64))
    assert windows[0, 0] == 0 and windows[-1, -1] == 999
    assert text_windows(tokens[:300]).shape == (64, 150)
    with pytest.raises(TextError) as caught:
        text_windows(tokens[:100])
    assert str(caught.value) == (
        "The text has 99 tokens, too few to follow gradients through. "
        "Give one of at least 160 tokens."
    )
