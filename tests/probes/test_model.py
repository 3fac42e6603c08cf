"""The models of the probes: as many parameters, the past alone, their cures."""

import pytest
import torch

from unrolled.nn.elman import Elman
from unrolled.nn.lstm import LSTM
from unrolled.probes.model import build
from unrolled.probes.request import TASKS, VARIANTS, Variant
from unrolled.probes.tasks import BUILDERS, Adding, Parity


@pytest.mark.parametrize("name", TASKS)
def test_all_kinds_have_about_as_many_parameters(name):
    task = BUILDERS[name](30)
    for variant in VARIANTS.values():
        model = build(task, variant, 70_000, seed=0)
        embedding = model.embedding.parameters() if model.embedding is not None else ()
        own = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in embedding)
        assert model.num_parameters() == own
        assert own == pytest.approx(70_000, rel=0.1)


def test_nothing_nearer_was_possible():
    task, kind = Adding(30), VARIANTS["gru"]
    chosen = build(task, kind, 5000, seed=0)
    for size in (chosen.hidden_size - 2, chosen.hidden_size + 2):
        other = type(chosen)(task, kind, size)
        assert abs(other.num_parameters() - 5000) >= abs(chosen.num_parameters() - 5000)


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm", "mingru", "transformer"])
def test_answers_come_from_the_past_alone(kind):
    task = Parity(12)
    model = build(task, VARIANTS[kind], 5000, seed=0)
    batch = task.batch(torch.Generator().manual_seed(0), 3)
    changed = batch.inputs.clone()
    changed[:, 7] = 1 - changed[:, 7]
    with torch.no_grad():
        one, other = (model(x, batch.mask).view(3, 12, 2) for x in (batch.inputs, changed))
    assert torch.equal(one[:, :7], other[:, :7])
    assert (one[:, 7:] != other[:, 7:]).any(-1).any(-1).all()


@pytest.mark.parametrize("kind", ["gru", "transformer"])
def test_answers_are_those_of_the_masked_steps(kind):
    task = Parity(12)
    model = build(task, VARIANTS[kind], 5000, seed=0)
    batch = task.batch(torch.Generator().manual_seed(0), 3)
    mask = torch.zeros_like(batch.mask)
    mask[0, 3] = mask[1, 0] = mask[2, 11] = True
    with torch.no_grad():
        everything = model(batch.inputs, batch.mask).view(3, 12, 2)
        some = model(batch.inputs, mask)
    torch.testing.assert_close(some, everything[[0, 1, 2], [3, 0, 11]])


def test_state_sizes():
    task = Adding(30)
    width = {kind: build(task, VARIANTS[kind], 70_000, 0) for kind in VARIANTS}
    assert width["gru"].state_size(30) == width["gru"].hidden_size
    assert width["lstm"].state_size(30) == 2 * width["lstm"].hidden_size
    assert width["mingru"].state_size(30) == 3 * width["mingru"].hidden_size
    assert width["transformer"].state_size(30) == 2 * 2 * 30 * width["transformer"].hidden_size


def test_cures_reach_the_layers():
    chrono = build(Adding(500), VARIANTS["lstm-chrono"], 70_000, 0).body.layers[0]
    assert isinstance(chrono, LSTM)
    keep = chrono.bias[chrono.hidden_size : 2 * chrono.hidden_size].exp()
    assert keep.min() >= 1 and 400 < keep.max() <= 499
    assert torch.equal(chrono.bias[: chrono.hidden_size], -keep.log())
    identity = build(Adding(500), VARIANTS["rnn-identity"], 70_000, 0).body.layers[0]
    assert isinstance(identity, Elman) and identity.nonlinearity == "relu"
    assert torch.equal(identity.weight_hh, torch.eye(identity.hidden_size))


def test_a_seed_gives_the_same_weights_and_leaves_the_generator_alone():
    before = torch.get_rng_state()
    one, same, other = (build(Parity(9), Variant("gru"), 5000, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(one.parameters(), same.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    weights = (model.body.layers[0].weight_hh for model in (one, other))
    assert not torch.equal(*weights)
