"""Text → run folder, also when it is killed on the way."""

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from unrolled.cli import main
from unrolled.errors import CheckpointError
from unrolled.inference.evaluation import evaluate
from unrolled.models.build import build
from unrolled.results.events import Interrupted
from unrolled.runs import folder
from unrolled.runs.folder import RunConfig, save_config
from unrolled.runs.prepared import PreparedText
from unrolled.settings.data import DataConfig
from unrolled.settings.training import Budget, TrainConfig
from unrolled.system.files import TEMPORARY, locked
from unrolled.system.machine import num_cores
from unrolled.training import language_model
from unrolled.training.loop import Training
from unrolled.training.pace import Pace
from unrolled.training.request import TrainRequest

MODEL = {"hidden_size": 16, "embedding_size": 8}
TRAIN = {
    "batch_size": 4,
    "sequence_length": 32,
    "precision": "float32",
    "threads": 1,
}
BUDGET = "20ktokens"


def request(text: str, budget: str = BUDGET, **changes) -> TrainRequest:
    """A tiny LSTM with dropout, of which every number is decided."""
    values = {
        "kind": "lstm",
        "data": DataConfig((text,)),
        "budget": Budget.parse(budget),
        "model_settings": MODEL,
        "train_settings": TRAIN,
    }
    return TrainRequest(**values | changes)


def train(run: Path, *args, **kwargs) -> RunConfig:
    """Trains as the command line does: with torch's usual algorithms."""
    torch.use_deterministic_algorithms(False)
    return language_model.train(run, *args, **kwargs).config


def resume(run: Path) -> RunConfig:
    torch.use_deterministic_algorithms(False)
    return language_model.resume(run).config


def assert_same_weights(run: Path, other: Path) -> None:
    weights, expected = (load_file(path / folder.MODEL) for path in (run, other))
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        assert torch.equal(value, expected[name]), name


def looks(run: Path) -> list[tuple[int, float]]:
    """Validation losses in the log."""
    return [(row.step, row.valid) for row in folder.read_log(run) if hasattr(row, "valid")]


def flags(run: Path, **changes) -> list[str]:
    """The settings of `request` on the command line."""
    settings = {**MODEL, **TRAIN, "budget": BUDGET, "out": run, **changes}
    return [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]


def wait_for_step(run: Path, step: int) -> None:
    """Returns once a checkpoint of this step or a later one is there."""
    for _ in range(6000):
        try:
            if folder.load_train_state(run)[1]["step"] >= step:
                return
        except CheckpointError:
            pass
        time.sleep(0.01)
    raise AssertionError("there is no checkpoint")


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> Path:
    """The run without a break, and without a checkpoint on the way."""
    run = tmp_path_factory.mktemp("whole") / "run"
    torch.set_num_threads(1)
    train(run, request(str(Path(__file__).parents[1] / "data" / "english.txt")))
    return run


def test_kill_and_resume_end_at_the_same_weights(whole_run, tmp_path, english):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "unrolled", "train", english]
    # With a checkpoint at every step, most kills fall into the writing of one.
    with subprocess.Popen(
        [*command, *flags(run, checkpoint_seconds=0)], stderr=subprocess.DEVNULL
    ) as process:
        wait_for_step(run, 5)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    config = folder.load_config(run)
    assert config.results is None
    assert folder.load(run).model.vocab_size == config.vocab_size  # usable meanwhile
    results = resume(run).results
    assert_same_weights(run, whole_run)
    expected = folder.load_config(whole_run).results
    for name in ("loss_nats", "bits_per_byte", "train_tokens", "train_steps", "baselines"):
        assert getattr(results, name) == getattr(expected, name)
    assert looks(run) == looks(whole_run)
    assert {path.name for path in run.iterdir()} == {path.name for path in whole_run.iterdir()}


def test_interrupt_saves_and_resume_ends_at_the_same_weights(
    whole_run, tmp_path, english, capsys, monkeypatch
):
    def press_at_step_7(self, batch):
        if self.progress.step == 7:
            signal.raise_signal(signal.SIGINT)
        return update(self, batch)

    update, run = Training.update, tmp_path / "run"
    monkeypatch.setattr(Training, "update", press_at_step_7)
    torch.use_deterministic_algorithms(False)
    handler = signal.getsignal(signal.SIGINT)
    assert main(["train", english, *flags(run)]) == 130
    errors = capsys.readouterr().err
    said = f"Stopped and saved. Resume with: unrolled train --resume --out {run}\n"
    assert errors.endswith(said)
    assert signal.getsignal(signal.SIGINT) == handler
    assert folder.load_train_state(run)[1]["step"] == 8
    assert main(["train", "--resume", "--out", str(run)]) == 0
    assert "Resuming at step 8.\n" in capsys.readouterr().err
    assert_same_weights(run, whole_run)


def train_until(name: str, run: Path, english: str, monkeypatch) -> None:
    """Trains up to the call of a function of the training module, which kills it."""

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(language_model, name, killed)
        train(run, request(english))


def test_a_second_process_is_refused_and_the_first_undisturbed(whole_run, tmp_path, english):
    with locked(tmp_path / "run"):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(CheckpointError, match="run is being written by another process. Wait"):
            train(tmp_path / "run", request(english))
        assert sorted(tmp_path.rglob("*")) == before
    with locked(whole_run), pytest.raises(CheckpointError, match="is being written by another"):
        resume(whole_run)


def test_a_run_killed_before_its_first_step_begins_anew(tmp_path, english, whole_run, monkeypatch):
    run = tmp_path / "run"
    train_until("_fit", run, english, monkeypatch)
    assert not (run / folder.TRAIN_STATE).exists()
    resume(run)
    assert_same_weights(run, whole_run)


def test_a_run_killed_after_its_results_is_tidied_when_it_is_resumed(whole_run, tmp_path):
    run, before = tmp_path / "run", {path.name for path in whole_run.rglob("*")}
    shutil.copytree(whole_run, run)
    (run / folder.TRAIN_STATE).touch()
    (run / f"{TEMPORARY}a").mkdir()
    (run / "tokens").mkdir()
    (run / "tokens" / "train.ids").touch()
    with pytest.raises(CheckpointError, match="it is finished"):
        resume(run)
    assert {path.name for path in run.rglob("*")} == before


def test_a_run_killed_in_its_last_evaluation_ends_the_same(
    tmp_path, english, whole_run, monkeypatch
):
    run = tmp_path / "run"
    train_until("baselines", run, english, monkeypatch)
    resume(run)
    assert_same_weights(run, whole_run)
    ends = [row for row in folder.read_log(run) if row.kind == "end"]
    assert len(ends) == 1


@pytest.fixture
def stopped(tmp_path, english) -> Path:
    """A run that was stopped after its first step."""
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(run, request(english), stop=lambda: True)
    return run


@pytest.mark.parametrize(
    ("name", "keep", "problem"),
    [
        (folder.TRAIN_STATE, 100, "is damaged ("),
        (folder.TRAIN_STATE, -1, "is damaged ("),
        (folder.CONFIG, 100, "is not JSON ("),
        (folder.CONFIG, 0, "is not JSON ("),
        ("tokens/train.ids", 100, "has 50 numbers, not 22427. "),
        ("tokens/tokenizer.json", 100, "is not a tokenizer ("),
    ],
)
def test_damaged_files_are_named(stopped, capsys, name, keep, problem):
    path = stopped / name
    path.write_bytes(path.read_bytes()[:keep])
    assert main(["train", "--resume", "--out", str(stopped)]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {path} {problem}")
    assert shown.err.count("\n") == 1 and shown.out == ""


def test_a_config_that_was_changed_does_not_fit(stopped):
    config = folder.load_config(stopped)
    smaller = replace(config.model, hidden_size=8)
    save_config(stopped, replace(config, model=smaller))
    with pytest.raises(CheckpointError) as caught:
        resume(stopped)
    assert str(caught.value) == (
        f"{stopped / folder.TRAIN_STATE} does not fit config.json. Train the run again."
    )


def test_the_run_says_what_it_was_and_what_it_reached(whole_run, english):
    config = folder.load_config(whole_run)
    assert config.data.texts == (english,)
    assert config.model.hidden_size == 16 and config.train.threads == 1
    assert config.train.budget == Budget(20_000, "tokens")
    assert set(config.versions) >= {"python", "torch", "unrolled"}
    results = config.results
    assert results.split == "test"
    uniform, unigram = (
        next(row.bits_per_byte for row in results.baselines if row.name == name)
        for name in ("uniform", "unigram")
    )
    assert results.bits_per_byte < unigram < uniform
    assert results.file_bytes == (whole_run / folder.MODEL).stat().st_size
    assert results.train_tokens / results.train_epochs == pytest.approx(22_400, rel=0.01)
    ends = [row.valid for row in folder.read_log(whole_run) if row.kind == "end"]
    assert ends == [min(bits for _, bits in looks(whole_run))]


def test_the_result_is_that_of_the_saved_model(whole_run, english, tmp_path):
    torch.use_deterministic_algorithms(False)
    text = PreparedText.prepare(DataConfig((english,)), tmp_path)
    loss = evaluate(folder.load(whole_run).model, text.store, "test")
    assert loss.loss_nats == folder.load_config(whole_run).results.loss_nats


def test_dropout_follows_the_passes_and_the_user(tmp_path, english):
    configs = []
    for number, settings in enumerate(({}, {"output_dropout": 0.05})):
        wanted = request(english, "30epochs", model_settings=MODEL | settings)
        with pytest.raises(Interrupted):
            train(tmp_path / str(number), wanted, stop=lambda: True)
        configs.append(folder.load_config(tmp_path / str(number)))
    model = build(configs[0].model, configs[0].vocab_size)
    share = model.num_parameters() / 22_400
    assert share < 1
    first, second = (config.model for config in configs)
    assert first.output_dropout == pytest.approx(0.5 * share, rel=0.01)
    assert second.output_dropout == 0.05
    assert first.weight_dropout == second.weight_dropout == first.output_dropout / 2


def test_a_search_is_written_down_and_shortens_the_training(tmp_path, english):
    run = tmp_path / "run"
    config = train(run, request(english, "60ktokens", search=True))
    tried = config.tried_learning_rates
    best = min(tried, key=lambda row: row.bits_per_byte)
    assert config.train.learning_rate == best.learning_rate
    assert config.train.budget.amount == pytest.approx(0.85 * 60_000)
    assert {path.name for path in run.iterdir()} == {
        "baselines",
        folder.CONFIG,
        folder.LOG,
        folder.MODEL,
        folder.TOKENIZER,
    }


def test_a_shared_text_stays(tmp_path, english):
    text = PreparedText.prepare(DataConfig((english,)), tmp_path / "shared")
    run = tmp_path / "shared" / "ngram"
    ngram = TrainRequest("ngram", DataConfig((english,)), model_settings={"order": 2})
    config = train(run, ngram, text=text)
    assert config.text == ".."
    assert set(folder.load(run).baselines) == {"unigram", "5-gram"}
    assert PreparedText.open(tmp_path / "shared").store == text.store


def test_without_a_test_split_validation_is_scored(tmp_path, english):
    data = DataConfig((english,), test_fraction=0)
    config = train(tmp_path / "run", TrainRequest("ngram", data, model_settings={"order": 2}))
    assert config.results.split == "valid"
    end = next(folder.read_log(tmp_path / "run"))
    assert end.valid == pytest.approx(config.results.bits_per_byte, rel=1e-6)


def test_the_curve_of_words_has_their_spelling(tmp_path, english):
    data = DataConfig((english,), test_fraction=0, tokenizer="word")
    config = train(tmp_path / "run", TrainRequest("ngram", data, model_settings={"order": 2}))
    assert config.results.num_unknown > 0
    end = next(folder.read_log(tmp_path / "run"))
    assert end.valid == pytest.approx(config.results.bits_per_byte, rel=1e-6)


def test_passes_expected_of_a_wall_clock():
    config = TrainConfig(budget=Budget(100, "seconds"))
    pace = Pace("float32", 1, tokens_per_second=50.0, num_parameters=1)
    epochs = language_model.expected_epochs(config, num_tokens=700, pace=pace, spent=30)
    assert epochs == pytest.approx(0.9 * 70 * 50 / 700)
    late = language_model.expected_epochs(config, num_tokens=700, pace=pace, spent=130)
    assert late == 0


def test_a_budget_of_tokens_does_not_depend_on_the_clock(tmp_path, english):
    """Nor do precision and threads: they are what they are, however fast a step was."""
    open_settings = {"batch_size": 4, "sequence_length": 32}
    with pytest.raises(Interrupted):
        asked = request(english, "1ktokens", train_settings=open_settings)
        train(tmp_path / "run", asked, stop=lambda: True)
    config = folder.load_config(tmp_path / "run").train
    assert (config.precision, config.threads) == ("float32", num_cores())


def test_a_batch_that_the_text_has_no_room_for_is_not_built_either(tmp_path, monkeypatch):
    """The settings name 100 million tokens, 25 GB; the text has 180."""
    path, sizes = tmp_path / "text.txt", []
    path.write_text("a few letters and no more " * 8)
    pace = language_model.language_model_pace

    def measured(model, config, vocab_size):
        sizes.append((config.batch_size, config.sequence_length))
        assert sizes[0][0] * sizes[0][1] < 200
        return pace(model, config, vocab_size)

    monkeypatch.setattr(language_model, "language_model_pace", measured)
    large = TRAIN | {"batch_size": 1000, "sequence_length": 100_000}
    for budget in ("1ktokens", "3s"):
        asked = request(str(path), budget, train_settings=large)
        config = train(tmp_path / budget, asked)
        assert config.results.train_steps > 5
        assert (config.train.batch_size, config.train.sequence_length) == (1000, 100_000)
    assert len(set(sizes)) == 1


def test_a_search_can_be_interrupted(tmp_path, english):
    with pytest.raises(Interrupted):
        train(tmp_path / "run", request(english, "100ktokens", search=True), stop=lambda: True)
    assert not (tmp_path / "run" / folder.CONFIG).exists()


@pytest.mark.parametrize(
    ("budget", "rate", "doubt"),
    [("3ktokens", 0.01, "hardly trained"), ("20ktokens", 10.0, "no better than its start")],
)
def test_what_says_nothing_of_its_kind_is_doubted(tmp_path, english, budget, rate, doubt, capsys):
    run = tmp_path / "run"
    assert main(["train", english, *flags(run, budget=budget, learning_rate=rate)]) == 0
    results = folder.load(run).results
    assert results.doubt == doubt
    unigram = next(row.bits_per_byte for row in results.baselines if row.name == "unigram")
    assert results.bits_per_byte < 1.05 * unigram  # a rate of 10 saved models of 130 and more
    assert f"Warning: lstm is {doubt.split()[0]} " in capsys.readouterr().out
