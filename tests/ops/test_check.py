"""Bad calls of every operator: each argument in turn is something else than it has to be."""

import re
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from unrolled.errors import ConfigError, ShapeError, TensorError
from unrolled.ops.dropout import dropout
from unrolled.ops.elman import elman
from unrolled.ops.lstm import lstm

from .checks import calls

CALLS = calls()
NARROW = (torch.int8, torch.int16, torch.int32, torch.uint8)


def misfits(x: Tensor) -> Iterator[tuple[str, object]]:
    """What cannot stand for a tensor, by name."""
    yield "nothing", None
    yield "a list", x.tolist()
    yield "a number", x.flatten()[0]
    yield "empty", x[:0]
    yield "no width", x[..., :0]
    yield "longer", torch.cat([x, x, x])
    yield "one dimension more", x[None]
    yield "elsewhere", x.to("meta")
    yield "sparse", x.to_sparse()
    yield "complex", x.to(torch.complex64)
    yield "truth values", x.bool()
    if x.is_floating_point():
        yield "whole", x.long()
    else:
        yield "floating", x.float()
        yield "half", x.bfloat16()
    if x.dim() > 1:
        yield "narrower", x[..., 1:]
        yield "wider", torch.cat([x, x], -1)


FITTING = {("pool", 0, "narrower"), ("pool", 0, "wider"), ("pool", 0, "longer")}
FITTING |= {(name, 0, "longer") for name in ("lstm", "gru", "elman", "min_gru")}
FITTING |= {("embedding", 2, "nothing")}
FITTING |= {("embedding", 1, misfit) for misfit in ("no width", "longer", "narrower", "wider")}
"""More steps, other widths, a larger vocabulary, no factors: nothing says what they must be."""


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("name", CALLS)
def test_what_does_not_fit_is_refused_in_one_sentence(name, gradients):
    operator, _, arguments = CALLS[name]
    for place, argument in enumerate(arguments):
        for misfit, value in misfits(argument):
            given = [*arguments[:place], value, *arguments[place + 1 :]]
            with torch.set_grad_enabled(gradients):
                if (name, place, misfit) in FITTING:
                    operator(*given)
                    continue
                try:
                    operator(*given)
                except (ShapeError, TensorError) as error:
                    assert re.search(r"must (be|have shape) .+, got .+\.$", str(error))
                except IndexError:
                    assert (name, place, misfit) == (
                        "embedding",
                        1,
                        "empty",
                    )  # of which no token is
                else:
                    pytest.fail(f"argument {place} of {name} may be {misfit}")


def test_the_sentences_say_what_to_do():
    x, h, c, *parameters = CALLS["lstm"][2]
    for given, sentence in (
        ((x, h.long(), c), "h must be floating point, got torch.int64. Convert it with .float()."),
        (
            (x, h.to("meta"), c),
            'h must be on cpu, as the others are, got meta. Move it with .to("cpu").',
        ),
        ((None, h, c), "x must be a tensor, got NoneType. Make one with torch.tensor()."),
        (
            (x, h, c.to_sparse()),
            "c must be dense, got torch.sparse_coo. Convert it with .to_dense().",
        ),
    ):
        with pytest.raises(TensorError) as raised:
            lstm(*given, *parameters)
        assert str(raised.value) == sentence
    with pytest.raises(TensorError, match="batch_sizes must be of type torch.int64 or"):
        lstm(x[0], h, c, *parameters, torch.tensor([2.0]))
    with pytest.raises(TensorError, match="bias must be torch.float32, as weight_ih is, got"):
        lstm(x, h, c, *parameters[:2], parameters[2].double())


@pytest.mark.parametrize("name", ["pool", "linear_log_probs", "sampled_log_probs"])
@pytest.mark.parametrize("dtype", NARROW)
def test_whole_numbers_of_fewer_bits_are_not_misread(name, dtype):
    operator, _, (*others, ids) = CALLS[name]
    if name == "pool":
        expected = operator(*others, ids)
        torch.testing.assert_close(operator(*others, ids.to(dtype)), expected)
    else:
        with pytest.raises(TensorError, match="targets must be of type torch.int64, got"):
            operator(*others, ids.to(dtype))


@pytest.mark.parametrize("name", CALLS)
def test_arguments_may_lie_anyhow_in_memory(name):
    """Every other element of a larger tensor, or one row many times, is read as its copy is."""
    operator, _, arguments = CALLS[name]
    for place, argument in enumerate(arguments):
        for apart in (
            torch.stack((argument, argument), -1)[..., 0],
            argument[:1].expand_as(argument),
        ):
            if name == "packed lstm" and place == 6 and not apart.equal(argument):
                continue
            found = operator(*arguments[:place], apart, *arguments[place + 1 :])
            copied = operator(*arguments[:place], apart.contiguous(), *arguments[place + 1 :])
            torch.testing.assert_close(found, copied, rtol=0, atol=0)


@pytest.mark.parametrize("name", CALLS)
def test_views_of_the_other_sign_are_read_right_or_refused(name):
    operator, _, arguments = CALLS[name]
    for place, argument in enumerate(arguments):
        if not argument.is_floating_point():
            continue
        negated = torch.view_as_complex(torch.stack((argument, argument), -1)).conj().imag
        assert negated.is_neg()
        expected = operator(*arguments[:place], -argument, *arguments[place + 1 :])
        for gradients in (True, False):
            with torch.set_grad_enabled(gradients):
                try:
                    found = operator(*arguments[:place], negated, *arguments[place + 1 :])
                except TensorError as error:
                    assert "Copy it with .resolve_neg()." in str(error)
                else:
                    torch.testing.assert_close(found, expected)


def test_settings_that_are_none_are_refused():
    with pytest.raises(ConfigError, match="nonlinearity must be tanh or relu, got sigmoid"):
        elman(*CALLS["elman"][2], "sigmoid")
    for p in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="p must be from 0 to 1, got"):
            dropout(torch.ones(3), p)
    with pytest.raises(TensorError, match="x must be floating point"):
        dropout(torch.ones(3, dtype=torch.int64), 0.5)
