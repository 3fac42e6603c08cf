"""`diagnose` on real runs: what it finds, what it writes, what it refuses."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from unrolled.cli import app
from unrolled.cli.options import given
from unrolled.diagnosis import remedies as module
from unrolled.diagnosis.examination import DiagnoseRequest, diagnose
from unrolled.diagnosis.remedies import REMEDIES, Remedy, remedies
from unrolled.errors import CheckpointError, ConfigError
from unrolled.models.build import build
from unrolled.runs.folder import load, load_config, save_config
from unrolled.settings.data import DataConfig
from unrolled.settings.kinds import RECURRENT, is_unused
from unrolled.settings.models import RecurrentConfig
from unrolled.settings.presets import model_preset, override
from unrolled.settings.training import Budget, TrainConfig
from unrolled.system.files import locked
from unrolled.training.language_model import TrainRequest, train

SMALL = {"hidden_size": 24, "embedding_size": 16}
TOKENS = Budget(20_000, "tokens")


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    source = Path(__file__).parents[1] / "data" / "english.txt"
    copy = tmp_path_factory.mktemp("text") / "english.txt"
    copy.write_text(source.read_text("utf-8"), "utf-8")
    return copy


@pytest.fixture(scope="module")
def rnn(tmp_path_factory, text) -> Path:
    run = tmp_path_factory.mktemp("runs") / "rnn"
    data = DataConfig(texts=(str(text),), tokenizer="char", valid_fraction=0.2)
    settings = {"precision": "float32", "threads": 1}
    train(run, TrainRequest("rnn", data, "small", TOKENS, 0, SMALL, settings))
    return run


def examine(out: Path, run: Path, **settings):
    return diagnose(out, DiagnoseRequest(run, memory_seconds=0.1, **settings))


def test_a_recurrent_run(tmp_path, rnn):
    result = examine(tmp_path / "out", rnn)
    assert result.model == "rnn" and result.cure is None and result.words is None
    assert [(flow.layer, flow.path) for flow in result.flows] == [(1, "hidden")]
    assert result.verdict.horizon == result.flows[0].horizon
    (flow,) = result.flows
    half, gone = flow.half_life_interval, flow.horizon_interval
    assert half.low <= flow.half_life <= half.high and gone.low <= flow.horizon <= gone.high
    assert len(result.dynamics.exponents) == 8
    assert result.dynamics.radii[0].matrix == "recurrent"
    assert [row.name for row in result.memory] == ["rnn", "5-gram"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.html",
        "results.json",
    ]
    written = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert written["verdict"] == result.verdict.to_json()
    assert written["flows"][0]["horizon_interval"] == {"low": gone.low, "high": gone.high}
    assert "<html" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_the_same_twice_and_on_a_given_text(tmp_path, rnn, text):
    first, again = (examine(tmp_path / name, rnn) for name in ("a", "b"))
    assert first.flows == again.flows and first.dynamics == again.dynamics
    given = examine(tmp_path / "c", rnn, texts=(str(text),))
    assert given.flows != first.flows
    assert given.conditions["tokens"] > 4 * first.conditions["tokens"]
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "report.html",
        "results.json",
    ]


def test_an_ngram_has_a_memory_but_no_gradient(tmp_path, text):
    data = DataConfig(texts=(str(text),), tokenizer="char")
    train(tmp_path / "run", TrainRequest("ngram", data))
    result = examine(tmp_path / "out", tmp_path / "run", language="zh")
    assert result.verdict.kind == "no gradient" and result.flows == []
    assert result.memory[0].effective <= 8  # order 8
    with pytest.raises(ConfigError) as caught:
        examine(tmp_path / "other", tmp_path / "run", cure=TOKENS)
    assert str(caught.value) == (
        "model must be a recurrent one, got ngram. "
        "Remedies are for recurrent models: leave --cure out."
    )
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_examined(tmp_path, rnn, text):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("")
    with pytest.raises(CheckpointError, match="full is not empty. Choose another --out."):
        examine(tmp_path / "full", rnn)
    with locked(tmp_path / "busy"), pytest.raises(CheckpointError, match="busy is being written"):
        examine(tmp_path / "busy", rnn)
    config = load_config(rnn)
    gone = replace(config, data=replace(config.data, texts=(str(tmp_path / "gone.txt"),)))
    save_config(rnn, gone)
    try:
        with pytest.raises(
            CheckpointError, match="gone.txt, which does not exist in .*name a text"
        ):
            examine(tmp_path / "out", rnn)
        save_config(rnn, replace(gone, data=replace(gone.data, texts=("-",))))
        with pytest.raises(CheckpointError, match="trained on standard input. Name a text after"):
            examine(tmp_path / "out", rnn)
        with pytest.raises(ConfigError, match="to read it twice, got -. Save standard input in a"):
            DiagnoseRequest(rnn, ("-",), cure=TOKENS)
        changed = text.with_name("changed.txt")
        changed.write_text(text.read_text("utf-8")[::-1], "utf-8")  # the same characters
        save_config(rnn, replace(gone, data=replace(gone.data, texts=(str(changed),))))
        with pytest.raises(CheckpointError, match="a text that has changed since. Name a text"):
            examine(tmp_path / "out2", rnn)
    finally:
        save_config(rnn, config)


def test_remedies_are_ranked_by_what_they_changed(tmp_path, rnn, monkeypatch):
    tried = (
        Remedy("nothing", "nobody", train={"clip_norm": 0.5}),  # as it is
        Remedy("no learning", "nobody", train={"learning_rate": 1e-9}),
        Remedy("GRU", "Cho et al. 2014", kind="gru"),
    )
    monkeypatch.setattr(module, "remedies", lambda model, train: list(tried))
    monkeypatch.setattr(module, "MEMORY_TARGETS", 32)
    result = examine(tmp_path / "out", rnn, cure=TOKENS).cure
    gains = {row.name: row.gain for row in result.tried}
    assert gains["nothing"] == 0  # the same seed and the same tokens
    assert gains["no learning"] < -0.02
    ranked = [row.gain for row in result.tried]
    assert ranked == sorted(ranked, reverse=True)
    bits = result.unchanged.bits_per_byte
    assert all(row.bits_per_byte == bits - row.gain for row in result.tried)
    assert result.test is not None
    flags = {row.name: row.flags for row in result.tried}
    assert flags["GRU"] == "--model gru" and flags["nothing"] == "--clip-norm 0.5"
    assert (tmp_path / "out" / "trials" / "GRU" / "model.safetensors").is_file()


def test_a_budget_too_short_for_all_remedies(tmp_path, rnn):
    with pytest.raises(ConfigError, match=r"cure must be at least \d+s for 17 trainings, got 10s"):
        examine(tmp_path / "out", rnn, cure=Budget(10, "seconds"))
    assert not (tmp_path / "out").exists()  # the same command with more time goes


def test_remedies_are_tried_on_a_given_text_in_the_tokens_of_the_run(tmp_path, rnn, monkeypatch):
    other = tmp_path / "other.txt"
    other.write_text("Größe über alles, naïve façade, żółw. " * 200, "utf-8")
    monkeypatch.setattr(module, "remedies", lambda model, train: [])
    monkeypatch.setattr(module, "MEMORY_TARGETS", 32)
    config = load_config(rnn)
    save_config(rnn, replace(config, results=None))
    try:
        result = examine(tmp_path / "out", rnn, texts=(str(other),), cure=Budget(20, "seconds"))
    finally:
        save_config(rnn, config)
    assert result.cure.unchanged.bits_per_byte > 0
    trial = load(tmp_path / "out" / "trials" / "unchanged")
    assert trial.tokenizer.fingerprint == config.tokenizer.fingerprint


def test_trials_differ_by_their_remedy_alone(rnn):
    run = load(rnn)
    kept = {"output_dropout": 0.4, "input_dropout": 0.2, "num_layers": 2, "weight_dropout": 0.0}
    model, trained = replace(run.config.model, **kept), replace(run.config.train, clip_norm=0.7)
    run = replace(run, config=replace(run.config, model=model, train=trained))
    budget = Budget(1000, "tokens")
    unchanged = module._request(run, budget, None)
    assert kept.items() <= unchanged.model_settings.items()
    assert unchanged.train_settings["clip_norm"] == 0.7
    zoneout = module._request(run, budget, Remedy("zoneout", "", model={"zoneout": 0.1}))
    assert zoneout.model_settings == unchanged.model_settings | {"zoneout": 0.1}
    gru = module._request(run, budget, Remedy("GRU", "", kind="gru"))
    assert (kept | SMALL).items() <= gru.model_settings.items()
    assert "learning_rate" not in gru.train_settings
    mingru = module._request(run, budget, Remedy("minGRU", "", kind="mingru"))
    assert mingru.model_settings["output_dropout"] == 0.4
    assert not {"num_layers", "weight_dropout"} & mingru.model_settings.keys()
    transformer = module._request(run, budget, Remedy("Transformer", "", kind="transformer"))
    assert not {"learning_rate", "batch_size"} & transformer.train_settings.keys()
    assert transformer.train_settings["clip_norm"] == gru.train_settings["clip_norm"] == 0.7
    for request in (unchanged, zoneout, gru, mingru, transformer):
        preset = model_preset(request.kind, "small", 70)
        override(preset, **request.model_settings)


def test_remedies_of_a_run_are_those_that_change_it():
    train_config = TrainConfig()
    names = {one.name for one in remedies(RecurrentConfig(kind="rnn"), train_config)}
    assert {"GRU", "identity start", "longer truncation", "two layers, summed"} <= names
    assert not {"forget bias", "chrono gates", "carried state", "residual connections"} & names
    config = RecurrentConfig(kind="lstm", num_layers=2, connections="sum", forget_bias=2.0)
    names = {one.name for one in remedies(config, replace(train_config, carry_state=False))}
    assert {"GRU", "chrono gates", "carried state", "residual connections"} <= names
    assert not {"LSTM", "forget bias", "two layers, summed", "identity start"} & names
    stronger = RecurrentConfig("lstm", weight_dropout=0.3, zoneout=0.05, hidden_size=101)
    names = {one.name for one in remedies(stronger, replace(train_config, clip_norm=0.05))}
    assert "zoneout" in names
    assert not {"weight dropout", "smaller gradient norm", "one attention head"} & names


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.name)
def test_every_remedy_is_a_flag_of_train_that_its_kinds_have(remedy):
    words = ["train", "text", "--out", "run", *remedy.flags.split()]
    _, bound, *_ = app.parse_args(words, exit_on_error=False, print_error=False)
    asked = bound.arguments
    if remedy.kind is not None:
        assert asked["model"] == remedy.kind
        return
    found = given(asked["model_options"]) if remedy.model else {}
    found |= given(asked["train_options"]) if remedy.train else {}
    default = asdict(RecurrentConfig())
    expected = {name: value for name, value in remedy.model.items() if value != default[name]}
    assert found == expected | remedy.train
    kinds = [kind for kind in RECURRENT if not any(is_unused(kind, name) for name in remedy.model)]
    assert kinds
    for kind in kinds:
        config = override(model_preset(kind, "small", 70), **remedy.model)
        build(replace(config, hidden_size=8, embedding_size=4), 70)
