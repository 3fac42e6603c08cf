"""Names of the user's models, and the rule by which their code is imported."""

import sys
from types import ModuleType

import pytest

from unrolled.errors import ConfigError
from unrolled.settings import own
from unrolled.settings.kinds import kind_order, kind_row
from unrolled.settings.models import ModelConfig, OwnConfig, flat_settings
from unrolled.settings.presets import model_preset, override, regularize, train_preset
from unrolled.system.records import from_json

CODE = """
class Mine:
    learning_rate = 0.5

    def __init__(self, vocab_size, width=8, dropout=0.0):
        pass

    @classmethod
    def preset(cls, size, vocab_size):
        return {"width": len(size) + vocab_size}

    class Inner:
        pass

mine = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with modules in it; what is imported from it is forgotten again."""
    (tmp_path / "my_models.py").write_text(CODE)
    (tmp_path / "lacking.py").write_text("import my_lost_module\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        del sys.modules[name]


def refusal(call, *arguments) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


def test_asking_for_a_class_by_name_imports_it_from_the_current_folder(folder):
    assert own.import_kind("my_models:Mine") == "my_models:Mine"
    assert own.own_class("my_models:Mine") is sys.modules["my_models"].Mine
    assert own.check_kind(sys.modules["my_models"].Mine) == "my_models:Mine"
    assert own.import_kind("my_models:Mine.Inner") == "my_models:Mine.Inner"
    assert own.import_kind("lstm") == "lstm"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere:Mine", "There is no module nowhere in {folder} or among the installed packages."),
        ("my_models.deeper:Mine", "There is no module my_models.deeper in {folder} or among the"),
        ("my_models:Yours", "my_models ({folder}/my_models.py) has no class Yours."),
        ("my_models:mine", "my_models ({folder}/my_models.py) has no class mine."),
        ("lacking:Mine", "lacking fails (No module named 'my_lost_module')."),
        ("broken:Mine", "broken fails (ZeroDivisionError: division by zero)."),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(folder, name, problem):
    expected = f"model must be a class that can be imported, got {name}. {problem}"
    assert refusal(own.import_kind, name).startswith(expected.format(folder=folder))


@pytest.mark.parametrize("name", ["lstn", "", "my models:Mine", "a:", ":B", "../a:B", "a:B()", 3])
def test_what_is_no_name_of_a_class_is_said_with_the_choices(name):
    assert refusal(own.check_kind, name) == (
        "model must be one of ngram, rnn, gru, lstm, mingru, transformer, or module:Class, "
        f"got {name}. Choose one of these."
    )


def test_a_class_inside_a_function_cannot_be_found_by_others():
    class Local:
        pass

    assert "must be a class at the top of a module, got " in refusal(own.check_kind, Local)


def test_a_run_does_not_import_what_nobody_named(folder, monkeypatch):
    assert refusal(own.own_class, "my_models:Mine") == (
        "model must be imported or named by you before its code runs, got my_models:Mine. "
        "If you trust that code, set UNROLLED_MODELS=my_models:Mine."
    )
    monkeypatch.setenv(own.VARIABLE, "other:Other my_models:Mine2")
    with pytest.raises(ConfigError):
        own.own_class("my_models:Mine")
    assert "my_models" not in sys.modules
    monkeypatch.setenv(own.VARIABLE, "other:Other,my_models:Mine")
    assert own.own_class("my_models:Mine").__name__ == "Mine"
    assert own.naming("my_models:Mine") == "UNROLLED_MODELS=my_models:Mine "
    assert own.naming("lstm") == ""


def test_an_entry_point_is_a_name(folder):
    package = folder / "mine-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[unrolled.models]\nmy-model = my_models:Mine\n")
    sys.path.insert(0, str(folder))
    assert own.own_class("my-model").__name__ == "Mine"
    assert own.naming("my-model") == ""
    assert OwnConfig("my-model").kind == "my-model"


def test_settings_are_the_constructors_and_the_presets(folder):
    own.import_kind("my_models:Mine")
    config = model_preset("my_models:Mine", "large", 70)
    assert config == OwnConfig("my_models:Mine", {"width": 75, "dropout": 0.0})
    assert flat_settings(config) == {"kind": "my_models:Mine", "width": 75, "dropout": 0.0}
    assert from_json(ModelConfig, config.to_json(), "model") == config
    assert override(config, width=3, dropout=None).settings == {"width": 3, "dropout": 0.0}
    assert refusal(lambda: override(config, num_heads=3)) == (
        "num_heads must be left out for my_models:Mine, got 3. Leave --num-heads out."
    )
    assert regularize(config, 6, 1).settings["dropout"] == pytest.approx(0.1)
    assert train_preset("my_models:Mine", 70).learning_rate == 0.5


def test_a_setting_that_no_json_holds_is_refused(folder, monkeypatch):
    own.import_kind("my_models:Mine")
    monkeypatch.setattr(
        sys.modules["my_models"].Mine, "preset", lambda size, vocab_size: {"width": ModuleType}
    )
    found = refusal(own.own_settings, "my_models:Mine", "small", 70)
    assert found.startswith("width must be a number, a text, True, False, None, or a list or dict")


def test_own_kinds_stand_after_ours_in_the_order_given():
    names = ["a:B", "lstm", "A:A", "ngram"]
    assert sorted(names, key=kind_order) == ["ngram", "lstm", "a:B", "A:A"]
    assert kind_row("a:B").family == "own" and not kind_row("a:B").gated
