"""Learning rates over the budget, and groups of parameters."""

import pytest
import torch
from torch import nn

from unrolled.training.optimizer import make_optimizer, set_rates, trapezoid, triangle


def test_trapezoid():
    values = {0: 0.05, 0.001: 0.05, 0.05: 0.5, 0.1: 1, 0.3: 1, 0.5: 1, 0.75: 0.5, 0.9: 0.2, 1: 0}
    for fraction, expected in values.items():
        assert trapezoid(fraction, 0.1, 0.5) == pytest.approx(expected), fraction
    assert trapezoid(1.5, 0.1, 0.5) == 0
    assert [trapezoid(fraction, 0, 0) for fraction in (0, 0.5, 1)] == [1, 1, 1]


def test_triangle():
    for fraction, expected in {0: 0.01, 0.05: 0.51, 0.1: 1, 0.55: 0.5, 1: 0, 1.2: 0}.items():
        assert triangle(fraction, 0.1) == pytest.approx(expected), fraction


def test_groups_learn_at_their_rates_from_their_time_on():
    first, second = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    groups = [
        {"params": [first], "weight_decay": 0.3},
        {"params": [second], "weight_decay": 0.0, "slower": 4.0, "thaws_at": 0.5},
    ]
    optimizer = make_optimizer(groups, (0.8, 0.9))
    set_rates(optimizer, 0.1, 0.4)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.025]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    assert {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.9)}
    assert first.requires_grad and not second.requires_grad
    set_rates(optimizer, 0.1, 0.5)
    assert second.requires_grad
