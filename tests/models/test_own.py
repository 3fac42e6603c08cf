"""A network of the user's, the one in examples/: all that is asked of ours."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import unrolled
from unrolled.cli import main
from unrolled.comparison.matching import equal_parameters
from unrolled.errors import ConfigError
from unrolled.models.base import NeuralModel
from unrolled.models.build import build
from unrolled.models.own import named_kind
from unrolled.runs.folder import load, read_log
from unrolled.settings.models import OwnConfig
from unrolled.settings.presets import model_preset
from unrolled.training.language_model import resume, train

from .checks import check_other_shapes, check_pieces

EXAMPLES = Path(__file__).parents[2] / "examples"
NAME = "own_model:QRNN"
SMALL = {"hidden_size": 16}
SHORT = {"batch_size": 4, "sequence_length": 16, "precision": "float32", "threads": 1}
FRESH = f"""
import os, sys, torch, unrolled
from unrolled.errors import ConfigError
try:
    unrolled.load(sys.argv[1])
except ConfigError as error:
    print(error)
assert "own_model" not in sys.modules
os.environ["UNROLLED_MODELS"] = "{NAME}"
run = unrolled.load(sys.argv[1])
print(unrolled.score_text(run.model, run.tokenizer, "It was a day.").bits)
"""


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    """Scripts find modules beside them."""
    monkeypatch.syspath_prepend(str(EXAMPLES))


def request(english: str, tokens: int, **settings) -> unrolled.TrainRequest:
    return unrolled.TrainRequest(
        NAME,
        unrolled.DataConfig((english,)),
        budget=unrolled.Budget(tokens, "tokens"),
        model_settings=SMALL,
        train_settings=SHORT | settings,
    )


def qrnn(**settings) -> NeuralModel:
    named_kind(NAME)
    return build(OwnConfig(NAME, SMALL | settings), 23).eval()


def test_the_example_is_short():
    assert len((EXAMPLES / "own_model.py").read_text("utf-8").splitlines()) < 80


@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_reading_in_pieces_equals_reading_the_whole(kernel):
    check_pieces(qrnn(kernel=kernel))


@pytest.mark.parametrize("size", [(5,), (3, 0), (3, 2, 1)])
def test_tokens_of_another_shape_are_refused(size):
    check_other_shapes(qrnn(), size)


def test_pooling_follows_the_equations_of_the_paper():
    model = qrnn(num_layers=1)
    tokens = torch.randint(23, (2, 6))
    with torch.no_grad():
        found, _ = model(tokens, model.initial_state(2))
        layer, x = model.layers[0], model.embedding(tokens)
        before, c, weight = torch.zeros(2, 16), torch.zeros(2, 16), layer.conv.weight
        for step in range(6):
            taps = before @ weight[:, :, 0].T + x[:, step] @ weight[:, :, 1].T + layer.conv.bias
            z, f, o = taps.chunk(3, 1)
            c = f.sigmoid() * c + (1 - f.sigmoid()) * z.tanh()
            torch.testing.assert_close(found[:, step], o.sigmoid() * c)
            before = x[:, step]


def test_size_chooses_the_width():
    named_kind(NAME)
    sizes = [model_preset(NAME, size, 70) for size in ("small", "medium", "large")]
    assert [config.settings["hidden_size"] for config in sizes] == [256, 512, 1024]


def test_training_lowers_the_loss_and_goes_on_where_it_stopped(tmp_path, english):
    asked = request(english, 6000, learning_rate=0.02)
    train(tmp_path / "whole", asked)
    valid = [row.valid for row in read_log(tmp_path / "whole") if row.kind == "valid"]
    assert valid[-1] < 0.95 * valid[0]
    steps = iter(range(10**6))
    with pytest.raises(unrolled.Interrupted):
        train(tmp_path / "broken", asked, stop=lambda: next(steps) == 30)
    again, whole = resume(tmp_path / "broken"), load(tmp_path / "whole")
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight), name


def test_a_run_is_used_and_diagnosed_and_opens_in_a_fresh_process(
    tmp_path, english, monkeypatch, capsys
):
    run = unrolled.train(tmp_path / "run", request(english, 300))
    assert run.config.model.settings | {"dropout": 0} == {
        **SMALL,
        **{"num_layers": 2, "kernel": 2, "dropout": 0},
    }
    text = "It was a day."
    bits = unrolled.score_text(run.model, run.tokenizer, text).bits
    assert unrolled.generate(run.model, run.tokenizer, text, unrolled.SamplingConfig(max_tokens=3))
    assert unrolled.next_words(run.model, run.tokenizer, text, k=2)
    flags = ["--out", str(tmp_path / "diagnosis"), "--memory-seconds", "0.1"]
    assert main(["diagnose", str(run.path), *flags]) == 0
    assert "4 " in capsys.readouterr().out  # a row for each tensor of the state
    page = (tmp_path / "diagnosis" / "report.html").read_text("utf-8")
    assert NAME in page and "--forget-bias" not in page and "--attention 64" not in page
    command = [sys.executable, "-c", FRESH, str(run.path)]
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True)
    refused, found = done.stdout.splitlines()
    assert refused.endswith(f"If you trust that code, set UNROLLED_MODELS={NAME}.")
    assert float(found) == pytest.approx(bits, rel=1e-5)


def test_a_comparison_ranks_it_beside_another_kind(tmp_path, english):
    from own_model import QRNN

    (tmp_path / "text.txt").write_text(Path(english).read_text("utf-8")[:8000], "utf-8")
    one = request(str(tmp_path / "text.txt"), 4000, learning_rate=0.02)
    wanted = unrolled.CompareRequest(one, (QRNN, "rnn"))
    assert wanted.kinds == (NAME, "rnn")
    result = unrolled.compare(tmp_path / "out", wanted)
    assert {model.name for model in result.models} == {NAME, "rnn"}
    assert all(model.doubt != "hardly trained" for model in result.models)
    assert all(0 < model.bits_per_byte < 8 for model in result.models)
    own = next(model for model in result.models if model.name == NAME)
    assert own.settings["hidden_size"] == 16 and own.samples
    assert NAME in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_parameters_are_matched_by_its_width(english, monkeypatch):
    data = unrolled.DataConfig((english,))
    requests = [unrolled.TrainRequest(kind, data, "small") for kind in ("gru", NAME)]
    gru, own = (each.model_settings["hidden_size"] for each in equal_parameters(requests, 23))
    assert own < 256 < gru  # two layers and one: before, 787 k and 296 k weights
    monkeypatch.setattr(sys.modules["own_model"].QRNN, "__init__", lambda self, vocab_size: None)
    monkeypatch.setattr(sys.modules["own_model"].QRNN, "preset", lambda size, vocab_size: {})
    monkeypatch.setattr("unrolled.comparison.matching.num_weights", lambda *_: 1)
    assert refusal(lambda: equal_parameters(requests, 23)) == (
        "match must be time or tokens for a model without the setting hidden_size, "
        f"got parameters. Or leave {NAME} out."
    )


def test_a_comparison_needs_a_class_that_its_workers_can_import(english):
    main_module = sys.modules["__main__"]
    named_kind(NAME)
    main_module.Mine = sys.modules["own_model"].QRNN
    try:
        with pytest.raises(ConfigError) as caught:
            unrolled.CompareRequest(request(english, 1), ("__main__:Mine",))
    finally:
        del main_module.Mine
    assert str(caught.value) == (
        "model must be a class in a file that can be imported, got __main__:Mine. "
        "Move it there: each model is trained in a process of its own."
    )


def test_what_is_no_network_of_ours_is_refused():
    assert refusal(lambda: named_kind("own_model:Layer")) == (
        "model must be a subclass of unrolled.NeuralModel, got own_model:Layer. See docs/models.md."
    )
    assert refusal(lambda: unrolled.TrainRequest("own_model:Layer", unrolled.DataConfig())) == (
        "model must be a subclass of unrolled.NeuralModel, got own_model:Layer. See docs/models.md."
    )


def test_a_constructor_that_fails_is_one_sentence():
    named_kind(NAME)
    found = refusal(lambda: build(OwnConfig(NAME, {"hidden_size": "wide"}), 23))
    assert found.startswith(f"model must be built by QRNN(23, hidden_size='wide'), got {NAME}. It ")
    assert "TypeError" in found
    found = refusal(lambda: build(OwnConfig(NAME, {"depth": 3}), 23))
    assert "unexpected keyword argument 'depth'" in found


def refusal(call) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    return str(caught.value)
