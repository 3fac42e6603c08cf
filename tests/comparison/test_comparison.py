"""`compare` from text to report, with real trainings in processes of their own."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from unrolled.comparison import comparison
from unrolled.comparison.comparison import compare, load_comparison, shared_before
from unrolled.comparison.request import CompareRequest
from unrolled.errors import CheckpointError, ConfigError, TextError
from unrolled.results.comparison import Comparison
from unrolled.results.events import Interrupted
from unrolled.runs.folder import load, load_config, save_config
from unrolled.runs.prepared import PreparedText
from unrolled.settings.data import DataConfig
from unrolled.settings.training import Budget
from unrolled.system.files import TEMPORARY, locked, write_json
from unrolled.training.request import TrainRequest

ENGLISH = str(Path(__file__).parents[1] / "data" / "english.txt")


def request(budget: str = "1ktokens", **settings) -> CompareRequest:
    train = TrainRequest(
        "ngram",
        DataConfig(texts=(ENGLISH,)),
        size="small",
        budget=Budget.parse(budget),
        train_settings={"batch_size": 4, "sequence_length": 16, "threads": 1},
    )
    return CompareRequest(train, **settings)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "out"
    records = []
    result = compare(out, request("30ktokens", kinds=("gru", "ngram")), records.append)
    return out, result, records


def test_models_are_ranked_and_every_figure_is_there(compared):
    out, result, _ = compared
    assert [model.name for model in result.models] == ["ngram", "gru"]
    bits = [model.bits_per_byte for model in result.models]
    assert bits == sorted(bits)
    for model in result.models:
        config = load_config(out / model.name)
        assert model.bits_per_byte == config.results.bits_per_byte
        for figure in ("score_tokens_per_second", "generate_tokens_per_second", "peak_bytes"):
            assert getattr(model, figure) > 0
        assert model.file_bytes == (out / model.name / "model.safetensors").stat().st_size
        assert len(model.samples) == 3
        assert [row.position for row in model.loss_by_position][:3] == [1, 2, 4]
    assert [row.name for row in result.baselines] == ["uniform", "unigram", "xz"]
    assert {advice.purpose for advice in result.recommendation} >= {"quality", "speed"}


def test_the_network_tries_three_rates_and_takes_the_best(compared):
    out, result, _ = compared
    network = result.models[1]
    tried = network.tried_learning_rates
    assert len(tried) == 3
    best = min(tried, key=lambda row: row.bits_per_byte)
    assert network.learning_rate == best.learning_rate
    assert not list((out / "gru").glob(".search*"))
    tokens = load_config(out / "gru").results.train_tokens
    assert 25_500 <= tokens <= 25_500 + 4 * 20  # 15 % of the budget went into the search
    assert (network.num_updates, network.doubt) == (pytest.approx(tokens / 64, rel=0.05), None)


def test_the_folder_has_the_report_the_runs_and_the_winner(compared):
    out, result, records = compared
    names = {path.name for path in out.iterdir()}
    assert names == {"baselines", "best", "gru", "ngram", "report.html", "comparison.json"}
    assert load(out / "best").config == load(out / "ngram").config
    assert "gru" in (out / "report.html").read_text("utf-8")
    assert Comparison.from_json(json.loads((out / "comparison.json").read_text("utf-8"))) == result
    assert {event.run for event in records} == {"gru", "ngram", ""}  # "": of all


def test_resume_keeps_what_is_finished(compared, tmp_path):
    out, result, _ = compared
    with pytest.raises(CheckpointError) as caught:
        compare(out, request(kinds=("gru", "ngram")), print)
    assert str(caught.value) == f"{out} is not empty. Choose another --out, or add --resume."
    assert result.models


def test_a_second_process_is_refused(tmp_path):
    with locked(tmp_path / "out"), pytest.raises(CheckpointError, match="out is being written by"):
        compare(tmp_path / "out", request(kinds=("ngram",)), resume=True)
    assert not (tmp_path / "out").exists()


def test_a_budget_too_short_is_refused_with_the_least_that_would_do(tmp_path):
    with pytest.raises(ConfigError) as caught:
        compare(tmp_path / "out", request("20s", kinds=("rnn", "gru", "lstm")), print)
    message = str(caught.value)
    assert message.startswith("budget must be at least ")
    assert message.endswith(
        "s for 3 networks on this text, got 20s. Give more time, or compare fewer models."
    )


def test_a_run_that_is_trained_but_not_measured_is_measured_on_resume(compared, tmp_path):
    out, result, _ = compared
    copy = tmp_path / "copy"
    shutil.copytree(out, copy, symlinks=True)
    PreparedText.prepare(request().train.data, copy)
    save_config(copy / "gru", replace(load_config(copy / "gru"), measured=None))
    for folder in (copy, copy / "gru"):  # as a kill leaves them
        (folder / f"{TEMPORARY}a").mkdir()
    again = compare(copy, request("30ktokens", kinds=("gru", "ngram")), print, resume=True)
    for found, before in zip(again.models, result.models, strict=True):
        assert found.bits_per_byte == before.bits_per_byte
        assert found.generate_tokens_per_second > 0
    assert not list(copy.rglob(f"{TEMPORARY}*"))


def test_a_comparison_that_failed_at_its_text_leaves_nothing(tmp_path):
    wrong = request()
    train = replace(wrong.train, data=DataConfig(texts=(str(tmp_path / "nosuch"),)))
    with pytest.raises(TextError, match="does not exist"):
        compare(tmp_path / "out", replace(wrong, train=train), print)
    assert not (tmp_path / "out").exists()


def test_what_stood_in_the_folder_stays_when_a_text_fails(tmp_path):
    mine = tmp_path / "out" / "tokens" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(TextError, match="does not exist"):
        PreparedText.prepare(DataConfig(texts=(str(tmp_path / "nosuch"),)), tmp_path / "out")
    assert mine.read_text() == "mine"


def test_a_comparison_killed_at_its_text_goes_on_from_the_beginning(tmp_path):
    out = tmp_path / "out"
    PreparedText.prepare(request().train.data, out)
    (out / "baselines" / "5-gram.safetensors").unlink()
    result = compare(out, request(kinds=("ngram",)), print, resume=True)
    assert [model.name for model in result.models] == ["ngram"]
    assert (out / "baselines" / "5-gram.safetensors").exists()


def test_ctrl_c_between_two_trainings_ends_the_comparison(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        compare(
            *(out, request(kinds=("ngram", "gru")), print),
            stop=lambda: (
                (out / "ngram" / "config.json").exists()
                and load_config(out / "ngram").measured is not None
            ),
        )
    assert (out / "ngram" / "config.json").exists() and not (out / "gru").exists()


def test_turns_do_not_change_the_weights(compared, tmp_path):
    """Trained alone, a network is the same as in turns beside another."""
    out, _, _ = compared
    beside = tmp_path / "out"
    order = []

    def note(event):
        if event.kind == "valid" and event.run not in order[-1:]:
            order.append(event.run)

    compare(beside, request("30ktokens", kinds=("gru", "rnn", "ngram")), note)
    assert len(order) > 20 and set(order) == {"gru", "rnn"}  # in turns
    alone, second = (load_file(each / "gru" / "model.safetensors") for each in (out, beside))
    assert all(np.array_equal(alone[name], second[name]) for name in alone)


class Halt(Exception):
    """What a comparison is ended by in a test."""


def halted(out: Path, wanted: CompareRequest, after: int, resume: bool = False) -> Comparison:
    """What is left of a comparison that ends after so many rounds, as if it were killed."""
    rounds = []

    def count(event):
        rounds.append(event) if event.kind == "round" else None
        if len(rounds) > after:
            raise Halt

    with pytest.raises(Halt):
        compare(out, wanted, count, resume)
    found = load_comparison(out)
    assert found is not None
    return found


def test_after_any_round_the_comparison_is_whole_and_goes_on_to_the_same_result(tmp_path):
    wanted = request("30ktokens", kinds=("gru", "rnn", "ngram"))
    out = tmp_path / "out"
    found = halted(out, wanted, after=7)
    assert 0.15 < found.cut_short < 0.5 and found.split == "valid"
    assert {model.name for model in found.models} == {"gru", "rnn", "ngram"}
    bits = [model.bits_per_byte for model in found.models]
    assert bits == sorted(bits) and all(model.behind is None for model in found.models)
    fractions = [len(model.curve) for model in found.models if model.name != "ngram"]
    assert abs(fractions[0] - fractions[1]) <= 1
    assert "Cut short after" in (out / "report.html").read_text("utf-8")
    assert load(out / "best").config.model.kind == found.models[0].name  # can be used already
    result = compare(out, wanted, print, resume=True)
    assert result.cut_short is None and result.split == "test"
    whole = compare(tmp_path / "whole", wanted, print)
    for model, other in zip(result.models, whole.models, strict=True):
        assert (model.name, model.bits_per_byte) == (other.name, other.bits_per_byte)
        assert model.behind == other.behind


def test_a_budget_may_be_raised_when_a_comparison_goes_on(tmp_path):
    out, kinds = tmp_path / "out", ("gru", "rnn")
    halted(out, request("30ktokens", kinds=kinds), after=4)
    halted(out, request("40ktokens", kinds=kinds), after=1, resume=True)
    result = compare(out, request("40ktokens", kinds=kinds), print, resume=True)
    assert (result.budget, result.share) == (Budget(40_000, "tokens"),) * 2
    for model in result.models:
        tokens = load_config(out / model.name).results.train_tokens
        assert tokens == pytest.approx(0.85 * 40_000, rel=0.01)
    longer = request("50ktokens", kinds=kinds)
    with pytest.raises(ConfigError, match="must be 40,000 tokens, since a network has finished"):
        compare(out, longer, print, resume=True)


def recorded(out: Path, budget: str, share: float) -> None:
    """A comparison of two networks that was killed."""
    write_json(
        out / "comparison.json",
        Comparison(
            *("", {}, "valid", [], [], []),
            budget=Budget.parse(budget),
            share=Budget(share, "seconds"),
        ).to_json(),
    )


def test_more_time_is_split_evenly_and_less_is_refused(tmp_path):
    recorded(tmp_path, "100s", 40.0)
    kinds = ("gru", "rnn", "ngram")
    assert shared_before(tmp_path, request("100s", kinds=kinds)) == Budget(40.0, "seconds")
    assert shared_before(tmp_path, request("5m", kinds=kinds)) == Budget(140.0, "seconds")
    for budget in ("90s", "1Mtokens"):
        with pytest.raises(ConfigError, match="budget must be 100s or more, as before the break"):
            shared_before(tmp_path, request(budget, kinds=kinds))
    assert shared_before(tmp_path / "new", request("100s")) is None


def test_a_damaged_comparison_is_named(tmp_path):
    (tmp_path / "comparison.json").write_text('{"title": 3}')
    with pytest.raises(CheckpointError, match=r"comparison.json is no comparison \("):
        load_comparison(tmp_path)


def test_what_the_ngram_leaves_is_split_evenly(monkeypatch):
    monkeypatch.setattr(comparison.time, "monotonic", lambda: 130.0)
    share = comparison._share(Budget(100, "seconds"), began=100.0, num_networks=2)
    assert share == Budget(35 - comparison.RESERVE_SECONDS, "seconds")
    epochs = Budget(3, "epochs")
    assert comparison._share(epochs, began=0.0, num_networks=2) == epochs


def test_a_finished_comparison_is_written_again(compared, tmp_path):
    out, result, _ = compared
    copy = tmp_path / "copy"
    shutil.copytree(out, copy, symlinks=True)
    for name in ("report.html", "comparison.json", "best"):
        (copy / name).unlink()
    again = compare(
        copy, request("30ktokens", kinds=("gru", "ngram"), language="zh"), print, resume=True
    )
    assert [model.bits_per_byte for model in again.models] == [
        model.bits_per_byte for model in result.models
    ]
    assert 'lang="zh' in (copy / "report.html").read_text("utf-8")
    assert (copy / "best").exists()


def test_the_same_command_gives_the_same_weights(compared, tmp_path):
    out, _, _ = compared
    compare(tmp_path / "out", request("30ktokens", kinds=("gru", "ngram")), print)
    for kind in ("gru", "ngram"):
        first, second = (
            load_file(each / kind / "model.safetensors") for each in (out, tmp_path / "out")
        )
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_what_is_hardly_trained_is_not_ranked(tmp_path):
    result = compare(tmp_path / "out", request("1ktokens", kinds=("rnn",)), print)
    (model,) = result.models
    assert (model.doubt, model.tried_learning_rates) == ("hardly trained", [])
    assert 15 <= model.num_updates <= 17
    assert result.recommendation == []
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "No model was trained enough to be ranked" in page
    assert f"rnn (hardly trained, {model.num_updates} updates)" in page


def test_a_model_named_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="models must be different ones, got ngram twice"):
        compare(tmp_path / "out", request(kinds=("ngram", "ngram")), print)


def test_seeds_give_a_spread(tmp_path):
    out = tmp_path / "out"
    result = compare(out, request(kinds=("rnn",), num_seeds=2))
    (model,) = result.models
    seeds = [
        json.loads((out / name / "config.json").read_text())["results"]["bits_per_byte"]
        for name in ("rnn", "rnn-seed1")
    ]
    assert model.seeds == seeds
    assert seeds[0] != seeds[1]
    assert model.bits_per_byte == pytest.approx(sum(seeds) / 2)
    assert model.spread == pytest.approx(abs(seeds[0] - seeds[1]) / 2**0.5)
